import assert from "node:assert/strict";
import { test } from "node:test";
import { anEvent } from "@aigw/core/testing";
import { aigw, json, opened, temporaryHome } from "./support/harness.ts";

interface Queues {
  readonly queues: readonly Readonly<Record<string, unknown>>[];
}

interface Findings {
  readonly findings: readonly { readonly code: string; readonly service?: string | null }[];
}

test("who waits for a service is in status, top, why, review and doctor", async (t) => {
  const home = temporaryHome(t);
  const added = ["service", "add", "ocr", "http://127.0.0.1:1", "--no-check", "--concurrency", "2", "--queue", "14"];
  assert.equal((await aigw(home, added)).code, 0);
  assert.equal((await aigw(home, ["service", "add", "chat", "http://127.0.0.1:1", "--no-check"])).code, 0);
  assert.equal((await aigw(home, ["client", "add", "john", "-q"])).code, 0);
  const nobody = json<Queues>(await aigw(home, ["status", "--json"]));
  const none = { service: "ocr", concurrency: 2, slots: 0, waiting: 0, queue: 14, oldestWaitMs: null, serviceMs: null };
  assert.deepEqual(nobody.queues, [none]);

  const { store } = await opened(t, home);
  const { id = "" } = (await store.control.service("ocr")) ?? {};
  const now = store.traffic.steadyNow();
  await store.traffic.setQueueRecord(id, 0, {
    turn: 3,
    ahead: {},
    holdMs: 1_500,
    holders: {
      one: { seq: 1, until: now + 60_000, slots: 1, given: {}, waiting: { c_1: [9, now - 3_000, now, 1] } },
      two: { seq: 1, until: now + 60_000, slots: 1, given: {}, waiting: { c_2: [5, now - 1_000, now, 2] } },
      // Killed some time ago.
      three: { seq: 1, until: now - 1, slots: 2, given: {}, waiting: { c_3: [50, now - 90_000, now, 1] } },
    },
  });
  const at = Date.now();
  const waited = { at, client: "john", service: "ocr", latencyMs: 5_000, queuedMs: 4_000 };
  const refused = {
    at,
    client: "john",
    service: "ocr",
    status: 503,
    outcome: "denied",
    reason: "service_busy",
  } as const;
  await store.traffic.recordUsage([anEvent(waited), anEvent(refused), anEvent({ ...refused, requestId: "busy-1" })]);

  const { queues } = json<Queues>(await aigw(home, ["status", "--json"]));
  const { oldestWaitMs, ...rest } = queues[0] ?? {};
  assert.deepEqual(rest, { service: "ocr", concurrency: 2, slots: 2, waiting: 14, queue: 14, serviceMs: 1_500 });
  assert.ok(Number(oldestWaitMs) >= 3_000 && Number(oldestWaitMs) < 30_000, String(oldestWaitMs));
  const words = /ocr +2 of 2 slots in use, 14 calls wait, the first for \d/;
  assert.match((await aigw(home, ["top", "--once"])).stdout, words);
  assert.deepEqual(json<Queues>(await aigw(home, ["top", "--once", "--json"])).queues.length, 1);

  const codes = (document: Findings): readonly string[] => document.findings.map(({ code }) => code);
  const why = codes(json<Findings>(await aigw(home, ["why", "john", "--json"])));
  assert.ok(why.includes("service_waits") && why.includes("service_busy"), why.join());
  const request = await aigw(home, ["why", "busy-1"]);
  assert.match(request.stdout, /ocr had all the calls that it takes at once/);
  const review = json<Findings>(await aigw(home, ["review", "--json"]));
  assert.deepEqual(
    review.findings.filter(({ service }) => service === "ocr").map(({ code }) => code),
    ["turned_away"],
  );
  const doctor = await aigw(home, ["doctor", "--json"]);
  assert.match(doctor.stdout, /"service_busy"/);
  assert.match(doctor.stdout, /Its queue is full: 2 of 2 slots in use, 14 calls wait.* 2 calls got 503/);

  // Where they wait for too long, more room would have more of them wait for too long.
  const slow = ["service", "add", "slow", "http://127.0.0.1:1", "--no-check", "--concurrency", "1"];
  assert.equal((await aigw(home, slow)).code, 0);
  const late = { ...refused, service: "slow", requestId: "late-1", queuedMs: 30_001, latencyMs: 30_002 };
  await store.traffic.recordUsage([anEvent(late)]);
  for (const args of [["why", "john"], ["why", "late-1"], ["review"], ["doctor"]]) {
    const { stdout } = await aigw(home, args);
    assert.match(stdout, /aigw service set slow --queue-wait 60s/, args.join(" "));
    assert.doesNotMatch(stdout, /service set slow --queue /, args.join(" "));
  }
});
