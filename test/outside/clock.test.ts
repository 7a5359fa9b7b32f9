import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { aigw, aigwJson, type RunningGateway, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { rounds } from "../support/rounds.ts";
import { clockSetBy } from "../support/shifted-clock.ts";

const HOUR_MS = 3_600_000;
/** Each on every gateway; AIGW_TEST_ROUNDS raises it, a thousand is what is promised. */
const LOGINS = rounds(24);

const setUp = async (t: TestContext) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
  const password = passwords["john"] ?? "";
  const call = async ({ url }: RunningGateway, token: string): Promise<number> =>
    (await send(`${url}/api/echo`, { headers: bearer(token) })).status;
  const logIn = ({ url }: RunningGateway): Promise<string> => tokenFor(url, "john", password);
  /** Logs in at one after the other and calls all of them. @returns how often each status came back */
  const balanced = async (gateways: readonly RunningGateway[], logins: number): Promise<Record<number, number>> => {
    const statuses: Record<number, number> = {};
    for (let i = 0; i < logins; i += 1) {
      const token = await logIn(gateways[i % gateways.length] as RunningGateway);
      for (const status of await Promise.all(gateways.map((gateway) => call(gateway, token))))
        statuses[status] = (statuses[status] ?? 0) + 1;
    }
    return statuses;
  };
  return { home, call, logIn, balanced };
};

describe("a clock that somebody sets", { concurrency: true }, () => {
  it("does not divide gateways that started before and after: a token of one is good on all", async (t) => {
    const { home, balanced } = await setUp(t);
    const gateways = [
      await startGatewayProcess(t, home),
      await startGatewayProcess(t, home, [], clockSetBy(HOUR_MS)),
      await startGatewayProcess(t, home, [], clockSetBy(-2 * HOUR_MS)),
    ];
    assert.deepEqual(await balanced(gateways, LOGINS), { 200: 3 * LOGINS });
    // Who holds a token is known to a command under either clock.
    for (const ms of [0, HOUR_MS, -2 * HOUR_MS]) {
      const { stderr } = await aigw(home, ["secret", "rotate", "--no-input"], { env: clockSetBy(ms) });
      assert.match(stderr, /1 client holds a live token: john/, `set by ${ms} ms`);
      const { findings } = await aigwJson<{ findings: { code: string }[] }>(home, ["why", "john"], {
        env: clockSetBy(ms),
      });
      assert.deepEqual(
        findings.map(({ code }) => code),
        ["fine"],
        `set by ${ms} ms`,
      );
    }
  });

  it("nor those that start while the usage database cannot be opened, or is made anew", async (t) => {
    const { home, balanced } = await setUp(t);
    const before = await startGatewayProcess(t, home);
    const usage = join(home, "aigw.usage.db");
    for (const file of [usage, `${usage}-wal`, `${usage}-shm`]) renameSync(file, `${file}.away`);
    writeFileSync(usage, "garbage".repeat(10_000), { mode: 0o600 });
    const during = await startGatewayProcess(t, home, [], clockSetBy(HOUR_MS));
    assert.deepEqual(await balanced([before, during], 2), { 200: 4 });
    renameSync(usage, `${usage}.garbage`);
    // Whoever comes first makes it anew: a command, under the new clock.
    assert.equal((await aigw(home, ["usage", "report"], { env: clockSetBy(-2 * HOUR_MS) })).code, 0);
    const after = await startGatewayProcess(t, home, [], clockSetBy(-2 * HOUR_MS));
    assert.deepEqual(await balanced([before, during, after], 3), { 200: 9 });
  });

  for (const set of [HOUR_MS, -2 * HOUR_MS]) {
    it(`rotating with --grace before and after it was set by ${set / HOUR_MS} h ends no token early, nor late`, async (t) => {
      const { home, call, logIn } = await setUp(t);
      const gateway = await startGatewayProcess(t, home);
      const rotate = async (env: Record<string, string>): Promise<void> => {
        const { code, stderr } = await aigw(home, ["secret", "rotate", "--grace", "30m", "--yes"], { env });
        assert.equal(code, 0, stderr);
      };
      const tokens = [await logIn(gateway)];
      await rotate({});
      tokens.push(await logIn(gateway));
      await rotate(clockSetBy(set));
      tokens.push(await logIn(gateway));
      const later = await startGatewayProcess(t, home, [], clockSetBy(set));
      tokens.push(await logIn(later));
      for (const one of [gateway, later]) {
        for (const [index, token] of tokens.entries()) assert.equal(await call(one, token), 200, `token ${index}`);
      }
      for (const [env, by] of [
        [{}, 0],
        [clockSetBy(set), set],
      ] as const) {
        const { keys } = await aigwJson<{ keys: { status: string; verifyUntil: string | null }[] }>(
          home,
          ["secret", "list"],
          { env },
        );
        assert.deepEqual(
          keys.map(({ status }) => status),
          ["active", "retiring", "retiring"],
        );
        for (const { verifyUntil } of keys.slice(1)) {
          const leftMin = (Date.parse(verifyUntil ?? "") - (Date.now() + by)) / 60_000;
          assert.ok(leftMin > 28 && leftMin < 31, `${leftMin} minutes left, as this clock shows it`);
        }
      }
    });
  }
});
