// Initialises the home `argv[3]` (store `argv[4]`, if any) and is killed right before its `argv[2]`-th step on the disk.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { argv, kill, pid, stdout } from "node:process";
import { initHome } from "../../src/home/init-home.ts";
// Loaded before the steps are counted.
import "../../src/store/sqlite/control/create-sqlite-store.ts";

const [, , dieAt = "0", home = "", storeUrl] = argv;
let steps = 0;
for (const name of [
  "mkdirSync",
  "openSync",
  "fchmodSync",
  "writeFileSync",
  "fsyncSync",
  "linkSync",
  "renameSync",
  "rmSync",
]) {
  const real: unknown = Reflect.get(fs, name);
  if (typeof real !== "function") throw new Error(name);
  Reflect.set(fs, name, (...args: unknown[]): unknown => {
    steps += 1;
    if (steps === Number(dieAt)) kill(pid, "SIGKILL");
    return Reflect.apply(real, fs, args);
  });
}
syncBuiltinESMExports();
await initHome({ home, storeUrl, at: 1_000, actor: "test" });
stdout.write(String(steps));
