import { type Drained, drainUnderLoad, startDraining } from "../../support/drained-gateway.ts";
import { atMost, never, type Row } from "../row.ts";

/** Long enough for slow readers to take what their services had given. */
const DRAIN_MS = 8_000;
const READERS = 10;
/** What ends a gateway besides: the lame-duck time before, the last words behind. */
const BESIDES_MS = 2_500;

export const drain: Row = {
  name: "drain",
  promise:
    "SIGTERM under load with open streams and slow readers, 20 times: /ready turns first, no short request fails, streams get the drain time, answers that were given are taken, usage stored, exit 0",
  minutes: 10,
  onMongodb: true,
  run: async (run) => {
    const times = run.size(20, 1);
    const all: Drained[] = [];
    for (let round = 0; round < times; round += 1) {
      all.push(await drainUnderLoad(run, await startDraining(run, DRAIN_MS), READERS));
    }
    const sum = (of: (drained: Drained) => number): number => all.reduce((total, drained) => total + of(drained), 0);
    for (const { failed, unrecorded } of all) for (const line of [...failed, ...unrecorded].slice(0, 5)) run.say(line);
    run.say(`${sum(({ untaken }) => untaken)} connections were reset that the gateway had never taken`);
    const served = sum((drained) => drained.served);
    const streamed = all.map(({ stream }) => stream.ms);
    return [
      never(
        "ends in which somebody was refused before /ready said no",
        all.filter(({ notReadyAt, refusedAt, readyStatus }) => notReadyAt >= refusedAt || readyStatus !== 503).length,
        times,
      ),
      never(
        "ends in which /health said anything but 200",
        sum(({ healthStatus }) => Number(healthStatus !== 200)),
        times,
      ),
      never(
        "short calls that failed",
        sum(({ failed }) => failed.length),
        served,
      ),
      never(
        "slow calls that failed",
        sum(({ slowStatus }) => Number(slowStatus !== 200)),
        times,
      ),
      {
        what: "drain time that a stream got, the least",
        seen: `${Math.round(Math.min(...streamed))} ms`,
        promised: `≥ ${DRAIN_MS} ms`,
        kept: Math.min(...streamed) >= DRAIN_MS,
      },
      atMost("and the most", Math.max(...streamed), DRAIN_MS + BESIDES_MS, "ms"),
      never(
        "cut streams that look complete",
        sum(({ stream }) => Number(stream.how !== "broken")),
        times,
      ),
      never(
        "slow readers whose answer was cut",
        sum(({ missing }) => missing.filter((bytes) => bytes !== 0).length),
        times * READERS,
      ),
      never(
        "calls whose usage is missing or wrong",
        sum(({ unrecorded }) => unrecorded.length),
        served,
      ),
      never(
        "ends with another exit code than 0",
        sum(({ code }) => Number(code !== 0)),
        times,
      ),
    ];
  },
};
