// Copies the store at `argv[2]` to the URL `argv[3]`, says when the first records have gone, and waits for nothing.
import { argv, stdout } from "node:process";
import { locateStore } from "../../src/store/engines.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { FixedClock } from "../../src/testing/index.ts";
import { copyStore } from "../../src/transfer/index.ts";

const [, , from = "", to = ""] = argv;
const clock = new FixedClock();
const store = new SqliteStore(from, { clock, busyTimeoutMs: 0, bootId: "boot-1" });
await copyStore(store, await locateStore(to), {
  clock,
  onRecords: (part, records) => part === "usage" && stdout.write(`${records}\n`),
});
await store.close();
