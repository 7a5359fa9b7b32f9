import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { LoadActs } from "../peers/load.ts";
import { startNginx } from "../peers/nginx.ts";
import type { SeedActs } from "../peers/seed.ts";
import { atMost, type Figure, number } from "../support/figure.ts";
import { startWeighed } from "../support/heap.ts";
import { type Gateway, startGateway, temporaryFolder } from "../support/home.ts";
import { askOnce } from "../support/peer.ts";
import { residentMiB } from "../support/resident.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Effort, Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";
import { type Load, postScript, wrk } from "../support/wrk.ts";

interface Size {
  readonly clients: number;
  readonly events?: number;
  readonly tokens?: number;
}

interface Filled {
  readonly home: string;
  readonly tokens: readonly string[];
}

/** What it costs that there is more of something: two sizes of each, two gateways on the same core, in turn. */
export const growth: Row = {
  name: "growth",
  tools: ["taskset", "wrk", "nginx"],
  measure: async (effort) => {
    const { url: upstream } = await startNginx();
    const fill = async ({ clients, events = 0, tokens = 1 }: Size): Promise<Filled> => {
      const home = join(temporaryFolder(), "home");
      const input = { home, upstream, clients, events, tokens };
      return { home, tokens: await askOnce<SeedActs, "home">("seed.ts", "home", input) };
    };
    return [
      ...(await clientsGrow(fill, effort)),
      ...(await eventsGrow(fill, effort)),
      ...(await tokensGrow(await fill({ clients: TOKENS.many, tokens: TOKENS.many }))),
    ];
  },
};

type Fill = (size: Size) => Promise<Filled>;

/** `few` and `many` in turn, after both have been warmed up. */
const compare = async (
  gateways: Readonly<Record<"few" | "many", Gateway>>,
  tokens: Readonly<Record<"few" | "many", string>>,
  { rounds, seconds }: Effort,
): Promise<Record<"few" | "many", Load[]>> => {
  const load = (name: "few" | "many", duration: number): Promise<Load> =>
    wrk(`${gateways[name].url}/api/echo`, postScript([tokens[name]]), { seconds: duration });
  return interleave({ few: () => load("few", seconds), many: () => load("many", seconds) }, rounds, (name) =>
    load(name, 3),
  );
};

const rates = (loads: readonly Load[]): number[] => loads.map((load) => load.requestsPerSecond);

const throughputChange = (what: string, { few, many }: Readonly<Record<"few" | "many", readonly Load[]>>): Figure => {
  const { value, spread } = ratioOf(rates(many), rates(few));
  const less = (ratio: number): number => (1 - ratio) * 100;
  return {
    what: `${what}: throughput lost`,
    value: less(value),
    spread: [less(spread[1]), less(spread[0])],
    unit: "%",
    target: atMost(5, 0),
    from: `${number(median(rates(many)))} against ${number(median(rates(few)))} requests/s`,
  };
};

const CLIENTS = { few: 1_000, many: 100_000 };

const clientsGrow = async (fill: Fill, effort: Effort): Promise<readonly Figure[]> => {
  const homes = { few: await fill({ clients: CLIENTS.few }), many: await fill({ clients: CLIENTS.many }) };
  const gateways = { few: await startGateway(homes.few.home), many: await startGateway(homes.many.home) };
  const tokens = { few: homes.few.tokens[0] ?? "", many: homes.many.tokens[0] ?? "" };
  const loads = await compare(gateways, tokens, effort);
  const resident = { few: residentMiB(gateways.few.pid), many: residentMiB(gateways.many.pid) };
  await Promise.all([gateways.few.stop(), gateways.many.stop()]);
  const heapOf = async (name: "few" | "many"): Promise<number> => {
    const gateway = await startWeighed(homes[name].home);
    const heap = await gateway.heapInUse();
    await gateway.stop();
    return heap;
  };
  const more = CLIENTS.many - CLIENTS.few;
  const heap = { few: await heapOf("few"), many: await heapOf("many") };
  const each = (heap.many - heap.few) / more;
  const onDisk =
    (statSync(join(homes.many.home, "aigw.db")).size - statSync(join(homes.few.home, "aigw.db")).size) / more;
  const what = `${number(CLIENTS.many)} clients in the store, against ${number(CLIENTS.few)}`;
  return [
    throughputChange(what, loads),
    {
      what: `${what}: resident memory growth`,
      value: resident.many - resident.few,
      unit: "MiB",
      target: atMost(80, 40),
      from: `${number(resident.many)} against ${number(resident.few)} MiB after the same load`,
    },
    {
      what: "memory of a client",
      value: each,
      unit: "bytes",
      from: `${number(heap.many / 2 ** 20)} against ${number(heap.few / 2 ** 20)} MiB of heap and buffers in use; on disk ${number(onDisk)} bytes`,
    },
  ];
};

const EVENTS = { few: 10_000, many: 1_000_000 };
const QUICK_EVENTS = { few: 10_000, many: 200_000 };

const eventsGrow = async (fill: Fill, effort: Effort): Promise<readonly Figure[]> => {
  const events = effort.rounds >= 5 ? EVENTS : QUICK_EVENTS;
  const homes = {
    few: await fill({ clients: 100, events: events.few }),
    many: await fill({ clients: 100, events: events.many }),
  };
  const size = (name: "few" | "many"): number => statSync(join(homes[name].home, "aigw.usage.db")).size;
  const each = (size("many") - size("few")) / (events.many - events.few);
  const gateways = { few: await startGateway(homes.few.home), many: await startGateway(homes.many.home) };
  const tokens = { few: homes.few.tokens[0] ?? "", many: homes.many.tokens[0] ?? "" };
  const loads = await compare(gateways, tokens, effort);
  await Promise.all([gateways.few.stop(), gateways.many.stop()]);
  const p99s = (name: "few" | "many"): number[] => loads[name].map((load) => load.p99Ms);
  const what = `${number(events.many)} usage events in the store, against ${number(events.few)}`;
  return [
    throughputChange(what, loads),
    {
      what: `${what}: p99`,
      ...ratioOf(p99s("many"), p99s("few")),
      unit: "×",
      from: `${number(median(p99s("many")))} against ${number(median(p99s("few")))} ms`,
    },
    {
      what: "disk space of a usage event",
      value: each,
      unit: "bytes",
      from: `${number(size("many") / 2 ** 20)} against ${number(size("few") / 2 ** 20)} MiB, with the sums for reports`,
    },
  ];
};

const TOKENS = { few: 1_000, many: 10_000 };

/** One gateway: with the first tokens used, then with all of them; each of another client. */
const tokensGrow = async ({ home, tokens }: Filled): Promise<readonly Figure[]> => {
  const gateway = await startWeighed(home);
  const url = `${gateway.url}/api/echo`;
  const use = async (some: readonly string[]): Promise<number> => {
    await askOnce<LoadActs, "eachToken">("load.ts", "eachToken", { url, tokens: some });
    // Until their usage is stored.
    await delay(1_000);
    return gateway.heapInUse();
  };
  await use(tokens.slice(0, TOKENS.few));
  // Again: by now everything is compiled that is compiled once.
  const few = await use(tokens.slice(0, TOKENS.few));
  const many = await use(tokens);
  await gateway.stop();
  return [
    {
      what: "memory of a remembered token, with its client's permits",
      value: (many - few) / (TOKENS.many - TOKENS.few),
      unit: "bytes",
      from: `${number(many / 2 ** 20)} against ${number(few / 2 ** 20)} MiB of heap in use, ${number(TOKENS.many)} against ${number(TOKENS.few)} tokens`,
    },
  ];
};
