/**
 * How long starting takes, of the command line and of the gateway: `node bench/startup.ts [rounds]`, 15 unless given.
 * The built form is started, as users have it: build it first (`pnpm build`).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { ChangeDraft } from "../packages/core/src/changes/change.ts";
import { defaultStoreUrl, masterKeyPath } from "../packages/core/src/home/home-paths.ts";
import { createKeyFile } from "../packages/core/src/home/key-file.ts";
import { newStoreSeed } from "../packages/core/src/home/new-store-seed.ts";
import { createStore } from "../packages/core/src/store/open-store.ts";
import { aClient } from "../packages/core/src/testing/index.ts";

/** Milliseconds of wall clock. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

export interface CommandStart extends Spread {
  /** Median against the median of `node -e 0` in the same run. */
  readonly ratio: number;
}

export interface StartupResult {
  readonly rounds: number;
  readonly nodeVersion: string;
  /** The peer: `node -e 0`. */
  readonly node: Spread;
  /** `aigw --version`. */
  readonly version: CommandStart;
  /** `aigw client list` with 100 clients in the store. */
  readonly clientList: CommandStart;
  /** The same two from the TypeScript sources, as `pnpm aigw` runs them. */
  readonly versionFromSource: CommandStart;
  readonly clientListFromSource: CommandStart;
  /** `aigw serve` with 10,000 clients in the store: until its URL is printed, and until `/ready` has answered 200. */
  readonly gatewayUrl: Spread;
  readonly gatewayReady: Spread;
}

const FEWEST_ROUNDS = 15;
const RUN_TIMEOUT_MS = 20_000;
const CLI = resolve(import.meta.dirname, "../packages/cli");
const BUILT: readonly string[] = ["--conditions=aigw-built", join(CLI, "dist/main.js")];
const SOURCE: readonly string[] = [join(CLI, "src/main.ts")];

/** Interleaved (A B C A B C …), so that whatever else the machine does meets all alike. */
export const measureStartup = async (rounds: number = FEWEST_ROUNDS): Promise<StartupResult> => {
  if (!existsSync(join(CLI, "dist/main.js"))) throw new Error("The command line is not built: run pnpm build.");
  const folder = mkdtempSync(join(tmpdir(), "aigw-bench-startup-"));
  try {
    const few = await homeWith(join(folder, "few"), 100);
    const many = await homeWith(join(folder, "many"), 10_000);
    const commands = {
      node: () => timeOf(folder, few, ["-e", "0"]),
      version: () => timeOf(folder, few, [...BUILT, "--version"]),
      clientList: () => timeOf(folder, few, [...BUILT, "client", "list"]),
      versionFromSource: () => timeOf(folder, few, [...SOURCE, "--version"]),
      clientListFromSource: () => timeOf(folder, few, [...SOURCE, "client", "list"]),
    };
    const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []])) as unknown as Record<
      keyof typeof commands,
      number[]
    >;
    const gateway: { readonly url: number[]; readonly ready: number[] } = { url: [], ready: [] };
    // The first round only fills the caches: a gateway writes what it compiled when it ends in good order.
    for (let round = 0; round <= rounds; round += 1) {
      for (const [name, run] of Object.entries(commands)) {
        const ms = await run();
        if (round > 0) times[name as keyof typeof commands].push(ms);
      }
      const { url, ready } = await timeOfGateway(folder, many, round === 0 ? "SIGTERM" : "SIGKILL");
      if (round > 0) {
        gateway.url.push(url);
        gateway.ready.push(ready);
      }
    }
    const node = spreadOf(times.node);
    const against = (measured: readonly number[]): CommandStart => {
      const spread = spreadOf(measured);
      return { ...spread, ratio: spread.median / node.median };
    };
    return {
      rounds,
      nodeVersion: process.version,
      node,
      version: against(times.version),
      clientList: against(times.clientList),
      versionFromSource: against(times.versionFromSource),
      clientListFromSource: against(times.clientListFromSource),
      gatewayUrl: spreadOf(gateway.url),
      gatewayReady: spreadOf(gateway.ready),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
};

