import { setTimeout as delay } from "node:timers/promises";
import type { Following, StreamActs } from "../peers/stream-client.ts";
import type { UpstreamActs } from "../peers/upstream.ts";
import { atLeast, atMost, type Figure, number } from "../support/figure.ts";
import { AT_ONCE, firstByteOf } from "../support/first-byte.ts";
import { addClient, type Gateway, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { bytesInKernel } from "../support/kernel-queues.ts";
import { type Peer, startPeer } from "../support/peer.ts";
import { until } from "../support/processes.ts";
import { mostOpenFiles, residentMiB } from "../support/resident.ts";
import { differenceOf, interleave } from "../support/rounds.ts";
import type { Effort, Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";

interface Scene {
  readonly upstream: Peer<UpstreamActs>;
  readonly upstreamUrl: string;
  readonly client: Peer<StreamActs>;
  readonly home: string;
  readonly token: string;
}

/** Event streams: what the first byte waits longer, and how many one gateway holds. */
export const streams: Row = {
  name: "streams",
  tools: ["taskset"],
  measure: async (effort) => {
    const upstream = startPeer<UpstreamActs>("upstream.ts");
    const upstreamUrl = await upstream.ask("listen");
    const home = prepareHome(upstreamUrl);
    const credentials = addClient(home, "bench");
    const gateway = await startGateway(home);
    const token = await tokenFor(gateway.url, credentials);
    const scene = { upstream, upstreamUrl, client: startPeer<StreamActs>("stream-client.ts"), home, token };
    const figures = await firstBytes(scene, gateway, effort);
    await gateway.stop();
    return [...figures, ...(await held(scene, effort))];
  },
};

const firstBytes = async (
  { client, upstreamUrl, token }: Scene,
  gateway: Gateway,
  { say, rounds, seconds }: Effort,
): Promise<readonly Figure[]> => {
  const urls = { direct: upstreamUrl, gateway: `${gateway.url}/api/echo` };
  const round = (name: keyof typeof urls) => firstByteOf(client, { url: urls[name], token }, seconds * 2);
  const samples = await interleave({ direct: () => round("direct"), gateway: () => round("gateway") }, rounds, (name) =>
    round(name),
  );
  const of = (name: keyof typeof samples, share: "p50" | "p99", from: "write" | "request"): number[] =>
    samples[name].map((sample) => sample[share][from]);
  for (const name of ["direct", "gateway"] as const) {
    const told = (from: "write" | "request"): string =>
      `p50 ${number(median(of(name, "p50", from)))} ms, p99 ${number(median(of(name, "p99", from)))} ms`;
    say(
      `${name}: first byte after the upstream's first write: ${told("write")}; after the request: ${told("request")}`,
    );
  }
  const added = (from: "write" | "request"): Pick<Figure, "value" | "spread" | "unit" | "from"> => ({
    ...differenceOf(of("gateway", "p99", from), of("direct", "p99", from)),
    unit: "ms",
    from: `${number(median(of("gateway", "p99", from)))} against ${number(median(of("direct", "p99", from)))} ms`,
  });
  return [
    {
      what: `first byte of an event stream, added, p99, ${AT_ONCE} streams at once, from the upstream's writing it`,
      ...added("write"),
      target: atMost(5, 1),
    },
    {
      what: `the same from the request, all ${AT_ONCE} sent in one moment, less the upstream's thinking`,
      ...added("request"),
    },
  ];
};

/** Events a second over all streams, while they are held. */
const EVENT_RATE = 1_000;
const BAR = 2_000;
const GOAL = 10_000;
/** Files of the gateway that are not streams. */
const OTHER_FILES = 200;

interface Holding {
  readonly count: number;
  readonly whole: boolean;
  readonly kibEach: number;
  readonly after: Following;
  readonly slow: Slow;
}

interface Slow {
  /** The upstream could write no more while nobody read. */
  readonly stopped: boolean;
  /** Between the two sides' kernels, MiB. */
  readonly heldMiB: number;
  readonly complete: boolean;
}

const held = async (scene: Scene, { say, seconds, rounds }: Effort): Promise<readonly Figure[]> => {
  const thorough = rounds >= 5;
  const possible = Math.floor((mostOpenFiles(process.pid) - OTHER_FILES) / 2);
  const most = Math.min(GOAL, possible);
  if (thorough && most < GOAL) say(`the limit of open files allows one gateway ${most} streams, two files each`);
  let best: Holding | undefined;
  for (const count of thorough ? [BAR, most] : [Math.min(BAR, possible)]) {
    // A new one each time: what it holds in memory, and its open files, are then those of these streams.
    const gateway = await startGateway(scene.home);
    const holding = await hold(scene, gateway, count, Math.max(6, seconds * 3));
    await gateway.stop();
    const { after, kibEach, slow } = holding;
    say(
      `${count} streams: ${after.events} events, ${after.ended} ended whole; delay p50 ${number(after.p50)} ms, p99 ${number(after.p99)} ms, max ${number(after.max)} ms; ${number(kibEach)} KiB each; slow reader: ${number(slow.heldMiB)} MiB in the gateway, upstream ${slow.stopped ? "held back" : "NOT held back"}, ${slow.complete ? "complete" : "NOT complete"} in the end`,
    );
    for (const fault of after.faults) say(fault);
    if (!holding.whole) break;
    best = holding;
  }
  if (best === undefined) throw new Error(`not even ${BAR} streams were held: see the faults above`);
  return [
    {
      what: "open event streams held by one gateway, each event delivered in order",
      value: best.count,
      unit: "",
      target: atLeast(BAR, GOAL),
      from: `${best.after.events} events, p99 ${number(best.after.p99)} ms from the upstream's writing them${best.count === most && most < GOAL ? "; more needs a higher limit of open files" : ""}`,
    },
    {
      what: "resident memory of a held stream",
      value: best.kibEach / 1024,
      unit: "MiB",
      from: `${number(best.kibEach)} KiB each of ${best.count}`,
    },
    {
      what: "held in the gateway for a slow reader among them",
      value: best.slow.heldMiB,
      unit: "MiB",
      target: atMost(1, 1),
      from: "what the upstream could write, less what lies in the kernel's queues",
    },
  ];
};

const hold = async (scene: Scene, gateway: Gateway, count: number, seconds: number): Promise<Holding> => {
  const { client, upstream, token } = scene;
  const target = { url: `${gateway.url}/api/echo`, token };
  const before = residentMiB(gateway.pid);
  await client.ask("open", { ...target, streams: count, everyMs: (count / EVENT_RATE) * 1_000 });
  const slowPort = await client.ask("openSlow", target);
  const seen = await client.ask("look");
  const there = await upstream.ask("held");
  const slow = await stalled(scene, slowPort);
  await delay(seconds * 1_000);
  const kibEach = ((residentMiB(gateway.pid) - before) * 1_024) / count;
  const after = await client.ask("look");
  const written = await upstream.ask("endFlood");
  const read = await client.ask("readSlow");
  const finished = await upstream.ask("finish");
  const end = await until(
    "the streams' ends",
    async () => {
      const now = await client.ask("look");
      return now.ended === count ? now : undefined;
    },
    60_000,
  );
  const faultless = end.faults.length === 0 && seen.open === count && there === count && finished === count;
  return {
    count,
    whole: faultless && slow.stopped && slow.heldMiB <= 1 && read === written,
    kibEach,
    after: { ...after, events: end.events, ended: end.ended, faults: end.faults },
    slow: { ...slow, complete: read === written },
  };
};

/** Waits until the upstream can write no more. */
const stalled = async ({ upstream }: Scene, slowPort: number): Promise<Omit<Slow, "complete">> => {
  let last = -1;
  for (let look = 0; look < 30; look += 1) {
    const { bytes, port } = await upstream.ask("flooded");
    if (bytes === last) {
      return { stopped: true, heldMiB: Math.max(0, bytes - bytesInKernel([slowPort, port])) / 2 ** 20 };
    }
    last = bytes;
    await delay(500);
  }
  return { stopped: false, heldMiB: Number.NaN };
};
