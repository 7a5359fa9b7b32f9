import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { startReplicaSet } from "../../test/support/mongod.ts";
import type { Latencies, LoadActs } from "../peers/load.ts";
import { startNginx } from "../peers/nginx.ts";
import type { SeedActs } from "../peers/seed.ts";
import { cpuSeconds } from "../support/cpu-time.ts";
import { atLeast, atMost, type Figure, number } from "../support/figure.ts";
import { NO_LIMIT, startGateway, temporaryFolder } from "../support/home.ts";
import { askOnce, startPeer } from "../support/peer.ts";
import { LOAD_CORE } from "../support/processes.ts";
import { differenceOf, interleave, ratioOf } from "../support/rounds.ts";
import type { Effort, Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";
import { type Load, postScript, wrk } from "../support/wrk.ts";

/** The largest limit of which every permit is asked for, and as many clients as never reach it here. */
const [SMALL_LIMIT, CALLERS, PER_SECOND] = [120, 400, 500];

/** The store on a replica set of three on this machine, beside the file, or beside no gateway at all. */
export const mongodb: Row = {
  name: "mongodb",
  tools: ["taskset", "wrk", "nginx", "mongod"],
  measure: async (effort) => {
    const set = await startReplicaSet("mongod");
    const servers = set.members.map(({ process }) => process.pid ?? 0);
    for (const pid of servers) spawnSync("taskset", ["-apc", LOAD_CORE, String(pid)]);
    try {
      return [
        ...(await throughput(effort, set.uri("aigw_throughput"), servers)),
        ...(await permits(effort, set.uri("aigw_permits"))),
      ];
    } finally {
      await set.stop();
    }
  },
};

type Started = { readonly url: string; readonly pid: number; readonly tokens: readonly string[] };

const start = async (upstream: string, clients: number, limit: number, storeUrl?: string): Promise<Started> => {
  const home = join(temporaryFolder(), "home");
  const store = storeUrl === undefined ? {} : { storeUrl };
  const input = { home, upstream, clients, limit, events: 0, tokens: clients, ...store };
  const tokens = await askOnce<SeedActs, "home">("seed.ts", "home", input);
  const { url, pid } = await startGateway(home, storeUrl === undefined ? [] : ["--store", storeUrl]);
  return { url: `${url}/api/echo`, pid, tokens };
};

interface Round extends Load {
  readonly microseconds: number;
  /** Of the servers, as a share of one core. */
  readonly servers: number;
}

const throughput = async ({ say, rounds, seconds }: Effort, storeUrl: string, servers: readonly number[]) => {
  const upstream = await startNginx();
  const gateways = {
    file: await start(upstream.url, 1, NO_LIMIT),
    mongodb: await start(upstream.url, 1, NO_LIMIT, storeUrl),
  };
  const ofServers = (): number => servers.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const measured = async (name: keyof typeof gateways, duration: number): Promise<Round> => {
    const { url, pid, tokens } = gateways[name];
    const before = { own: cpuSeconds(pid), servers: ofServers() };
    const load = await wrk(url, postScript(tokens), { seconds: duration });
    const own = cpuSeconds(pid) - before.own;
    return {
      ...load,
      microseconds: (own * 1e6) / (load.requestsPerSecond * duration),
      servers: (ofServers() - before.servers) / duration,
    };
  };
  const samples = await interleave(
    { file: () => measured("file", seconds), mongodb: () => measured("mongodb", seconds) },
    rounds,
    (name) => measured(name, 3),
  );
  const of = (name: keyof typeof samples, field: keyof Round): number[] => samples[name].map((round) => round[field]);
  for (const name of ["file", "mongodb"] as const) {
    const [rate, p99, own, share] = (["requestsPerSecond", "p99Ms", "microseconds", "servers"] as const).map((field) =>
      number(median(of(name, field))),
    );
    say(`${name}: ${rate} requests/s, p99 ${p99} ms, ${own} µs a request; the servers ${share} of a core`);
  }
  const against = (field: "requestsPerSecond" | "microseconds"): Pick<Figure, "value" | "spread" | "unit"> => ({
    ...ratioOf(of("mongodb", field), of("file", field)),
    unit: "×",
  });
  const from = (field: "requestsPerSecond" | "microseconds", unit: string): string =>
    `${number(median(of("mongodb", field)))} against ${number(median(of("file", field)))} ${unit}`;
  return [
    {
      what: "MongoDB: throughput without a practical limit, against SQLite",
      ...against("requestsPerSecond"),
      from: from("requestsPerSecond", "requests/s"),
      target: atLeast(0.95, 1),
    },
    {
      what: "MongoDB: the gateway's processor time for a request, against SQLite",
      ...against("microseconds"),
      from: from("microseconds", "µs"),
    },
  ];
};

const permits = async ({ say, rounds, seconds }: Effort, storeUrl: string): Promise<readonly Figure[]> => {
  const upstream = await startNginx();
  const { url, tokens } = await start(upstream.url, CALLERS, SMALL_LIMIT, storeUrl);
  const load = startPeer<LoadActs>("load.ts");
  const urls = { direct: `${upstream.url}/`, gateway: url };
  const measured = (name: keyof typeof urls, duration: number): Promise<Latencies> =>
    load.ask("constant", { url: urls[name], token: "", tokens, perSecond: PER_SECOND, seconds: duration });
  const samples = await interleave(
    { direct: () => measured("direct", seconds), gateway: () => measured("gateway", seconds) },
    rounds,
    (name) => measured(name, 2),
  );
  const of = (name: keyof typeof samples, field: "p50" | "p99"): number[] => samples[name].map((round) => round[field]);
  const added = (field: "p50" | "p99"): Figure => ({
    what: `MongoDB: added latency at ${PER_SECOND} requests/s, every permit asked for, ${field}`,
    ...differenceOf(of("gateway", field), of("direct", field)),
    unit: "ms",
    from: `${number(median(of("gateway", field)))} against ${number(median(of("direct", field)))} ms`,
    target: field === "p50" ? atMost(3, 1.5) : atMost(10, 5),
  });
  const figures = [added("p50"), added("p99")];
  for (const { what, from } of figures) say(`${what}: ${from}`);
  return figures;
};
