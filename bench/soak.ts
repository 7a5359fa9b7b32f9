/**
 * `node bench/soak.ts [--minutes 30] [--per-second 2000] [--mongod <path>]`: one gateway under steady load, while an
 * admin revokes and restores, rotates the secret, people log in and reports are asked for; with a MongoDB server as the
 * store, while that is killed and started again, too. Looked at every ten seconds: resident memory and the tail; every
 * thirty, between two looks, what the heap holds after a collection, which tells a leak from what V8 has not looked for.
 * In the end: whether memory grows by more than chance, and whether the tail does. Writes soak.json and soak.svg, or
 * soak-mongodb.json and soak-mongodb.svg; exits 1 when one of them grows, when a single call failed, and when it was too
 * short to tell.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ReplicaSet, startReplicaSet } from "../test/support/mongod.ts";
import type { LoadActs } from "./peers/load.ts";
import { startNginx } from "./peers/nginx.ts";
import type { SeedActs } from "./peers/seed.ts";
import { now } from "./support/clock.ts";
import { number } from "./support/figure.ts";
import { startWeighed } from "./support/heap.ts";
import { aigwAside, type Credentials, temporaryFolder, tokenFor } from "./support/home.ts";
import { BENCH, machine } from "./support/machine.ts";
import { askOnce, startPeer } from "./support/peer.ts";
import { plot } from "./support/plot.ts";
import { LOAD_CORE, stopAll } from "./support/processes.ts";
import { residentMiB } from "./support/resident.ts";
import { median, slopeOf } from "./support/statistics.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    "per-second": { type: "string", default: "2000" },
    mongod: { type: "string" },
  },
});
const minutes = Number(values.minutes);
const perSecond = Number(values["per-second"]);
const NAME = values.mongod === undefined ? "soak" : "soak-mongodb";

/** Of one look; a whole number of rounds of what is done beside the load. */
const WINDOW_S = 10;
/** Looks from one collection to the next: resident memory is to be what V8 makes of it. */
const WEIGHED_EVERY = 3;
const CLIENTS = 1_000;
const NO_LIMIT = 10_000_000;
const LOGINS = 10;
/** Of the store, evenly spread, where it is a server. */
const RESTARTS = 3;
/** What comes first fills caches and pools. */
const WARM_SHARE = 0.2;
/** With fewer looks behind the warm-up chance has too much to say. */
const ENOUGH_LOOKS = 12;
/** So much more in the last third than in the first is growth. */
const MOST_TAIL_GROWTH = 1.25;

