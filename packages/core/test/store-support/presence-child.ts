// Reports the instances `argv[3]`, … in the store `argv[2]`, says so, and runs on until its stdin ends.
import { once } from "node:events";
import { argv, stdin, stdout } from "node:process";
import { systemClock } from "../../src/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import { anInstance } from "../../src/testing/index.ts";

const [, , url = "", ...ids] = argv;
const store = await openStore(url, { clock: systemClock, busyTimeoutMs: 0 });
for (const id of ids) await store.traffic.reportInstance(anInstance({ id }));
stdout.write("reported\n");
stdin.resume();
await once(stdin, "end");
await store.close();
