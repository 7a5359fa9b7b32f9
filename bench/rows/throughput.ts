import { startEnvoy } from "../peers/envoy.ts";
import { startNginx } from "../peers/nginx.ts";
import { startBare, startHaproxy, startPortkey } from "../peers/peers.ts";
import { atLeast, atMost, type Figure, number } from "../support/figure.ts";
import { addClient, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { residentMiB } from "../support/resident.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median, ratios } from "../support/statistics.ts";
import { type Load, postScript, wrk } from "../support/wrk.ts";

const NAMES = ["bare", "governed", "envoy", "haproxy", "portkey"] as const;
type Name = (typeof NAMES)[number];

interface Sample extends Load {
  /** At the round's end, MiB. */
  readonly resident: number;
}

/** Everything governed: token verified, client state checked, exact limit counted, usage durable. */
export const throughput: Row = {
  name: "throughput",
  tools: ["taskset", "wrk", "nginx", "haproxy", "envoy", "peers"],
  measure: async ({ say, rounds, seconds }) => {
    const upstream = await startNginx();
    const home = prepareHome(upstream.url);
    const client = addClient(home, "bench");
    const gateway = await startGateway(home);
    const script = postScript([await tokenFor(gateway.url, client)]);
    const contenders = {
      bare: await startBare(upstream.url),
      governed: { ...gateway, url: `${gateway.url}/api/echo`, script },
      envoy: await startEnvoy(upstream.url),
      haproxy: await startHaproxy(upstream.url),
      portkey: await startPortkey(upstream.url),
    };
    const measured = async (name: Name, duration: number): Promise<Sample> => {
      const { url, script: how, pid } = contenders[name];
      const load = await wrk(url, how, { seconds: duration });
      return { ...load, resident: residentMiB(pid) };
    };
    const samples = await interleave<Name, Sample>(
      {
        bare: () => measured("bare", seconds),
        governed: () => measured("governed", seconds),
        envoy: () => measured("envoy", seconds),
        haproxy: () => measured("haproxy", seconds),
        portkey: () => measured("portkey", seconds),
      },
      rounds,
      (name) => measured(name, 3),
      ({ bare, governed, envoy }) => {
        const rate = ({ requestsPerSecond }: Sample): number => requestsPerSecond;
        return [bare, envoy].map((peer) => ratios(governed.map(rate), peer.map(rate)));
      },
    );
    const of = (name: Name, field: keyof Sample): number[] => samples[name].map((sample) => sample[field]);
    for (const name of NAMES) {
      const [rate, p50, p99, resident] = (["requestsPerSecond", "p50Ms", "p99Ms", "resident"] as const).map((field) =>
        number(median(of(name, field))),
      );
      say(`${name}: ${rate} requests/s, p50 ${p50} ms, p99 ${p99} ms, resident ${resident} MiB`);
    }
    const against = (peer: Name, field: keyof Sample, unit: string): Pick<Figure, "value" | "unit" | "from"> => ({
      ...ratioOf(of("governed", field), of(peer, field)),
      unit: "×",
      from: `${number(median(of("governed", field)))} against ${number(median(of(peer, field)))} ${unit}`,
    });
    const rate = (peer: Name): Pick<Figure, "value" | "unit" | "from"> =>
      against(peer, "requestsPerSecond", "requests/s");
    return [
      { what: "throughput, governed, one process, against bare", ...rate("bare"), target: atLeast(1, 1.2) },
      { what: "throughput against Portkey (ungoverned)", ...rate("portkey"), target: atLeast(11, 14) },
      { what: "throughput against Envoy (JWT, limit, access log)", ...rate("envoy") },
      {
        what: "throughput against HAProxy (JWT, stick table; nothing recorded)",
        ...rate("haproxy"),
        target: atLeast(0.5, 0.6),
      },
      { what: "p99 at that load, against bare", ...against("bare", "p99Ms", "ms"), target: atMost(1.2, 1) },
      { what: "p99 at that load, against Envoy", ...against("envoy", "p99Ms", "ms"), target: atMost(1, 1) },
      { what: "p99 at that load, against HAProxy", ...against("haproxy", "p99Ms", "ms") },
      { what: "resident memory at that load, against Envoy", ...against("envoy", "resident", "MiB") },
    ];
  },
};
