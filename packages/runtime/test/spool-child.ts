// Records calls of the client `argv[3]` on a store that is away, with a spool in `argv[2]`, and prints the number of
// each call, until it is killed.
import { argv, stdout } from "node:process";
import { AigwError, type TrafficStore } from "@aigw/core";
import { UsageSpool } from "@aigw/core/spool";
import { anEvent } from "@aigw/core/testing";
import { UsageRecorder } from "../src/metering/usage-recorder.ts";

const [, , folder = "", client = ""] = argv;
const away = async (): Promise<never> => {
  throw new AigwError("store_unavailable", "away");
};
const recorder = new UsageRecorder({
  traffic: { recordUsage: away, recordTokens: away } as unknown as TrafficStore,
  spool: new UsageSpool({ folder, id: `gw-${process.pid}`, onProblem: ({ kind }) => stdout.write(`${kind}\n`) }),
  onFault: () => undefined,
  onRecovered: () => undefined,
});
recorder.start();
let number = 0;
setInterval(() => {
  for (let i = 0; i < 20; i += 1) {
    number += 1;
    recorder.record(anEvent({ id: `${client}.${number}`, client, at: Date.now() }));
  }
  stdout.write(`${number} ${performance.now()}\n`);
}, 10);
