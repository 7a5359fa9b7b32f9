import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type ErrorCode, isAigwError } from "../src/errors.ts";
import { initHome, inspectHome, openHome, resolveHome } from "../src/home/index.ts";
import { activeKey } from "../src/keys/signing-key.ts";
import { formatMasterKey, generateMasterKey } from "../src/sealing/master-key.ts";
import { anEvent, FixedClock } from "../src/testing/index.ts";
import { meddleAtStat } from "./store-support/before-stat.ts";
import { temporaryFolder } from "./store-support/folders.ts";

const clock = new FixedClock();
const ACT = { at: 1_000, actor: "admin@host" };
const newHome = (): string => join(temporaryFolder(), "aigw");

const fault =
  (code: ErrorCode, ...names: readonly string[]) =>
  (error: unknown): boolean => {
    assert.ok(isAigwError(error, code), String(error));
    for (const name of names) assert.ok(error.message.includes(name), error.message);
    assert.ok(!error.message.includes("\n"));
    return true;
  };

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe("where the home is", () => {
  const cases: readonly (readonly [string, Record<string, string | undefined>, string | undefined, string])[] = [
    ["the flag comes first", { AIGW_HOME: "/env", HOME: "/h" }, "/flag", "/flag"],
    ["then AIGW_HOME", { AIGW_HOME: "/env", XDG_DATA_HOME: "/xdg", HOME: "/h" }, undefined, "/env"],
    ["then XDG_DATA_HOME", { AIGW_HOME: "", XDG_DATA_HOME: "/xdg", HOME: "/h" }, "", "/xdg/aigw"],
    [
      "a relative XDG_DATA_HOME does not count",
      { XDG_DATA_HOME: "xdg", HOME: "/h" },
      undefined,
      "/h/.local/share/aigw",
    ],
    ["then the user's folder", { HOME: "/h" }, undefined, "/h/.local/share/aigw"],
    ["a relative one starts at the working directory", { AIGW_HOME: "x/" }, undefined, join(process.cwd(), "x")],
  ];
  for (const [name, env, flag, expected] of cases) {
    it(name, () => assert.equal(resolveHome(env, flag), expected));
  }

  it("neither an empty nor a relative HOME counts: then the system's list of users", () => {
    for (const env of [{}, { HOME: "" }, { HOME: "somewhere" }]) {
      assert.equal(resolveHome(env), join(userInfo().homedir, ".local/share/aigw"));
    }
  });
});

