import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { SqliteControl } from "../../packages/core/src/store/sqlite/control/control.ts";
import { AIGW, cleanEnv } from "../support/aigw.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { prepareHome } from "../support/prepared-home.ts";

const FULL = 2;

const missing =
  spawnSync("strace", ["-e", "trace=none", "true"]).status === 0 ? undefined : "strace is not there or may not trace";

describe("an admin change", () => {
  it("is made on a connection that waits for the disk", async (t) => {
    const { home } = await prepareHome(t);
    const control = SqliteControl.open(join(home, "aigw.db"), 0);
    t.after(() => control.database.close());
    assert.equal(control.database.get<{ synchronous: number }>("PRAGMA synchronous")?.synchronous, FULL);
  });

  it("is on the disk before the command says that it is made", async (t) => {
    reportNeed(NEEDS.strace, missing);
    if (missing !== undefined) return t.skip(missing);
    const { home } = await prepareHome(t, { clients: { john: {} } });
    // Another connection stays open, as a gateway's does: the last one to close would sync everything.
    const other = new DatabaseSync(join(home, "aigw.db"));
    t.after(() => other.close());
    other.exec("SELECT 1");
    const trace = join(dirname(home), "trace");
    const watch = ["-f", "-y", "-e", "trace=pwrite64,write,writev,fsync,fdatasync", "-o", trace];
    const args = ["client", "revoke", "john", "--yes", "-q"];
    const { status, stdout, stderr } = spawnSync("strace", [...watch, process.execPath, ...AIGW, ...args], {
      env: cleanEnv(home),
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.deepEqual([status, stdout], [0, "john\n"], stderr);
    const calls = readFileSync(trace, "utf8").split("\n");
    const last = (pattern: RegExp): number => calls.findLastIndex((line) => pattern.test(line));
    const written = last(/\bpwrite64\(\d+<[^>]*aigw\.db-wal>/);
    const synced = last(/\bf(data)?sync\(\d+<[^>]*aigw\.db-wal>/);
    const said = last(/\bwritev?\(1<.*john\\n/);
    assert.ok(written >= 0 && said >= 0, "both were seen");
    assert.ok(written < synced && synced < said, `written ${written}, synced ${synced}, said ${said}`);
  });
});
