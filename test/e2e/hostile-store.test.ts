import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { revokeClient, type Store, setClient } from "@aigw/core";
import { HostileStore, type StoreMethod } from "@aigw/core/testing";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, login, send, startEcho, tokenFor } from "../support/http.ts";
import { until } from "../support/until.ts";

/** What a request may wait for one answer of the store, and what a busy machine may add. */
const WAIT_MS = 250;
const SLACK_MS = 250;

const setUp = async (t: TestContext, options: { maxStaleMs?: number } = {}) => {
  const echo = await startEcho(t);
  let hostile: HostileStore | undefined;
  // Also when the test fails: the gateway is to end.
  t.after(() => hostile?.calm());
  const started = await startTestGateway(t, {
    ...options,
    services: { echo: echo.url },
    through: (store) => (hostile = new HostileStore(store)),
  });
  const { url } = started;
  const store = hostile as HostileStore;
  const john = await started.add("john", { limit: 1_000_000 });
  const token = await tokenFor(url, john.name, john.password);
  const call = async (): Promise<{ status: number; ms: number }> => {
    const start = performance.now();
    const { status } = await send(`${url}/api/echo`, { headers: bearer(token) });
    return { status, ms: performance.now() - start };
  };
  const logIn = async (): Promise<{ status: number; ms: number }> => {
    const start = performance.now();
    const { status } = await login(url, john.name, john.password);
    return { status, ms: performance.now() - start };
  };
  const callsFor = async (ms: number): Promise<{ statuses: Set<number>; worstMs: number; medianMs: number }> => {
    const calls: { status: number; ms: number }[] = [];
    for (const end = performance.now() + ms; performance.now() < end; ) calls.push(await call());
    const took = calls.map((one) => one.ms).sort((a, b) => a - b);
    return {
      statuses: new Set(calls.map(({ status }) => status)),
      worstMs: Math.round(took.at(-1) ?? 0),
      medianMs: Math.round(took[Math.floor(took.length / 2)] ?? 0),
    };
  };
  assert.equal((await call()).status, 200);
  return { ...started, hostile: store, call, logIn, callsFor, john, token };
};

describe("a store that never answers", { concurrency: true }, () => {
  const silences: Readonly<Record<string, readonly StoreMethod[]>> = {
    "the head of the log": ["control.head"],
    "the changes": ["control.changesAfter"],
    "the permits": ["traffic.permitWindow", "traffic.setPermitWindow"],
    "anything that is written": [
      "traffic.setPermitWindow",
      "traffic.recordUsage",
      "traffic.recordTokens",
      "traffic.reportInstance",
    ],
  };
  for (const [what, methods] of Object.entries(silences)) {
    it(`to be asked for ${what}: known clients are served, no request waits longer than its bound`, async (t) => {
      const { hostile, deps, callsFor, logIn, call, store, gateway } = await setUp(t);
      hostile.treat(methods, { kind: "never" });
      // Something to be learned, which cannot be.
      const { rev } = await setClient(deps, "john", { limit: 2_000_000 });
      const during = await callsFor(1_500);
      const first = await logIn();
      t.diagnostic(
        `${JSON.stringify({ ...during, statuses: [...during.statuses] })}, login ${Math.round(first.ms)} ms`,
      );
      assert.deepEqual([...during.statuses], [200]);
      assert.ok(during.worstMs <= WAIT_MS + SLACK_MS, `${during.worstMs} ms`);
      assert.ok(during.medianMs <= 50, "they do not wait one after the other");
      assert.equal(first.status, 200);
      // A look at the log, and one answer about the guesses.
      assert.ok(first.ms <= 2 * WAIT_MS + SLACK_MS, `${first.ms} ms`);

      hostile.calm();
      const back = performance.now();
      await until("the change to be applied", async () => {
        const seen = (await store.traffic.instances(5_000)).find(({ id }) => id === gateway.instanceId);
        return seen?.appliedRev === rev;
      });
      assert.ok(performance.now() - back < 2_000, "back within 2 s");
      assert.equal((await call()).status, 200);
    });
  }

  it("learns what was admitted meanwhile as soon as it is back, though nobody calls any more", async (t) => {
    const { hostile, url, add, store } = await setUp(t);
    const mary = await add("mary", { limit: 60 });
    const token = await tokenFor(url, mary.name, mary.password);
    hostile.treat(["traffic.permitWindow", "traffic.setPermitWindow"], { kind: "throws" });
    for (let n = 0; n < 3; n += 1)
      assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, 200);
    const { id } = (await store.control.client("mary")) ?? { id: "" };
    const stored = async (): Promise<number> => {
      const { window } = (await store.traffic.permitWindow(id)) ?? {};
      return window?.spent.reduce((sum, [, count]) => sum + count, 0) ?? 0;
    };
    assert.equal(await stored(), 0);
    hostile.calm();
    await until("its permits in the store", async () => (await stored()) === 3, 3_000);
  });

  it("answers 503 after --max-stale, never 401, and learns of a revocation when it is back", async (t) => {
    const { hostile, call, logIn, deps, url, token } = await setUp(t, { maxStaleMs: 600 });
    hostile.treatAll({ kind: "never" });
    await revokeClient(deps, "john");
    const refused = await until("the first refusal", async () => {
      const answer = await call();
      assert.ok(answer.ms <= 2 * WAIT_MS + SLACK_MS, `${answer.ms} ms`);
      return answer.status !== 200 && answer;
    });
    assert.equal(refused.status, 503);
    for (const answer of [await call(), await logIn()]) {
      assert.equal(answer.status, 503);
      assert.ok(answer.ms <= WAIT_MS + SLACK_MS, `${answer.ms} ms`);
    }
    const forged = await send(`${url}/api/echo`, { headers: bearer(`${token}x`) });
    assert.equal(forged.status, 503);
    hostile.calm();
    const back = await until("an answer that is not 503", async () => {
      const answer = await call();
      return answer.status !== 503 && answer;
    });
    assert.equal(back.status, 401, "it was revoked meanwhile");
  });
});

