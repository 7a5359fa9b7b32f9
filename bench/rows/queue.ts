import type { Latencies, LoadActs } from "../peers/load.ts";
import { startNginx } from "../peers/nginx.ts";
import { atMost, type Figure, number } from "../support/figure.ts";
import { addClient, aigw, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { startPeer } from "../support/peer.ts";
import { differenceOf, interleave } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";

const PER_SECOND = 200;

/**
 * What a call waits longer for having a slot of a service's queue, where there is always one: two services on the same
 * upstream through one gateway, of which one takes only so many calls at once.
 */
export const queue: Row = {
  name: "queue",
  tools: ["taskset", "nginx"],
  measure: async ({ say, rounds, seconds }) => {
    const upstream = await startNginx();
    const home = prepareHome(upstream.url);
    aigw(home, "service", "add", "queued", upstream.url, "--concurrency", "8");
    const client = addClient(home, "bench");
    const gateway = await startGateway(home);
    const token = await tokenFor(gateway.url, client);
    const load = startPeer<LoadActs>("load.ts");
    const urls = { free: `${gateway.url}/api/echo`, queued: `${gateway.url}/api/queued` };
    const measured = (name: keyof typeof urls, duration: number): Promise<Latencies> =>
      load.ask("constant", { url: urls[name], token, perSecond: PER_SECOND, seconds: duration });
    const samples = await interleave(
      { free: () => measured("free", seconds), queued: () => measured("queued", seconds) },
      rounds,
      (name) => measured(name, 2),
    );
    const of = (name: keyof typeof samples, field: "p50" | "p99"): number[] =>
      samples[name].map((round) => round[field]);
    for (const name of ["free", "queued"] as const)
      say(`${name}: p50 ${number(median(of(name, "p50")))} ms, p99 ${number(median(of(name, "p99")))} ms`);
    const added = (field: "p50" | "p99"): Pick<Figure, "value" | "spread" | "unit" | "from"> => ({
      ...differenceOf(of("queued", field), of("free", field)),
      unit: "ms",
      from: `${number(median(of("queued", field)))} against ${number(median(of("free", field)))} ms`,
    });
    return [
      {
        what: `a slot of an idle service: added latency at ${PER_SECOND} requests/s, p50`,
        ...added("p50"),
        target: atMost(1, 0.5),
      },
      { what: `a slot of an idle service: added latency at ${PER_SECOND} requests/s, p99`, ...added("p99") },
    ];
  },
};
