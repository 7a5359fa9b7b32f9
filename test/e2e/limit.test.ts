import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setClient } from "@aigw/core";
import { startGatewayProcess } from "../support/aigw.ts";
import { needsFiles, needsOwnClock } from "../support/engine.ts";
import { JumpingClock, startTestGateway } from "../support/gateway.ts";
import { bearer, login, send, startEcho, tokenFor } from "../support/http.ts";
import { lockDatabase } from "../support/lock.ts";
import { prepareHome, withHome } from "../support/prepared-home.ts";
import { AT_FULL_SIZE } from "../support/rounds.ts";
import { until } from "../support/until.ts";

const tally = async (url: string, token: string, requests: number): Promise<{ ok: number; limited: number }> => {
  const answers = await Promise.all(
    Array.from({ length: requests }, () => send(`${url}/api/echo`, { headers: bearer(token) })),
  );
  const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
  assert.equal(
    count(200) + count(429),
    requests,
    `statuses: ${[...new Set(answers.map(({ status }) => status))].join()}`,
  );
  return { ok: count(200), limited: count(429) };
};

describe("the limit", () => {
  it("admits exactly 60 of 600 at once; the refused cost nothing; another client notices nothing", async (t) => {
    const echo = await startEcho(t);
    const { url, tokenFor: newToken, store } = await startTestGateway(t, { services: { echo: echo.url } });
    const [john, jane] = [await newToken("john"), await newToken("jane")];
    assert.deepEqual(await tally(url, john, 600), { ok: 60, limited: 540 });
    assert.equal(echo.seen.length, 60, "a refused request must not reach the upstream");
    assert.deepEqual(await tally(url, jane, 10), { ok: 10, limited: 0 });
    const total = await until("the usage of 610 requests", async () => {
      const { rows } = await store.traffic.usageReport({ by: [], filter: {} });
      return rows[0]?.tally.requests === 610 && rows[0].tally;
    });
    assert.equal(total.limited, 540);
  });

  it("is exact at the edges of the rolling window", { skip: needsOwnClock }, async (t) => {
    const clock = new JumpingClock();
    const echo = await startEcho(t);
    const { url, tokenFor: newToken } = await startTestGateway(t, { clock, services: { echo: echo.url } });
    const token = await newToken("john", { limit: 10 });
    assert.deepEqual(await tally(url, token, 4), { ok: 4, limited: 0 });
    clock.advance(30_000);
    assert.deepEqual(await tally(url, token, 20), { ok: 6, limited: 14 });
    clock.advance(29_000);
    assert.deepEqual(await tally(url, token, 20), { ok: 0, limited: 20 }, "59 s after the first four");
    clock.advance(1_000);
    assert.deepEqual(await tally(url, token, 20), { ok: 4, limited: 16 }, "the first four are free, the six are not");
    clock.advance(30_000);
    assert.deepEqual(await tally(url, token, 20), { ok: 6, limited: 14 });
  });

  it("says where it stands, and Retry-After is neither too early nor before the reset", {
    skip: needsOwnClock,
  }, async (t) => {
    const clock = new JumpingClock();
    const echo = await startEcho(t);
    const { url, tokenFor: newToken } = await startTestGateway(t, { clock, services: { echo: echo.url } });
    const token = await newToken("john", { limit: 2 });
    const call = () => send(`${url}/api/echo`, { headers: bearer(token) });
    const first = await call();
    assert.equal(first.headers["ratelimit-policy"], '"client";q=2;w=60');
    assert.equal(first.headers["ratelimit"], '"client";r=1;t=60');
    assert.equal(first.headers["x-ratelimit-limit"], "2");
    assert.equal(first.headers["x-ratelimit-remaining"], "1");
    assert.equal(first.headers["x-client-id"], "john");
    clock.advance(20_000);
    await call();
    const limited = await call();
    assert.equal(limited.status, 429);
    assert.equal(limited.headers["content-type"], "application/problem+json");
    assert.equal(JSON.parse(limited.body).code, "rate_limited");
    const wait = Number(limited.headers["retry-after"]);
    assert.equal(limited.headers["ratelimit"], `"client";r=0;t=${wait}`);
    assert.ok(wait === 40, `Retry-After ${wait}`);
    clock.advance(wait * 1000);
    assert.equal((await call()).status, 200);
  });

  it("never says that the next permit takes longer than the window, not even while permits are leased", async (t) => {
    const echo = await startEcho(t);
    const { url, tokenFor: newToken } = await startTestGateway(t, { services: { echo: echo.url } });
    const token = await newToken("john", { limit: 600 });
    for (const path of ["echo", "echo", "unknown"]) {
      const { headers } = await send(`${url}/api/${path}`, { headers: bearer(token) });
      const reset = Number(headers["x-ratelimit-reset"]);
      assert.equal(headers["ratelimit"], `"client";r=${headers["x-ratelimit-remaining"]};t=${reset}`);
      assert.ok(reset > 0 && reset <= 60, `t=${reset}`);
    }
  });

  it("ignores jumps of the wall clock", async (t) => {
    const clock = new JumpingClock();
    const echo = await startEcho(t);
    const { url, tokenFor: newToken } = await startTestGateway(t, { clock, services: { echo: echo.url } });
    const token = await newToken("john", { limit: 5 });
    await tally(url, token, 5);
    for (const jump of [3_600_000, -7_200_000]) {
      clock.setBy(jump);
      assert.deepEqual(await tally(url, token, 5), { ok: 0, limited: 5 }, `after a jump of ${jump} ms`);
    }
  });

  it("set higher applies at once, set lower refuses at once", async (t) => {
    const echo = await startEcho(t);
    const { url, tokenFor: newToken, deps, store } = await startTestGateway(t, { services: { echo: echo.url } });
    const token = await newToken("john", { limit: 5 });
    assert.deepEqual(await tally(url, token, 10), { ok: 5, limited: 5 });
    const setTo = async (limit: number): Promise<void> => {
      const { rev } = await setClient(deps, "john", { limit });
      await until(
        "the change to be applied",
        async () => (await store.traffic.instances(5_000))[0]?.appliedRev === rev,
      );
    };
    await setTo(8);
    assert.deepEqual(await tally(url, token, 10), { ok: 3, limited: 7 });
    await setTo(2);
    assert.deepEqual(await tally(url, token, 10), { ok: 0, limited: 10 });
  });

  it("of a large size, leased in bundles, admits no more and no fewer", async (t) => {
    const echo = await startEcho(t);
    const { url, tokenFor: newToken } = await startTestGateway(t, { services: { echo: echo.url } });
    const token = await newToken("john", { limit: 600 });
    assert.deepEqual(await tally(url, token, 800), { ok: 600, limited: 200 });
  });

  it("holds over three gateways on one store and over their restart", async (t) => {
    const echo = await startEcho(t);
    const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: {} } });
    const gateways = await Promise.all([1, 2, 3].map(() => startGatewayProcess(t, home)));
    const token = await tokenFor(gateways[0]?.url ?? "", "john", passwords["john"] ?? "");
    const results = await Promise.all(gateways.map(({ url }) => tally(url, token, 200)));
    assert.equal(
      results.reduce((sum, { ok }) => sum + ok, 0),
      60,
    );
    for (const { child, done } of gateways) {
      child.kill("SIGKILL");
      await done;
    }
    const { url } = await startGatewayProcess(t, home);
    assert.deepEqual(await tally(url, token, 20), { ok: 0, limited: 20 }, "after kill -9 and a restart");
  });

  it("is shared by three gateways while usage cannot be written, and so are guesses", {
    skip: needsFiles || !AT_FULL_SIZE,
  }, async (t) => {
    const echo = await startEcho(t);
    const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: {} } });
    const gateways = await Promise.all([1, 2, 3].map(() => startGatewayProcess(t, home)));
    const token = await tokenFor(gateways[0]?.url ?? "", "john", passwords["john"] ?? "");
    // The first one of them is known to the second within a second.
    await withHome(home, ({ store }) =>
      until("all to know of each other", async () => {
        const seen = await store.traffic.instances(60_000);
        return seen.length === 3 && seen.every(({ startedAt }) => Date.now() - startedAt > 1_500);
      }),
    );
    // Some that only one of them knows of.
    assert.deepEqual(await tally(gateways[1]?.url ?? "", token, 10), { ok: 10, limited: 0 });
    await lockDatabase(t, join(home, "aigw.usage.db"));
    const results = await Promise.all(gateways.map(({ url }) => tally(url, token, 100)));
    assert.equal(
      results.reduce((sum, { ok }) => sum + ok, 0),
      50,
    );
    const guesses = await Promise.all(
      gateways.flatMap(({ url }) => Array.from({ length: 8 }, () => login(url, "john", "not-the-password"))),
    );
    // Ten an account and source in all; the login above was none.
    assert.ok(guesses.filter(({ status }) => status === 401).length <= 10);
    assert.ok(guesses.filter(({ status }) => status === 429).length >= 14);
  });
});