describe("initialising a home", () => {
  it("makes key, database and first signing key, private, with its own record in the log", async () => {
    const home = newHome();
    assert.equal(await inspectHome({ home }), "empty");
    const settings = new Map([["public-url", "https://ai.example.com"]] as const);
    assert.deepEqual(await initHome({ home, settings, ...ACT }), { created: true });
    assert.equal(await inspectHome({ home }), "ready");
    assert.deepEqual(readdirSync(home).sort(), ["aigw.db", "master.key"]);
    assert.deepEqual(readdirSync(join(home, "..")), ["aigw"]);
    assert.equal(modeOf(home), 0o700);
    for (const file of readdirSync(home)) assert.equal(modeOf(join(home, file)), 0o600);
    const { store, sealer } = await openHome({ home, clock });
    const changes = await store.control.changesAfter(0, 10);
    assert.deepEqual(
      changes.map((change) => [change.rev, change.effects[0]?.action, change.at, change.actor]),
      [
        [1, "secret.create", ACT.at, ACT.actor],
        [2, "config.set", ACT.at, ACT.actor],
      ],
    );
    const key = activeKey(await store.control.keyring());
    assert.equal(changes[0]?.effects[0]?.subject, key?.kid);
    assert.equal(sealer.open("signing-key", key?.sealedSecret ?? "").length, 32);
    assert.equal((await store.control.settings()).get("public-url"), "https://ai.example.com");
    await store.close();
  });

  it("changes nothing in a home that is ready", async () => {
    const home = newHome();
    await initHome({ home, ...ACT });
    const before = readdirSync(home).map((file) => readFileSync(join(home, file)));
    assert.deepEqual(await initHome({ home, ...ACT, at: 2_000 }), { created: false });
    assert.deepEqual(
      readdirSync(home).map((file) => readFileSync(join(home, file))),
      before,
    );
  });

  it("takes an empty folder over, whatever its mode, also behind a link", async () => {
    const home = newHome();
    mkdirSync(home, { mode: 0o755 });
    assert.deepEqual(await initHome({ home: `${home}/`, ...ACT }), { created: true });
    assert.equal(modeOf(home), 0o700);
    const target = newHome();
    mkdirSync(target, { mode: 0o700 });
    const link = newHome();
    symlinkSync(target, link);
    assert.deepEqual(await initHome({ home: link, ...ACT }), { created: true });
    assert.equal(await inspectHome({ home: link }), "ready");
    assert.ok(existsSync(join(target, "master.key")));
  });

  it("works beside other files, which it leaves alone", async () => {
    const home = newHome();
    mkdirSync(home, { mode: 0o700 });
    writeFileSync(join(home, "notes.txt"), "mine");
    assert.deepEqual(await initHome({ home, ...ACT }), { created: true });
    assert.deepEqual(readdirSync(home).sort(), ["aigw.db", "master.key", "notes.txt"]);
    assert.equal(readFileSync(join(home, "notes.txt"), "utf8"), "mine");
    await (await openHome({ home, clock })).store.close();
  });

  it("puts the database elsewhere, next to nothing of its own", async () => {
    const home = newHome();
    const folder = temporaryFolder();
    const storeUrl = `sqlite:${join(folder, "gateway.db")}`;
    assert.deepEqual(await initHome({ home, storeUrl, ...ACT }), { created: true });
    assert.deepEqual(readdirSync(home), ["master.key"]);
    const { store } = await openHome({ home, storeUrl, clock });
    await store.traffic.recordUsage([anEvent()]);
    await store.close();
    assert.deepEqual(readdirSync(folder).sort(), ["gateway.db", "gateway.usage.db"]);
    await assert.rejects(
      initHome({ home: newHome(), storeUrl: "sqlite:/nowhere/at/all/x.db", ...ACT }),
      fault("store_unavailable", "/nowhere/at/all"),
    );
  });

  it("writes no key file when the key comes from outside", async () => {
    const home = newHome();
    const masterKey = formatMasterKey(generateMasterKey());
    assert.deepEqual(await initHome({ home, masterKey, ...ACT }), { created: true });
    assert.deepEqual(readdirSync(home), ["aigw.db"]);
    await (await openHome({ home, masterKey, clock })).store.close();
    await assert.rejects(openHome({ home, clock }), fault("home_incomplete", "master.key", "AIGW_MASTER_KEY"));
    await assert.rejects(
      initHome({ home: newHome(), masterKey: "short", ...ACT }),
      fault("master_key_invalid", "AIGW_MASTER_KEY"),
    );
  });

  it("sweeps what a killed one left an hour ago, not what one under way has", async () => {
    const home = newHome();
    for (const [name, ageS] of [
      ["old", 7_200],
      ["young", 60],
    ] as const) {
      mkdirSync(`${home}.init-${name}`);
      const then = Date.now() / 1_000 - ageS;
      utimesSync(`${home}.init-${name}`, then, then);
    }
    await initHome({ home, ...ACT });
    assert.deepEqual(readdirSync(join(home, "..")).sort(), ["aigw", "aigw.init-young"]);
  });
});

describe("a home that comes to be while it is looked at", () => {
  for (let look = 1; look <= 8; look += 1) {
    it(`before look ${look}: counts as empty or ready`, async () => {
      const [home, built] = [newHome(), newHome()];
      await initHome({ home: built, ...ACT });
      await meddleAtStat(
        look,
        "before",
        () => renameSync(built, home),
        async () => assert.ok(["empty", "ready"].includes(await inspectHome({ home }))),
      );
    });
  }
});

