import type { Latencies, LoadActs } from "../peers/load.ts";
import { startNginx } from "../peers/nginx.ts";
import { atMost, type Figure, number } from "../support/figure.ts";
import { addClient, aigw, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { startPeer } from "../support/peer.ts";
import { differenceOf, interleave } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";

const PER_SECOND = 200;
/** Of a single slot: so few calls that hardly one comes while another has it. */
const FEW_PER_SECOND = 50;

/**
 * What a call waits longer for having a slot of a service's queue, where there is always one: services on the same
 * upstream through one gateway, of which some take only so many calls at once. Beside another gateway the slots of one
 * stay where they are for the next call; the only slot of the other is given back behind each call, so that each has to
 * get it from the store.
 */
export const queue: Row = {
  name: "queue",
  tools: ["taskset", "nginx"],
  measure: async ({ say, rounds, seconds }) => {
    const upstream = await startNginx();
    const home = prepareHome(upstream.url);
    aigw(home, "service", "add", "queued", upstream.url, "--concurrency", "8");
    aigw(home, "service", "add", "single", upstream.url, "--concurrency", "1");
    const client = addClient(home, "bench");
    const gateway = await startGateway(home);
    await startGateway(home);
    const token = await tokenFor(gateway.url, client);
    const load = startPeer<LoadActs>("load.ts");
    const urls = {
      free: `${gateway.url}/api/echo`,
      queued: `${gateway.url}/api/queued`,
      single: `${gateway.url}/api/single`,
    };
    const perSecond = { free: PER_SECOND, queued: PER_SECOND, single: FEW_PER_SECOND };
    const measured = (name: keyof typeof urls, duration: number): Promise<Latencies> =>
      load.ask("constant", { url: urls[name], token, perSecond: perSecond[name], seconds: duration });
    const samples = await interleave(
      {
        free: () => measured("free", seconds),
        queued: () => measured("queued", seconds),
        single: () => measured("single", seconds),
      },
      rounds,
      (name) => measured(name, 2),
    );
    const of = (name: keyof typeof samples, field: "p50" | "p99"): number[] =>
      samples[name].map((round) => round[field]);
    for (const name of ["free", "queued", "single"] as const)
      say(`${name}: p50 ${number(median(of(name, "p50")))} ms, p99 ${number(median(of(name, "p99")))} ms`);
    const added = (
      field: "p50" | "p99",
      name: "queued" | "single" = "queued",
    ): Pick<Figure, "value" | "spread" | "unit" | "from"> => ({
      ...differenceOf(of(name, field), of("free", field)),
      unit: "ms",
      from: `${number(median(of(name, field)))} against ${number(median(of("free", field)))} ms`,
    });
    return [
      {
        what: `a slot of an idle service: added latency at ${PER_SECOND} requests/s, p50`,
        ...added("p50"),
        target: atMost(1, 0.5),
      },
      { what: `a slot of an idle service: added latency at ${PER_SECOND} requests/s, p99`, ...added("p99") },
      {
        what: `a slot that has to be got from the store: added latency at ${FEW_PER_SECOND} requests/s, p50`,
        ...added("p50", "single"),
        target: atMost(5, 1),
      },
    ];
  },
};
