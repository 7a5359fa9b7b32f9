import type { Latencies, LoadActs } from "../peers/load.ts";
import { startNginx } from "../peers/nginx.ts";
import { atMost, type Figure, number } from "../support/figure.ts";
import { addClient, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { startPeer } from "../support/peer.ts";
import { differenceOf, interleave } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";

const PER_SECOND = 500;

/**
 * At a load far below what either can do: what a single call waits longer for going through the gateway. Requests leave
 * by a schedule, one every 2 ms, and their latency counts from it, so that a stall is not hidden by sending less.
 */
export const latency: Row = {
  name: "latency",
  tools: ["taskset", "nginx"],
  measure: async ({ say, rounds, seconds }) => {
    const upstream = await startNginx();
    const home = prepareHome(upstream.url);
    const client = addClient(home, "bench");
    const gateway = await startGateway(home);
    const token = await tokenFor(gateway.url, client);
    const load = startPeer<LoadActs>("load.ts");
    const urls = { direct: `${upstream.url}/`, gateway: `${gateway.url}/api/echo` };
    const measured = (name: keyof typeof urls, duration: number): Promise<Latencies> =>
      load.ask("constant", { url: urls[name], token, perSecond: PER_SECOND, seconds: duration });
    const samples = await interleave(
      { direct: () => measured("direct", seconds), gateway: () => measured("gateway", seconds) },
      rounds,
      (name) => measured(name, 3),
    );
    const of = (name: keyof typeof samples, field: "p50" | "p99" | "max" | "lateP99"): number[] =>
      samples[name].map((round) => round[field]);
    for (const name of ["direct", "gateway"] as const) {
      const [p50, p99, max] = (["p50", "p99", "max"] as const).map((field) => number(median(of(name, field))));
      say(
        `${name}: p50 ${p50} ms, p99 ${p99} ms, max ${max} ms; sent late, p99 ${number(median(of(name, "lateP99")))} ms`,
      );
    }
    const added = (field: "p50" | "p99"): Pick<Figure, "value" | "spread" | "unit" | "from"> => ({
      ...differenceOf(of("gateway", field), of("direct", field)),
      unit: "ms",
      from: `${number(median(of("gateway", field)))} against ${number(median(of("direct", field)))} ms`,
    });
    return [
      { what: `added latency at ${PER_SECOND} requests/s, p50`, ...added("p50"), target: atMost(0.5, 0.25) },
      { what: `added latency at ${PER_SECOND} requests/s, p99`, ...added("p99"), target: atMost(2, 1) },
    ];
  },
};
