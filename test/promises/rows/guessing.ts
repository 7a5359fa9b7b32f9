import { request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { type RunningGateway, startGatewayProcess } from "../../support/aigw.ts";
import { startEcho, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { within } from "../../support/until.ts";
import { during, type Probed } from "../load/probe.ts";
import { guessFrom } from "../load/processes.ts";
import { atMost, exactly, never, quantile, type Row, type Run, type Seen } from "../row.ts";

const AT_ONCE = 100;
const TIMES_SLOWER = 2;
const GUESSER = "127.0.0.9";
/** Hashes per account and source in the window, as the contract says. */
const BOUND = 10;

const login = (
  url: string,
  { username, password, from }: { username: string; password: string; from: string },
): Promise<number> =>
  within(
    "a login",
    new Promise((settle, reject) => {
      const body = new URLSearchParams({ username, password }).toString();
      const headers = { "Content-Type": "application/x-www-form-urlencoded", "Content-Length": body.length };
      const options = { method: "POST", headers, localAddress: from, agent: false as const };
      const req = request(`${url}/auth/token`, options, (response) => {
        response.resume().on("end", () => settle(response.statusCode ?? 0));
      });
      req.on("error", reject);
      req.end(body);
    }),
    60_000,
  );

const median = (values: readonly number[]): number => quantile(values, 0.5);

const guess = async (
  run: Run,
  { url }: RunningGateway,
  { what, guesses, usernames, token }: { what: string; guesses: number; usernames: readonly string[]; token: string },
): Promise<readonly Seen[]> => {
  const calls = `${url}/api/echo/x`;
  // Calm and guessing by turns: what else the machine does meets both.
  const rounds = run.size(5, 1);
  const calm: Probed[] = [];
  const noisy: Probed[] = [];
  const statuses = new Map<string, number>();
  for (let round = 0; round < rounds; round += 1) {
    calm.push((await during(run, calls, token, () => delay(run.size(2_000, 500))))[0]);
    const part = { url, guesses: guesses / rounds, atOnce: AT_ONCE, usernames, sources: [GUESSER] };
    const [probed, answered] = await during(run, calls, token, () => guessFrom(run, part));
    noisy.push(probed);
    for (const [status, times] of Object.entries(answered)) {
      statuses.set(status, (statuses.get(status) ?? 0) + times);
    }
  }
  const p99 = (of: readonly Probed[]): number => median(of.map((probed) => probed.p99));
  const failed = noisy.reduce((sum, probed) => sum + probed.failed, 0);
  run.say(
    `${what}: p99 ${p99(calm).toFixed(2)} → ${p99(noisy).toFixed(2)} ms in ${rounds} rounds; ${[...statuses].map(([status, times]) => `${status}: ${times}`).join(", ")}`,
  );
  return [
    never(`${what}: guesses that got a token`, statuses.get("200") ?? 0, guesses),
    never(`${what}: guesses without an answer`, statuses.get("0") ?? 0, guesses),
    atMost(`${what}: p99 of calls meanwhile, times the p99 before`, p99(noisy) / p99(calm), TIMES_SLOWER, "×"),
    never(
      `${what}: calls that failed meanwhile`,
      failed,
      noisy.reduce((sum, probed) => sum + probed.calls, 0),
    ),
    exactly(`${what}: hashes that were tried`, statuses.get("401") ?? 0, what === "one account" ? BOUND : BOUND * 10),
  ];
};

export const guessing: Row = {
  name: "guessing",
  promise:
    "10,000 wrong passwords, 100 at a time, at one account and at many: the bounds of the contract, p99 of calls < 2 ×, nobody locked out, kept over a restart",
  minutes: 6,
  onMongodb: true,
  run: async (run) => {
    const echo = await startEcho(run);
    const names = Array.from({ length: 200 }, (_, index) => `c${index}`);
    const { home, passwords } = await prepareHome(run, {
      services: { echo: echo.url },
      clients: { john: UNLIMITED, jane: UNLIMITED, ...Object.fromEntries(names.map((name) => [name, {}])) },
    });
    const gateway = await startGatewayProcess(run, home);
    const token = await tokenFor(gateway.url, "jane", passwords["jane"] ?? "");
    const guesses = run.size(10_000, 400);
    const one = await guess(run, gateway, { what: "one account", guesses, usernames: ["john"], token });
    const right = { username: "john", password: passwords["john"] ?? "" };
    const elsewhere = await login(gateway.url, { ...right, from: "127.0.0.10" });
    gateway.child.kill("SIGKILL");
    await gateway.done;
    const again = await startGatewayProcess(run, home);
    const afterRestart = await login(again.url, { ...right, from: GUESSER });
    const many = await guess(run, again, {
      what: "many accounts",
      guesses,
      usernames: names,
      token: await tokenFor(again.url, "jane", passwords["jane"] ?? ""),
    });
    return [
      ...one,
      { what: "john's right login from elsewhere", seen: String(elsewhere), promised: "200", kept: elsewhere === 200 },
      {
        what: "from the guesser's address after a restart",
        seen: String(afterRestart),
        promised: "429",
        kept: afterRestart === 429,
      },
      ...many.filter(({ what }) => !what.includes("hashes")),
    ];
  },
};
