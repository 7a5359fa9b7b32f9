import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import type { ErrorCode } from "@aigw/core";
import { aigw, jsonError } from "../../packages/cli/test/support/harness.ts";
import { prepareHome } from "../support/prepared-home.ts";

/** Every file and folder below: its mode and what is in it. */
const fingerprint = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const { mode, ino } = statSync(join(folder, name));
      const isFile = statSync(join(folder, name)).isFile();
      const hash = isFile
        ? createHash("sha256")
            .update(readFileSync(join(folder, name)))
            .digest("hex")
        : "folder";
      return `${name} ${(mode & 0o7777).toString(8)} ${isFile ? ino : ""} ${hash}`;
    });

const sql = (path: string, statement: string): void => {
  const db = new DatabaseSync(path);
  db.exec(statement);
  db.close();
};

const overwrite = (path: string, at: number, bytes: Buffer): void => {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
};

interface Damage {
  readonly does: (home: string, db: string) => void;
  readonly env?: Record<string, string>;
  readonly code: 4 | 6;
  readonly error: ErrorCode;
  readonly says: RegExp;
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  "the database's first bytes overwritten": {
    does: (_home, db) => overwrite(db, 0, randomBytes(100)),
    code: 6,
    error: "store_corrupt",
    says: /damaged|not.*aigw's/,
  },
  "all of the database overwritten": {
    does: (_home, db) => overwrite(db, 100, Buffer.alloc(statSync(db).size - 100, 0xa5)),
    code: 6,
    error: "store_corrupt",
    says: /damaged/,
  },
  "the database cut in the middle": {
    does: (_home, db) => truncateSync(db, 6_000),
    code: 6,
    error: "store_corrupt",
    says: /damaged/,
  },
  "an empty database file": {
    does: (_home, db) => truncateSync(db, 0),
    code: 6,
    error: "store_corrupt",
    says: /empty \(0 bytes\)/,
  },
  "a folder in the database's place": {
    does: (_home, db) => {
      rmSync(db);
      mkdirSync(db);
    },
    code: 6,
    error: "store_unavailable",
    says: /is not a file/,
  },
  "somebody else's database": {
    does: (_home, db) => {
      rmSync(db);
      sql(db, "CREATE TABLE t (x)");
      chmodSync(db, 0o600);
    },
    code: 6,
    error: "store_unsupported",
    says: /not aigw's/,
  },
  "a newer schema": {
    does: (_home, db) => sql(db, "PRAGMA user_version = 999"),
    code: 6,
    error: "store_schema_newer",
    says: /version 999/,
  },
  "a key without its database": {
    does: (_home, db) => rmSync(db),
    code: 4,
    error: "home_incomplete",
    says: /database .* is missing/,
  },
  "a database without its key": {
    does: (home) => rmSync(join(home, "master.key")),
    code: 4,
    error: "home_incomplete",
    says: /master key .* is missing/,
  },
  "another master key": {
    does: () => undefined,
    env: { AIGW_MASTER_KEY: randomBytes(32).toString("base64url") },
    code: 4,
    error: "master_key_wrong",
    says: /does not open this store/,
  },
  "a master key that is none": {
    does: (home) => writeFileSync(join(home, "master.key"), "too short\n"),
    code: 4,
    error: "master_key_invalid",
    says: /does not hold a master key/,
  },
  "a home that others may read": {
    does: (home) => chmodSync(home, 0o755),
    code: 4,
    error: "insecure_permissions",
    says: /Run: chmod 700 /,
  },
  "a key that others may read": {
    does: (home) => chmodSync(join(home, "master.key"), 0o644),
    code: 4,
    error: "insecure_permissions",
    says: /Run: chmod 600 /,
  },
  "a database that others may read": {
    does: (_home, db) => chmodSync(db, 0o640),
    code: 4,
    error: "insecure_permissions",
    says: /Run: chmod 600 /,
  },
};

const COMMANDS = [
  ["client", "list"],
  ["client", "add", "mary"],
  ["serve", "--port", "0"],
  ["init", "--public-url", "https://ai.example.com"],
];

describe("a home that is damaged", () => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-damage-"));
  const sound = join(folder, "sound");
  before(() => prepareHome({ after: () => undefined }, { home: sound, clients: { john: {} } }));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [index, [what, { does, env = {}, code, error, says }]] of Object.entries(DAMAGES).entries()) {
    it(`${what}: exit ${code}, one line, nothing created or changed`, async () => {
      const home = join(folder, `${index}`, "home");
      cpSync(sound, home, { recursive: true });
      chmodSync(home, 0o700);
      does(home, join(home, "aigw.db"));
      const before = fingerprint(home);
      for (const args of COMMANDS) {
        const text = await aigw(home, args, { env });
        assert.equal(text.code, code, `${args.join(" ")}: ${text.stderr}`);
        assert.equal(text.stdout, "");
        assert.match(text.stderr, /^error: [^\n]+\n$/, args.join(" "));
        assert.match(text.stderr, says);

        const asJson = await aigw(home, [...args, "--json"], { env });
        assert.deepEqual([asJson.code, asJson.stdout], [code, ""]);
        assert.equal(jsonError(asJson).code, error);
        assert.match(jsonError(asJson).message, says);
        assert.deepEqual(fingerprint(home), before, args.join(" "));
      }
    });
  }
});
