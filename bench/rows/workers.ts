import { cpus } from "node:os";
import { startNginx } from "../peers/nginx.ts";
import { cpuSeconds } from "../support/cpu-time.ts";
import { atLeast, number } from "../support/figure.ts";
import { addClient, type Gateway, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { GATEWAY_CORE } from "../support/processes.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";
import { type Load, postScript, wrk } from "../support/wrk.ts";

/** With two cores the second worker shares one with whoever asks and whoever answers. */
const CORES = cpus().length;
const TWO = CORES >= 4 ? "1,2" : "0,1";
const WRK_CORE = CORES >= 4 ? "3" : "0";

interface Sample extends Load {
  /** Processor time of all the gateway's processes, microseconds a request. */
  readonly cpuUs: number;
}

/** `--workers 2` against one process. */
export const workers: Row = {
  name: "workers",
  tools: ["taskset", "wrk", "nginx"],
  measure: async ({ say, rounds, seconds }) => {
    const upstream = await startNginx();
    const contender = async (args: readonly string[], core: string): Promise<(s: number) => Promise<Sample>> => {
      const home = prepareHome(upstream.url);
      const client = addClient(home, "bench");
      const gateway = await startGateway(home, args, core);
      const script = postScript([await tokenFor(gateway.url, client)]);
      return (duration) => measured(gateway, script, duration);
    };
    const loads = { one: await contender([], GATEWAY_CORE), two: await contender(["--workers", "2"], TWO) };
    const samples = await interleave(
      { one: () => loads.one(seconds), two: () => loads.two(seconds) },
      rounds,
      (which) => loads[which](3),
    );
    const rates = (which: keyof typeof samples): number[] => samples[which].map((load) => load.requestsPerSecond);
    const costs = (which: keyof typeof samples): number[] => samples[which].map((load) => load.cpuUs);
    const cost = { one: median(costs("one")), two: median(costs("two")) };
    say(`processor time a request: ${number(cost.one)} µs with one, ${number(cost.two)} µs with two`);
    const perSecond = ratioOf(costs("one"), costs("two"));
    return [
      {
        what: `two workers against one, on ${CORES} cores with load and upstream`,
        ...ratioOf(rates("two"), rates("one")),
        unit: "×",
        from: `${number(median(rates("two")))} against ${number(median(rates("one")))} requests/s`,
        target: atLeast(1.7, 1.9),
      },
      {
        what: "two workers against one, by processor time: what two free cores would give",
        value: 2 * perSecond.value,
        spread: [2 * perSecond.spread[0], 2 * perSecond.spread[1]],
        unit: "×",
        from: `2 × ${number(cost.one)} / ${number(cost.two)} µs a request`,
      },
    ];
  },
};

const measured = async (gateway: Gateway, script: string, seconds: number): Promise<Sample> => {
  const before = cpuSeconds(gateway.pid);
  const load = await wrk(`${gateway.url}/api/echo`, script, { seconds, core: WRK_CORE });
  const used = cpuSeconds(gateway.pid) - before;
  return { ...load, cpuUs: (used * 1e6) / (load.requestsPerSecond * seconds) };
};