interface Look {
  /** Minutes since the start. */
  readonly at: number;
  readonly residentMiB: number;
  /** After a collection, buffers included; of every {@link WEIGHED_EVERY}th. */
  readonly heapMiB?: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Place {
  readonly url: string;
  /** Of one server, which is the store. */
  readonly set: ReplicaSet | undefined;
  aigw(...args: readonly string[]): Promise<string>;
}

/** One after the other, for as long as the load runs; what fails ends the soak. */
const admin = async ({ url, set, aigw }: Place, others: readonly Credentials[], done: () => number) => {
  const [victim = ""] = others.map(({ username }) => username);
  const counts = { revocations: 0, rotations: 0, logins: 0, reports: 0, restarts: 0 };
  for (let round = 0; done() < 1; round += 1) {
    await aigw("client", "revoke", victim, "--yes");
    await aigw("client", "restore", victim, "--yes");
    counts.revocations += 1;
    if (round % 6 === 0) {
      await aigw("secret", "rotate", "--grace", "60m", "--yes");
      counts.rotations += 1;
    }
    await Promise.all(Array.from({ length: LOGINS }, (_, one) => tokenFor(url, others[1 + (one % 4)] as Credentials)));
    counts.logins += LOGINS;
    await aigw("usage", "report", "--by", "client");
    counts.reports += 1;
    const [server] = set?.members ?? [];
    if (server !== undefined && counts.restarts < RESTARTS && done() > (counts.restarts + 1) / (RESTARTS + 1)) {
      await server.kill();
      await server.restart();
      // A command gives a store five seconds, and an election takes up to twelve.
      await set?.primary();
      spawnSync("taskset", ["-apc", LOAD_CORE, String(server.process.pid)]);
      counts.restarts += 1;
    }
  }
  return counts;
};

const run = async (): Promise<boolean> => {
  const set = values.mongod === undefined ? undefined : await startReplicaSet(values.mongod, 1);
  try {
    return await soak(set);
  } finally {
    await set?.stop();
  }
};

const soak = async (set: ReplicaSet | undefined): Promise<boolean> => {
  const { url: upstream } = await startNginx();
  const home = join(temporaryFolder(), "home");
  const server = set?.members[0];
  if (server !== undefined) spawnSync("taskset", ["-apc", LOAD_CORE, String(server.process.pid)]);
  const storeUrl = set?.uri("aigw_soak");
  const store = storeUrl === undefined ? {} : { storeUrl };
  const input = { home, upstream, clients: CLIENTS, limit: NO_LIMIT, events: 0, tokens: CLIENTS, ...store };
  const tokens = await askOnce<SeedActs, "home">("seed.ts", "home", input);
  const storeArgs = storeUrl === undefined ? [] : ["--store", storeUrl];
  const aigw = (...args: readonly string[]): Promise<string> => aigwAside(home, ...args, ...storeArgs);
  const others: Credentials[] = [];
  for (const username of ["other-0", "other-1", "other-2", "other-3", "other-4"]) {
    const password = await aigw("client", "add", username, "--limit", String(NO_LIMIT), "-q");
    others.push({ username, password: password.trim() });
  }
  const gateway = await startWeighed(home, storeArgs);
  const load = startPeer<LoadActs>("load.ts");
  const started = now();
  const until = started + minutes * 60_000;
  let over = false;
  const done = (): number => (over ? 1 : (now() - started) / (until - started));
  const acts = admin({ url: gateway.url, set, aigw }, others, done);
  const looks: Look[] = [];
  for (let window = 0; now() < until; window += 1) {
    const { p50, p99, max } = await load.ask("constant", {
      url: `${gateway.url}/api/echo`,
      token: "",
      // Fewer requests at once are prepared than would show in the load's own memory.
      tokens: tokens.slice((window * 100) % CLIENTS, ((window * 100) % CLIENTS) + 100),
      perSecond,
      seconds: WINDOW_S,
      requestIds: `soak-${window}`,
    });
    const seen = { at: (now() - started) / 60_000, residentMiB: residentMiB(gateway.pid), p50, p99, max };
    const isWeighed = window % WEIGHED_EVERY === WEIGHED_EVERY - 1;
    // No call is under way that would wait for it.
    const look = isWeighed ? { ...seen, heapMiB: (await gateway.heapInUse()) / 2 ** 20 } : seen;
    looks.push(look);
    say(
      `${number(look.at)} min: resident ${number(look.residentMiB)} MiB, p50 ${number(p50)}, p99 ${number(p99)}, max ${number(max)} ms`,
    );
  }
  over = true;
  const counts = await acts;
  await gateway.stop();
  return judge(looks, counts);
};

const judge = (looks: readonly Look[], counts: Readonly<Record<string, number>>): boolean => {
  const warm = looks.slice(Math.ceil(looks.length * WARM_SHARE));
  const { slope, error } = slopeOf(
    warm.map(({ at }) => at),
    warm.map((look) => look.residentMiB),
  );
  const weighed = warm.flatMap(({ at, heapMiB }) => (heapMiB === undefined ? [] : [{ at, heapMiB }]));
  const heap = slopeOf(
    weighed.map(({ at }) => at),
    weighed.map(({ heapMiB }) => heapMiB),
  );
  const isEnough = weighed.length >= ENOUGH_LOOKS;
  const said = (grows: boolean): string => (isEnough ? (grows ? "grows" : "does not grow") : "too short to tell");
  const grows = slope > 2 * error;
  const heapGrows = heap.slope > 2 * heap.error;
  const third = Math.max(1, Math.floor(warm.length / 3));
  const p99s = warm.map(({ p99 }) => p99);
  const tail = median(p99s.slice(-third)) / median(p99s.slice(0, third));
  const what = Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
  const result = [
    `${values.mongod === undefined ? "SQLite" : "MongoDB"}: ${number(minutes)} minutes at ${perSecond} requests/s, ${what}; no call failed`,
    `resident memory: ${number(slope)} ± ${number(error)} MiB a minute: ${said(grows)}`,
    `the heap after a collection: ${number(heap.slope)} ± ${number(heap.error)} MiB a minute: ${said(heapGrows)}`,
    `p99 of the last third against the first: ${number(tail)} ×: ${said(tail > MOST_TAIL_GROWTH)}`,
  ];
  for (const line of result) say(line);
  writeFileSync(
    join(BENCH, `${NAME}.json`),
    `${JSON.stringify({ at: new Date().toISOString(), machine: machine(), result, looks }, null, 2)}\n`,
  );
  const x = looks.map(({ at }) => at);
  writeFileSync(
    join(BENCH, `${NAME}.svg`),
    plot(result.join("; "), "minutes", x, [
      { name: "resident, MiB", values: looks.map((look) => look.residentMiB) },
      { name: "heap after a collection, MiB", values: looks.map((_, index) => heapAt(looks, index)) },
      { name: "p99, ms", values: looks.map(({ p99 }) => p99) },
    ]),
  );
  return isEnough && !grows && !heapGrows && tail <= MOST_TAIL_GROWTH;
};

/** As it was last weighed; before that, as it is weighed first. */
const heapAt = (looks: readonly Look[], index: number): number =>
  (looks.slice(0, index + 1).findLast(({ heapMiB }) => heapMiB !== undefined) ?? looks.find((look) => look.heapMiB))
    ?.heapMiB ?? 0;

process.on("SIGINT", () => process.exit(130));
let sound = false;
try {
  sound = await run();
} finally {
  await stopAll();
}
process.exit(sound ? 0 : 1);
