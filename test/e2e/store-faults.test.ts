import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { aigw, aigwJson, startGatewayProcess } from "../support/aigw.ts";
import { bearer, login, send, startEcho, tokenFor } from "../support/http.ts";
import { lockDatabase } from "../support/lock.ts";
import { startNumberedLoad } from "../support/numbered-load.ts";
import { allChanges, allUsage, assertSound, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { AT_FULL_SIZE } from "../support/rounds.ts";
import { until } from "../support/until.ts";

const setUp = async (t: TestContext, args: readonly string[] = []) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
  const gateway = await startGatewayProcess(t, home, args);
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  const call = () => send(`${gateway.url}/api/echo`, { headers: bearer(token) });
  assert.equal((await call()).status, 200);
  return { home, passwords, gateway, token, call };
};

interface StatusJson {
  gateways: { id: string; droppedUsage: number }[];
}

/** More than the gateway ever waits for a lock, less than a command does. */
const LOCKED_MS = 3_000;

describe("a store that fails", { concurrency: true }, () => {
  it("control database locked: calls and logins go on, admin commands fail with 6 after their wait", async (t) => {
    const { home, passwords, gateway, token } = await setUp(t);
    const release = await lockDatabase(t, join(home, "aigw.db"));
    const start = performance.now();
    const commands = [
      ["client", "add", "mary"],
      ["client", "revoke", "john", "--yes", "--json"],
      ["secret", "rotate", "--yes", "--json"],
      ["service", "add", "chat", "http://127.0.0.1:9"],
    ].map((args) => aigw(home, args));
    const load = startNumberedLoad(t, {
      ...{ url: `${gateway.url}/api/echo`, token, prefix: "c", connections: 2 },
      // For 5 s and more.
      pauseMs: 20,
    });
    await until("calls", () => load.calls.length > 50);
    assert.equal((await login(gateway.url, "john", passwords["john"] ?? "")).status, 200);
    const finished = await Promise.all(commands);
    await load.stop();
    assert.deepEqual(new Set(load.calls.map(({ result }) => result)), new Set([200]));
    for (const { code, stdout, stderr } of finished) {
      assert.equal(code, 6, stderr);
      assert.equal(stdout, "");
      assert.match(stderr.trimEnd().split("\n").at(-1) ?? "", /locked by another process/);
    }
    assert.ok(performance.now() - start >= 5_000, "they waited first");
    assert.equal((await aigw(home, ["client", "list"])).code, 0, "reading is not in the way");
    await release();
    assert.equal((await aigw(home, ["client", "add", "mary"])).code, 0);
    await withHome(home, async (opened) => {
      await assertSound(opened);
      const changes = await allChanges(opened.store);
      assert.deepEqual(
        changes.map(({ action }) => action),
        ["secret.create", "service.add", "client.add", "client.add"],
      );
    });
  });

  it("usage database locked for 3 s: calls stay quick, and their usage comes afterwards, all of it", async (t) => {
    const { home, gateway, token } = await setUp(t);
    const load = startNumberedLoad(t, {
      url: `${gateway.url}/api/echo`,
      token,
      prefix: "u",
      connections: 4,
      pauseMs: 20,
    });
    await until("calls", () => load.calls.length > 100);
    const release = await lockDatabase(t, join(home, "aigw.usage.db"));
    const locked = performance.now();
    await until("calls for a while", () => performance.now() - locked > LOCKED_MS);
    const released = performance.now();
    await release();
    await load.stop();
    // Also those that came back after it only, which are the ones that a waiting gateway makes.
    const during = load.calls.filter(({ startedAt }) => startedAt >= locked && startedAt < released);
    const longest = Math.max(...during.map(({ startedAt, endedAt }) => endedAt - startedAt));
    assert.ok(during.length > 0, "none was made");
    assert.ok(longest < LOCKED_MS / 2, `calls do not wait for the lock; one took ${longest} ms`);
    assert.deepEqual(new Set(load.calls.map(({ result }) => result)), new Set([200]));
    await withHome(home, async ({ store }) => {
      const ids = new Set(load.calls.map(({ id }) => id));
      const found = await until("the usage", async () => {
        const events = (await allUsage(store)).filter(({ requestId }) => ids.has(requestId));
        return events.length >= ids.size && events;
      });
      assert.equal(found.length, ids.size, "each once");
    });
    const { gateways } = await aigwJson<StatusJson>(home, ["status"]);
    assert.equal(gateways[0]?.droppedUsage, 0);
  });

  for (const [what, takeAway] of Object.entries({
    ...(AT_FULL_SIZE && { "the control database is gone": (home: string) => moveAway(join(home, "aigw.db")) }),
    "garbage is in its place": (home: string) => {
      const putBack = moveAway(join(home, "aigw.db"));
      writeFileSync(join(home, "aigw.db"), "garbage".repeat(10_000), { mode: 0o600 });
      return putBack;
    },
    "the whole home is gone": (home: string) => moveAway(home),
  })) {
    it(`${what}: known clients are served for --max-stale, then 503, never 401; soon back`, async (t) => {
      const { home, passwords, gateway, token, call } = await setUp(t, ["--max-stale", "1s"]);
      const putBack = takeAway(home);
      const start = performance.now();
      let served = 0;
      const firstRefusal = await until("the first refusal", async () => {
        const answer = await call();
        if (answer.status !== 200) return answer;
        served += 1;
        return undefined;
      });
      const servedFor = performance.now() - start;
      // The lease begins with the last look at the log, up to 0.1 s before, or later on a busy machine.
      assert.ok(servedFor > 500 && servedFor < 6_000, `served for ${servedFor} ms`);
      assert.ok(served > 0, "none was served");
      const refusals = [
        firstRefusal,
        await call(),
        await login(gateway.url, "john", passwords["john"] ?? ""),
        await send(`${gateway.url}/api/echo`, { headers: bearer(`${token}x`) }),
        await send(`${gateway.url}/ready`),
      ];
      assert.deepEqual(
        refusals.map(({ status }) => status),
        [503, 503, 503, 503, 503],
      );
      for (const { headers } of refusals) assert.match(headers["retry-after"] ?? "", /^[1-9]\d*$/);
      assert.equal((await send(`${gateway.url}/health`)).status, 200);

      putBack();
      const back = performance.now();
      await until("a call to be served", async () => (await call()).status === 200, 5_000);
      t.diagnostic(`served for ${Math.round(servedFor)} ms, back after ${Math.round(performance.now() - back)} ms`);
      assert.equal((await login(gateway.url, "john", passwords["john"] ?? "")).status, 200);
      await withHome(home, async (opened) => {
        await assertSound(opened);
        // One call in the set-up, one when it was back.
        await until("the usage of all", async () => (await allUsage(opened.store)).length === served + 2);
      });
    });
  }
});

/** @returns puts it back */
const moveAway = (path: string): (() => void) => {
  renameSync(path, `${path}.away`);
  return () => renameSync(`${path}.away`, path);
};
