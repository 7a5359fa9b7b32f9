import { startNginx } from "../peers/nginx.ts";
import { startBare, startHaproxy, startPortkey } from "../peers/peers.ts";
import { atLeast, atMost, type Figure, number } from "../support/figure.ts";
import { addClient, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";
import { type Load, postScript, wrk } from "../support/wrk.ts";

/** Everything governed: token verified, client state checked, exact limit counted, usage durable. */
export const throughput: Row = {
  name: "throughput",
  tools: ["taskset", "wrk", "nginx", "haproxy", "peers"],
  measure: async ({ say, rounds, seconds }) => {
    const upstream = await startNginx();
    const home = prepareHome(upstream.url);
    const client = addClient(home, "bench");
    const gateway = await startGateway(home);
    const script = postScript([await tokenFor(gateway.url, client)]);
    const contenders = {
      bare: await startBare(upstream.url),
      governed: { url: `${gateway.url}/api/echo`, script },
      haproxy: await startHaproxy(upstream.url),
      portkey: await startPortkey(upstream.url),
    };
    const measured = (name: keyof typeof contenders, duration: number): Promise<Load> => {
      const { url, script: how } = contenders[name];
      return wrk(url, how, { seconds: duration });
    };
    const samples = await interleave(
      {
        bare: () => measured("bare", seconds),
        governed: () => measured("governed", seconds),
        haproxy: () => measured("haproxy", seconds),
        portkey: () => measured("portkey", seconds),
      },
      rounds,
      (name) => measured(name, 3),
    );
    const rates = (name: keyof typeof samples): number[] => samples[name].map((load) => load.requestsPerSecond);
    const p99s = (name: keyof typeof samples): number[] => samples[name].map((load) => load.p99Ms);
    for (const name of ["bare", "governed", "haproxy", "portkey"] as const) {
      say(`${name}: ${number(median(rates(name)))} requests/s, p99 ${number(median(p99s(name)))} ms`);
    }
    const against = (peer: keyof typeof samples): Pick<Figure, "value" | "spread" | "unit" | "from"> => ({
      ...ratioOf(rates("governed"), rates(peer)),
      unit: "×",
      from: `${number(median(rates("governed")))} against ${number(median(rates(peer)))} requests/s`,
    });
    return [
      { what: "throughput, governed, one process, against bare", ...against("bare"), target: atLeast(0.8, 1) },
      { what: "throughput against Portkey (ungoverned)", ...against("portkey"), target: atLeast(8, 12) },
      { what: "throughput against HAProxy (nothing recorded)", ...against("haproxy") },
      {
        what: "p99 at that load, against bare",
        ...ratioOf(p99s("governed"), p99s("bare")),
        unit: "×",
        from: `${number(median(p99s("governed")))} against ${number(median(p99s("bare")))} ms`,
        target: atMost(1.3, 1),
      },
    ];
  },
};
