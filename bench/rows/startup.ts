import { spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { join, resolve } from "node:path";
import type { SeedActs } from "../peers/seed.ts";
import { atMost, type Figure, number } from "../support/figure.ts";
import { AIGW, cleanEnv, temporaryFolder } from "../support/home.ts";
import { askOnce } from "../support/peer.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median, spreadOf } from "../support/statistics.ts";

/** So many, however short the rounds of other rows are: one start takes a tenth of a second. */
const ROUNDS = 15;
const RUN_TIMEOUT_MS = 20_000;
const SOURCE: readonly string[] = [resolve(import.meta.dirname, "../../packages/cli/src/main.ts")];

/** How long starting takes, of the command line and of the gateway: built, with a warm compile cache. */
export const startup: Row = {
  name: "startup",
  tools: ["taskset"],
  measure: async ({ say, rounds }) => {
    const few = await homeWith(100);
    const many = await homeWith(10_000);
    const commands = {
      node: () => timeOf(few, ["-e", "0"]),
      version: () => timeOf(few, [...AIGW, "--version"]),
      clientList: () => timeOf(few, [...AIGW, "client", "list"]),
      fromSource: () => timeOf(few, [...SOURCE, "client", "list"]),
      ready: () => timeOfGateway(many, "SIGKILL"),
    };
    // The first round only fills the caches: a gateway writes what it compiled when it ends in good order.
    const samples = await interleave(commands, Math.max(rounds, ROUNDS), (name) =>
      name === "ready" ? timeOfGateway(many, "SIGTERM") : commands[name](),
    );
    const took = (name: keyof typeof samples): string => `${number(median(samples[name]))} ms`;
    say(`node -e 0: ${took("node")}; client list from the TypeScript sources: ${took("fromSource")}`);
    const against = (name: "version" | "clientList"): Pick<Figure, "value" | "spread" | "unit" | "from"> => ({
      ...ratioOf(samples[name], samples.node),
      unit: "×",
      from: `${took(name)} against ${took("node")}`,
    });
    return [
      { what: "`aigw --version` against `node -e 0`", ...against("version"), target: atMost(2.5, 1.5) },
      {
        what: "`aigw client list`, 100 clients, against `node -e 0`",
        ...against("clientList"),
        target: atMost(5, 2.5),
      },
      {
        what: "ready after start, 10,000 clients: `/ready` answers",
        value: median(samples.ready),
        spread: spreadOf(samples.ready),
        unit: "ms",
        from: "from the start of the process",
        target: atMost(600, 250),
      },
    ];
  },
};

const homeWith = async (clients: number): Promise<string> => {
  const home = join(temporaryFolder(), "home");
  await askOnce<SeedActs, "home">("seed.ts", "home", {
    home,
    upstream: "http://127.0.0.1:9",
    clients,
    events: 0,
    tokens: 0,
  });
  return home;
};

const start = (home: string, args: readonly string[]) =>
  spawn(process.execPath, args, {
    env: cleanEnv(home),
    stdio: ["ignore", "pipe", "ignore"],
    timeout: RUN_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });

const timeOf = async (home: string, args: readonly string[]): Promise<number> => {
  const started = performance.now();
  const child = start(home, args);
  child.stdout.resume();
  const [code] = await once(child, "close");
  const ms = performance.now() - started;
  if (code !== 0) throw new Error(`node ${args.join(" ")} exited ${code}.`);
  return ms;
};

const timeOfGateway = async (home: string, end: "SIGTERM" | "SIGKILL"): Promise<number> => {
  const started = performance.now();
  const child = start(home, [...AIGW, "serve", "--port", "0", "-q"]);
  const closed = once(child, "close");
  try {
    const printed = once(child.stdout.setEncoding("utf8"), "data");
    const first: unknown = await Promise.race([printed, closed.then(() => undefined)]);
    if (!Array.isArray(first)) throw new Error("aigw serve ended before it was ready.");
    await answersReady(String(first[0]).trim());
    return performance.now() - started;
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
