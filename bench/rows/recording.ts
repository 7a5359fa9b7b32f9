import { resolve } from "node:path";
import { startNginx } from "../peers/nginx.ts";
import { atLeast, type Figure, number } from "../support/figure.ts";
import { addClient, cleanEnv, prepareHome, tokenFor } from "../support/home.ts";
import { BENCH } from "../support/machine.ts";
import { GATEWAY_CORE, startPinned, until } from "../support/processes.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";
import { type Load, postScript, wrk } from "../support/wrk.ts";

const WAYS = ["off", "main", "thread"] as const;
type Way = (typeof WAYS)[number];

/** What storing usage costs, and what it would in a thread of its own. */
export const recording: Row = {
  name: "recording",
  tools: ["taskset", "wrk", "nginx"],
  measure: async ({ say, rounds, seconds }) => {
    const upstream = await startNginx();
    const loads = Object.fromEntries(
      await Promise.all(WAYS.map(async (way) => [way, await prepared(way, upstream.url)] as const)),
    ) as Record<Way, (seconds: number) => Promise<Load>>;
    const samples = await interleave(
      { off: () => loads.off(seconds), main: () => loads.main(seconds), thread: () => loads.thread(seconds) },
      rounds,
      (way) => loads[way](3),
    );
    const rates = (way: Way): number[] => samples[way].map((load) => load.requestsPerSecond);
    for (const way of WAYS) {
      const p99 = median(samples[way].map((load) => load.p99Ms));
      say(`recording ${way}: ${number(median(rates(way)))} requests/s, p99 ${number(p99)} ms`);
    }
    const against = (ours: Way, theirs: Way): Pick<Figure, "value" | "spread" | "unit" | "from"> => ({
      ...ratioOf(rates(ours), rates(theirs)),
      unit: "×",
      from: `${number(median(rates(ours)))} against ${number(median(rates(theirs)))} requests/s`,
    });
    const p99s = (way: Way): number[] => samples[way].map((load) => load.p99Ms);
    return [
      {
        what: "recording usage: throughput with it on against off",
        ...against("main", "off"),
        target: atLeast(0.95, 0.99),
      },
      { what: "recording usage: throughput in a thread against off", ...against("thread", "off") },
      {
        what: "recording usage: p99 on the main thread against in a thread",
        ...ratioOf(p99s("main"), p99s("thread")),
        unit: "×",
        from: `${number(median(p99s("main")))} against ${number(median(p99s("thread")))} ms`,
      },
    ];
  },
};

const prepared = async (way: Way, upstream: string): Promise<(seconds: number) => Promise<Load>> => {
  const home = prepareHome(upstream);
  const client = addClient(home, "bench");
  const entry = resolve(BENCH, "peers/gateway-of-parts.ts");
  const gateway = startPinned(GATEWAY_CORE, process.execPath, [entry, home, way], cleanEnv(home));
  const url = await until(`the gateway (${way})`, () => /^http\S+(?=\n)/.exec(gateway.stdout())?.[0]);
  const script = postScript([await tokenFor(url, client)]);
  return (seconds) => wrk(`${url}/api/echo`, script, { seconds });
};