/** In one transaction and with one hash for all: hashing 10,000 passwords would take minutes. */
const homeWith = async (home: string, clients: number): Promise<string> => {
  mkdirSync(home, { mode: 0o700 });
  const drafts = Array.from({ length: clients }, (_, index): ChangeDraft => {
    const client = aClient({ name: `client-${index}`, email: `client-${index}@example.com`, displayName: "A Client" });
    return { action: "client.add", subject: client.name, after: client };
  });
  const key = createKeyFile(masterKeyPath(home));
  await createStore(defaultStoreUrl(home), newStoreSeed(key, drafts, { at: Date.now(), actor: "bench" }));
  return home;
};

/** Nothing of the developer's environment; the compile cache is in a folder of this run. */
const start = (folder: string, home: string, args: readonly string[]): ChildProcess =>
  spawn(process.execPath, args, {
    env: { PATH: process.env["PATH"], HOME: folder, AIGW_HOME: home },
    stdio: ["ignore", "pipe", "ignore"],
    timeout: RUN_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });

const timeOf = async (folder: string, home: string, args: readonly string[]): Promise<number> => {
  const started = performance.now();
  const child = start(folder, home, args);
  child.stdout?.resume();
  const [code] = await once(child, "close");
  const ms = performance.now() - started;
  if (code !== 0) throw new Error(`node ${args.join(" ")} exited ${code}.`);
  return ms;
};

const timeOfGateway = async (
  folder: string,
  home: string,
  end: "SIGTERM" | "SIGKILL",
): Promise<{ readonly url: number; readonly ready: number }> => {
  const started = performance.now();
  const child = start(folder, home, [...BUILT, "serve", "--port", "0", "-q"]);
  const closed = once(child, "close");
  try {
    const printed = child.stdout && once(child.stdout.setEncoding("utf8"), "data");
    const first: unknown = await Promise.race([printed, closed.then(() => undefined)]);
    const url = performance.now() - started;
    if (!Array.isArray(first)) throw new Error("aigw serve ended before it was ready.");
    await answersReady(String(first[0]).trim());
    return { url, ready: performance.now() - started };
  } finally {
    child.kill(end);
    await closed;
  }
};

const answersReady = (url: string): Promise<void> =>
  new Promise((done, failed) => {
    const request = get(`${url}/ready`, { agent: false }, (response) => {
      response.resume();
      if (response.statusCode === 200) done();
      else failed(new Error(`/ready answered ${response.statusCode}.`));
    });
    request.on("error", failed);
  });

const spreadOf = (times: readonly number[]): Spread => {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.round(part * (sorted.length - 1))] ?? Number.NaN;
  return { median: at(0.5), min: at(0), max: at(1), lowerQuartile: at(0.25), upperQuartile: at(0.75) };
};

const say = (
  what: string,
  { median, min, max, lowerQuartile, upperQuartile, ratio }: Partial<CommandStart> & Spread,
) => {
  const ms = (value: number): string => value.toFixed(0);
  process.stdout.write(
    `${what.padEnd(46)} ${ms(median).padStart(4)} ms${ratio === undefined ? "       " : ` ${ratio.toFixed(2)} ×`}` +
      `   quartiles ${ms(lowerQuartile)}–${ms(upperQuartile)}, all ${ms(min)}–${ms(max)}\n`,
  );
};

if (import.meta.main) {
  const result = await measureStartup(Number(process.argv[2] ?? FEWEST_ROUNDS));
  process.stdout.write(`Node ${result.nodeVersion}, ${result.rounds} interleaved rounds\n`);
  say("node -e 0", result.node);
  say("aigw --version", result.version);
  say("aigw client list, 100 clients", result.clientList);
  say("aigw --version, from the sources", result.versionFromSource);
  say("aigw client list, from the sources", result.clientListFromSource);
  say("aigw serve, 10,000 clients, URL printed", result.gatewayUrl);
  say("aigw serve, 10,000 clients, /ready answered", result.gatewayReady);
}
