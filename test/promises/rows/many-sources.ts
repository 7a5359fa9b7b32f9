import { setTimeout as delay } from "node:timers/promises";
import { startGatewayProcess } from "../../support/aigw.ts";
import { send, startEcho, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { during } from "../load/probe.ts";
import { guessFrom } from "../load/processes.ts";
import { residentMib } from "../resident.ts";
import { atMost, count, exactly, quantile, type Row, type Run, type Seen } from "../row.ts";

/** More than can wait: some have to be turned away. */
const AT_ONCE = 300;
const GOOD = 30;
const LONGEST_WAIT_MS = 2_000;
const MOST_MIB = 500;

/** Where guesses come from: `networks` /24s with `hosts` addresses each. */
const sourcesIn = (networks: number, hosts: number, network: (n: number) => string): readonly string[] =>
  Array.from({ length: networks * hosts }, (_, n) => `${network(n % networks)}.${1 + Math.floor(n / networks)}`);

interface Attack {
  readonly what: string;
  readonly sources: readonly string[];
  /** Where the good logins come from, in turn. */
  readonly clients: readonly string[];
  /** How many of these may be refused. */
  readonly mayFail: number;
}

/** Good logins one after the other while strangers guess. */
const attack = async (run: Run, url: string, token: string, password: string, { what, sources, clients }: Attack) => {
  const guesses = sources.length;
  const usernames = ["john", "jane", "nobody"];
  const statuses = new Map<number, number>();
  const ms: number[] = [];
  let over = false;
  const logIn = async (): Promise<void> => {
    // Once the guesses are under way.
    await delay(500);
    for (let n = 0; n < GOOD && !over; n += 1) {
      const started = performance.now();
      const { status } = await send(`${url}/auth/token`, {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ username: "john", password }).toString(),
        localAddress: clients[n % clients.length] ?? "",
        timeoutMs: 60_000,
      });
      ms.push(performance.now() - started);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const guess = async () => {
    const answered = await guessFrom(run, { url, guesses, atOnce: AT_ONCE, usernames, sources });
    over = true;
    return answered;
  };
  const [probed, [answered]] = await during(run, `${url}/api/echo/x`, token, () => Promise.all([guess(), logIn()]));
  const tried = ms.length;
  const longest = Math.max(...ms);
  const all = Object.entries(answered).map(([status, times]) => `${status}: ${count(times)}`);
  run.say(
    `${what}: ${tried} good logins, ${[...statuses].map(([status, times]) => `${status}: ${times}`).join(", ")}, median ${quantile(ms, 0.5).toFixed(0)} ms, longest ${longest.toFixed(0)} ms; guesses ${all.join(", ")}; p99 of calls ${probed.p99.toFixed(1)} ms`,
  );
  return { tried, refused: tried - (statuses.get(200) ?? 0), longest, got: answered["200"] ?? 0, guesses };
};

export const manySources: Row = {
  name: "many-sources",
  promise:
    "6,000 guesses from as many addresses, 300 at a time: every good login from elsewhere gets its token, whether its address is known or new",
  minutes: 8,
  onMongodb: true,
  run: async (run) => {
    const echo = await startEcho(run);
    const { home, passwords } = await prepareHome(run, {
      services: { echo: echo.url },
      clients: { john: UNLIMITED, jane: UNLIMITED },
    });
    const { url, pid } = await startGatewayProcess(run, home);
    const token = await tokenFor(url, "jane", passwords["jane"] ?? "");
    const networks = run.size(24, 8);
    const hosts = run.size(250, 100);
    const apart = run.size(250, 100);
    const attacks: readonly Attack[] = [
      {
        what: "one provider guesses, an address that never logged in",
        sources: sourcesIn(networks, hosts, (n) => `127.1.${n}`),
        clients: Array.from({ length: GOOD }, (_, n) => `127.9.${n}.1`),
        mayFail: 0,
      },
      {
        what: "addresses far apart guess, a new address among them",
        sources: sourcesIn(apart, networks, (n) => `127.${2 + (n % 250)}.77`),
        // Nothing but its password tells it from a guess.
        clients: Array.from({ length: GOOD }, (_, n) => `127.${100 + n}.9.1`),
        mayFail: 6,
      },
      {
        what: "addresses far apart guess, a known address",
        sources: sourcesIn(apart, networks, (n) => `127.${2 + (n % 250)}.78`),
        clients: ["127.0.0.1"],
        mayFail: 0,
      },
    ];
    const seen: Seen[] = [];
    for (const one of attacks) {
      const result = await attack(run, url, token, passwords["john"] ?? "", one);
      seen.push(
        {
          what: `${one.what}: good logins refused at the first try`,
          seen: `${result.refused} of ${result.tried}`,
          promised: one.mayFail === 0 ? "0" : `≤ ${one.mayFail} of ${GOOD}`,
          kept: result.refused <= one.mayFail && result.tried > 0,
        },
        atMost(`${one.what}: longest wait of a good login`, result.longest, LONGEST_WAIT_MS, "ms"),
        exactly(`${one.what}: guesses that got a token`, result.got, 0),
      );
    }
    seen.push(atMost("resident memory after it all", residentMib(pid), MOST_MIB, "MiB"));
    return seen;
  },
};
