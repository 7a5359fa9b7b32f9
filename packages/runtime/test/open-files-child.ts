import { closeSync, openSync } from "node:fs";
import { systemClock } from "@aigw/core/clock";
import { isAigwError } from "@aigw/core/errors";
import { openStore } from "@aigw/core/store";
import { probeService } from "../src/probe.ts";

/** With every descriptor taken, and with one free again: what is said of a service and of the store. */
const [storeUrl = ""] = process.argv.slice(2);

const store = async (): Promise<string> => {
  try {
    await (await openStore(storeUrl, { clock: systemClock })).close();
    return "opened";
  } catch (error) {
    return isAigwError(error) ? `${error.code}: ${error.message}` : String(error);
  }
};
const look = async (): Promise<readonly unknown[]> => [
  await probeService("http://127.0.0.1:1", 2_000),
  await probeService("http://localhost:1", 2_000),
  await store(),
];

const before = await look();
const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // All.
}
const without = await look();
for (const descriptor of taken) closeSync(descriptor);
process.stdout.write(JSON.stringify({ before, without, after: await look() }));