it("a gateway behind a store that answers by promises, late or only after a retry, serves as any other", async (t) => {
  const { hostile, call, logIn, deps, store, token, url } = await setUp(t);
  hostile.treatAll({ kind: "late", ms: 20 });
  hostile.treat("traffic.recordUsage", { kind: "twice" });
  for (let i = 0; i < 10; i += 1) assert.equal((await call()).status, 200);
  assert.equal((await logIn()).status, 200);
  await until("each event once", async () => (await store.traffic.latestUsage({}, 100)).events.length === 11);
  await revokeClient(deps, "john");
  const start = performance.now();
  await until("the refusal", async () => (await call()).status === 401);
  assert.ok(performance.now() - start < 1_000, "revoked within a second");
  assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, 401);
});

it("a gateway that starts while the store is away for a moment starts", async (t) => {
  let hostile: HostileStore | undefined;
  const through = (store: Store): Store => {
    hostile = new HostileStore(store);
    hostile.treat("traffic.reportInstance", { kind: "throws", later: 0 });
    setTimeout(() => hostile?.calm(), 600);
    return hostile;
  };
  const { url } = await startTestGateway(t, { through });
  assert.equal((await send(`${url}/ready`)).status, 200);
  assert.ok((hostile?.calls("traffic.reportInstance") ?? 0) > 1);
});

it("what came while the store was away is refused with 503, never with 401", async (t) => {
  const { url, hostile, home, add, logIn } = await setUp(t);
  const other = await startTestGateway(t, { home });
  hostile.treat(["control.head", "control.changesAfter"], { kind: "never" });
  const mary = await add("mary");
  const token = await tokenFor(other.url, mary.name, mary.password);
  const call = (): ReturnType<typeof send> => send(`${url}/api/echo`, { headers: bearer(token) });
  const refusal = await call();
  assert.deepEqual([refusal.status, refusal.headers["retry-after"]], [503, "5"]);
  assert.equal((await login(url, mary.name, mary.password)).status, 503);
  assert.equal((await login(url, "nobody", mary.password)).status, 503, "nor is it said who exists");
  assert.equal((await logIn()).status, 200, "who is known is known");
  hostile.calm();
  await until("the store to be looked at again", async () => (await call()).status === 200);
  assert.equal((await login(url, mary.name, mary.password)).status, 200);
  assert.equal((await login(url, "nobody", mary.password)).status, 401);
});
