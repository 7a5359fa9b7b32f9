import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { type RunningGateway, startGatewayProcess } from "../../support/aigw.ts";
import { bearer, startEcho, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { within } from "../../support/until.ts";
import { atMost, exactly, never, quantile, type Row, type Run, type Seen } from "../row.ts";

const AT_ONCE = 100;
const TIMES_SLOWER = 2;
/** Hashes per account and source in the window, as the contract says. */
const BOUND = 10;

const login = (
  url: string,
  { username, password, from, agent }: { username: string; password: string; from: string; agent?: Agent },
): Promise<number> =>
  within(
    "a login",
    new Promise((settle, reject) => {
      const body = new URLSearchParams({ username, password }).toString();
      const headers = { "Content-Type": "application/x-www-form-urlencoded", "Content-Length": body.length };
      const options = { method: "POST", headers, localAddress: from, agent: agent ?? false };
      const req = request(`${url}/auth/token`, options, (response) => {
        response.resume().on("end", () => settle(response.statusCode ?? 0));
      });
      req.on("error", reject);
      req.end(body);
    }),
    60_000,
  );

/** The times of calls one after the other, until it is stopped. */
const startProbe = (run: Run, url: string, token: string) => {
  const agent = new Agent({ keepAlive: true });
  run.after(() => agent.destroy());
  const ms: number[] = [];
  let failed = 0;
  let stopped = false;
  const one = (): Promise<number> =>
    new Promise((settle, reject) => {
      const req = request(`${url}/api/echo/x`, { agent, headers: bearer(token) }, (response) => {
        response.resume().on("end", () => settle(response.statusCode ?? 0));
      });
      req.on("error", reject);
      req.end();
    });
  const done = (async () => {
    while (!stopped) {
      const started = performance.now();
      if ((await one()) === 200) ms.push(performance.now() - started);
      else failed += 1;
      await delay(5);
    }
  })();
  const stop = async (): Promise<{ p99: number; failed: number }> => {
    stopped = true;
    await done;
    return { p99: quantile(ms, 0.99), failed };
  };
  return { stop };
};

const guess = async (
  run: Run,
  { url }: RunningGateway,
  { what, guesses, name, token }: { what: string; guesses: number; name: (n: number) => string; token: string },
): Promise<readonly Seen[]> => {
  const calm = startProbe(run, url, token);
  await delay(run.size(5_000, 1_000));
  const before = await calm.stop();
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  run.after(() => agent.destroy());
  const statuses = new Map<number, number>();
  const probe = startProbe(run, url, token);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < guesses) {
      const username = name(next);
      next += 1;
      const status = await login(url, { username, password: `wrong-${next}`, from: "127.0.0.9", agent });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const during = await probe.stop();
  run.say(
    `${what}: p99 ${before.p99.toFixed(2)} → ${during.p99.toFixed(2)} ms; ${[...statuses].map(([status, times]) => `${status}: ${times}`).join(", ")}`,
  );
  return [
    never(`${what}: guesses that got a token`, statuses.get(200) ?? 0, guesses),
    atMost(`${what}: p99 of calls meanwhile, times the p99 before`, during.p99 / before.p99, TIMES_SLOWER, "×"),
    never(`${what}: calls that failed meanwhile`, during.failed, guesses),
    exactly(`${what}: hashes that were tried`, statuses.get(401) ?? 0, what === "one account" ? BOUND : BOUND * 10),
  ];
};

export const guessing: Row = {
  name: "guessing",
  promise:
    "10,000 wrong passwords, 100 at a time, at one account and at many: the bounds of the contract, p99 of calls < 2 ×, nobody locked out, kept over a restart",
  minutes: 6,
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
    const one = await guess(run, gateway, { what: "one account", guesses, name: () => "john", token });
    const right = { username: "john", password: passwords["john"] ?? "" };
    const elsewhere = await login(gateway.url, { ...right, from: "127.0.0.10" });
    gateway.child.kill("SIGKILL");
    await gateway.done;
    const again = await startGatewayProcess(run, home);
    const afterRestart = await login(again.url, { ...right, from: "127.0.0.9" });
    const many = await guess(run, again, {
      what: "many accounts",
      guesses,
      name: (n) => names[n % names.length] ?? "",
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
