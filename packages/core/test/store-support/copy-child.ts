// Copies the store at `argv[3]` to `argv[4]` and is killed right before its `argv[2]`-th step on the disk.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { argv, kill, pid, stdout } from "node:process";
import { locateStore } from "../../src/store/engines.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { FixedClock } from "../../src/testing/index.ts";
import { copyStore } from "../../src/transfer/index.ts";
// Loaded before the steps are counted.
import "../../src/store/sqlite/transfer/import-store.ts";

const [, , dieAt = "0", from = "", to = ""] = argv;
const clock = new FixedClock();
const store = new SqliteStore(from, { clock, busyTimeoutMs: 0, bootId: "boot-1" });
let steps = 0;
for (const name of ["mkdirSync", "openSync", "fchmodSync", "fsyncSync", "linkSync", "rmSync"]) {
  const real: unknown = Reflect.get(fs, name);
  if (typeof real !== "function") throw new Error(name);
  Reflect.set(fs, name, (...args: unknown[]): unknown => {
    steps += 1;
    if (steps === Number(dieAt)) kill(pid, "SIGKILL");
    return Reflect.apply(real, fs, args);
  });
}
syncBuiltinESMExports();
await copyStore(store, await locateStore(to), { clock });
await store.close();
stdout.write(String(steps));