describe("a home that is not as it should be", () => {
  const initialised = async (): Promise<string> => {
    const home = newHome();
    await initHome({ home, ...ACT });
    const { store } = await openHome({ home, clock });
    await store.traffic.recordUsage([anEvent()]);
    await store.close();
    return home;
  };

  /** Neither opened nor initialised over; what is there stays. */
  const refused = async (home: string, code: ErrorCode, ...names: readonly string[]): Promise<void> => {
    const before = readdirSync(home).sort();
    await assert.rejects(openHome({ home, clock }), fault(code, ...names));
    if (code === "home_incomplete") await assert.rejects(initHome({ home, ...ACT }), fault(code, ...names));
    assert.deepEqual(readdirSync(home).sort(), before);
  };

  it("empty: says how to begin", async () => {
    await assert.rejects(openHome({ home: newHome(), clock }), fault("home_not_initialised", "aigw init"));
  });

  it("key lost", async () => {
    const home = await initialised();
    const key = readFileSync(join(home, "master.key"), "utf8");
    rmSync(join(home, "master.key"));
    await refused(home, "home_incomplete", join(home, "master.key"), "AIGW_MASTER_KEY");
    await (await openHome({ home, masterKey: key, clock })).store.close();
  });

  it("database lost", async () => {
    const home = await initialised();
    rmSync(join(home, "aigw.db"));
    await refused(home, "home_incomplete", join(home, "aigw.db"));
    rmSync(join(home, "aigw.usage.db"));
    await refused(home, "home_incomplete", join(home, "aigw.db"));
    rmSync(join(home, "master.key"));
    writeFileSync(join(home, "aigw.db-wal"), "left");
    await refused(home, "home_incomplete", join(home, "aigw.db"));
  });

  it("only usage left", async () => {
    const home = await initialised();
    rmSync(join(home, "aigw.db"));
    rmSync(join(home, "master.key"));
    await refused(home, "home_incomplete", join(home, "aigw.usage.db"));
    await assert.rejects(
      initHome({ home, masterKey: formatMasterKey(generateMasterKey()), ...ACT }),
      fault("home_incomplete", "aigw.usage.db"),
    );
  });

  it("usage lost: begun anew, since nothing is overwritten", async () => {
    const home = await initialised();
    rmSync(join(home, "aigw.usage.db"));
    const { store } = await openHome({ home, clock });
    assert.deepEqual((await store.traffic.latestUsage({}, 5)).events, []);
    await store.close();
  });

  it("another home's key", async () => {
    const [home, other] = [await initialised(), await initialised()];
    renameSync(join(other, "master.key"), join(home, "master.key"));
    await refused(home, "master_key_wrong");
    writeFileSync(join(home, "master.key"), "not a key");
    await refused(home, "master_key_invalid", join(home, "master.key"));
  });

  for (const [name, mode] of [
    ["", 0o750],
    ["master.key", 0o640],
    ["aigw.db", 0o604],
  ] as const) {
    it(`${name || "the folder"} open to others`, async () => {
      const home = await initialised();
      const path = name === "" ? home : join(home, name);
      chmodSync(path, mode);
      await refused(home, "insecure_permissions", `chmod ${name === "" ? 700 : 600} '${path}'`);
      chmodSync(path, name === "" ? 0o700 : 0o600);
      await (await openHome({ home, clock })).store.close();
    });
  }

  it("a folder with other files that is open to others is not initialised", async () => {
    const home = newHome();
    mkdirSync(home, { mode: 0o755 });
    writeFileSync(join(home, "notes.txt"), "mine");
    await assert.rejects(initHome({ home, ...ACT }), fault("insecure_permissions", `chmod 700 '${home}'`));
    assert.deepEqual(readdirSync(home), ["notes.txt"]);
  });

  it("a file", async () => {
    const home = newHome();
    writeFileSync(home, "mine");
    for (const attempt of [initHome({ home, ...ACT }), openHome({ home, clock })]) {
      await assert.rejects(attempt, fault("invalid_value", home, "not a folder"));
    }
    const below = join(home, "below");
    await assert.rejects(initHome({ home: below, ...ACT }), fault("store_unavailable", below));
    assert.equal(readFileSync(home, "utf8"), "mine");
  });

  it("a store of an engine that there is not", async () => {
    await assert.rejects(
      openHome({ home: newHome(), storeUrl: "postgres://h/db", clock }),
      fault("invalid_value", "sqlite:<path>", "mongodb://"),
    );
  });
});
