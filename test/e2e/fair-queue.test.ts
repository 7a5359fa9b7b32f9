import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { addService, removeService, revokeClient, setClient, setService } from "@aigw/core";
import { slotsIn, waitingIn } from "@aigw/core/queue";
import { needsOwnClock } from "../support/engine.ts";
import { JumpingClock, startTestGateway, type TestGateway } from "../support/gateway.ts";
import { type HeldService, startHeldService } from "../support/held-service.ts";
import { type Answer, bearer, send, startUpstream } from "../support/http.ts";
import { allUsage } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";
import { openSocket, startSocketService } from "../support/websocket.ts";

interface Scene {
  readonly gateway: TestGateway;
  readonly service: HeldService;
  readonly token: string;
  readonly call: (token?: string, body?: Buffer) => Promise<Answer>;
  /** Calls that wait, as the store has it. */
  readonly waiting: () => Promise<number>;
  readonly slots: () => Promise<number>;
}

const scene = async (
  t: TestContext,
  queue: { concurrency?: number; most?: number; waitMs?: number } = {},
  facts: { limit?: number } = {},
  { holdMs, drainMs = 1_000, clock }: { holdMs?: number; drainMs?: number; clock?: JumpingClock } = {},
): Promise<Scene> => {
  const service = await startHeldService(t, holdMs);
  const gateway = await startTestGateway(t, { admin: true, drainMs, ...(clock && { clock }) });
  const { result, rev } = await addService(gateway.deps, {
    name: "ocr",
    url: service.url,
    queue: { concurrency: 1, ...queue },
  });
  await gateway.applied(rev);
  const token = await gateway.tokenFor("john", facts);
  const record = async () => (await gateway.store.traffic.queueRecord(result.id))?.record;
  return {
    gateway,
    service,
    token,
    call: (of = token, body) =>
      send(`${gateway.url}/api/ocr`, { method: "POST", headers: bearer(of), ...(body && { body }) }),
    waiting: async () => {
      const found = await record();
      return found === undefined ? 0 : waitingIn(found);
    },
    slots: async () => {
      const found = await record();
      return found === undefined ? 0 : slotsIn(found);
    },
  };
};

const waits = ({ waiting }: Scene, count: number): Promise<unknown> =>
  until(`${count} calls to wait`, async () => (await waiting()) === count);

const usageOf = ({ gateway }: Scene, count: number) =>
  until("the usage", async () => {
    const events = await allUsage(gateway.store);
    return events.length >= count && events;
  });

const codeOf = ({ body }: Answer): string => (JSON.parse(body) as { code: string }).code;

describe("a service that takes one call at once", () => {
  it("gets one at once, the others in turn over clients; usage says how long each waited", async (t) => {
    const one = await scene(t);
    const mary = await one.gateway.tokenFor("mary");
    const calls = [one.call(), one.call(), one.call()];
    await one.service.came(1);
    await waits(one, 2);
    calls.push(one.call(mary));
    await waits(one, 3);
    for (let n = 1; n <= 4; n += 1) {
      await one.service.came(n);
      assert.equal(one.service.running(), 1);
      one.service.calls[n - 1]?.answer();
    }
    for (const { status } of await Promise.all(calls)) assert.equal(status, 200);
    assert.deepEqual(
      one.service.calls.map(({ client }) => client),
      ["john", "mary", "john", "john"],
    );
    assert.equal(one.service.most(), 1);
    const events = await usageOf(one, 4);
    assert.equal(events.filter(({ queuedMs }) => queuedMs !== undefined).length, 3);
    for (const { queuedMs = 0, latencyMs } of events) assert.ok(queuedMs <= latencyMs, `${queuedMs} of ${latencyMs}`);
    await until("the slot to be back", async () => (await one.slots()) === 0);
  });

  it("refuses what is more than may wait, with its permit given back, and says when to come again", async (t) => {
    const one = await scene(t, { most: 1 }, { limit: 3 });
    const begun = performance.now();
    const [first, second] = [one.call(), one.call()];
    await one.service.came(1);
    await waits(one, 1);
    for (let n = 0; n < 5; n += 1) {
      const refused = await one.call();
      assert.equal(refused.status, 503);
      assert.equal(codeOf(refused), "service_busy");
      assert.match(refused.headers["retry-after"] ?? "", /^[1-9]\d*$/);
      assert.equal(refused.headers["x-ratelimit-remaining"], "1");
    }
    const { body } = await send(`${one.gateway.gateway.adminUrl}/metrics`);
    for (const line of [
      'aigw_queue_slots{service="ocr"} 1',
      'aigw_queue_slots_used{service="ocr"} 1',
      'aigw_queue_waiting{service="ocr"} 1',
      'aigw_turned_away_total{service="ocr"} 5',
    ]) {
      assert.ok(body.includes(`${line}\n`), line);
    }
    const waited = Number(/aigw_queue_oldest_wait_seconds\{service="ocr"\} (\d+\.\d+)/.exec(body)?.[1]);
    assert.ok(waited > 0 && waited <= (performance.now() - begun) / 1_000, `${waited} s`);
    one.service.calls[0]?.answer();
    await one.service.came(2);
    one.service.calls[1]?.answer();
    assert.deepEqual([(await first).status, (await second).status], [200, 200]);
    const busy = (await usageOf(one, 7)).filter(({ reason }) => reason === "service_busy");
    assert.equal(busy.length, 5);
    assert.deepEqual(new Set(busy.map(({ outcome, status }) => `${outcome} ${status}`)), new Set(["denied 503"]));
  });

  it("refuses what has waited for too long, and does not call the service for it", async (t) => {
    const one = await scene(t, { waitMs: 300 });
    const first = one.call();
    await one.service.came(1);
    const late = await one.call();
    assert.deepEqual([late.status, codeOf(late)], [503, "service_busy"]);
    assert.match(late.body, /no room for this call within 0\.3 s/);
    const event = (await usageOf(one, 1))[0];
    assert.ok((event?.queuedMs ?? 0) >= 300, `${event?.queuedMs}`);
    one.service.calls[0]?.answer();
    assert.equal((await first).status, 200);
    assert.equal(one.service.calls.length, 1);
  });

  it("has those that it refuses come again by how long its calls take", async (t) => {
    const one = await scene(t, { most: 1 });
    const known = one.call();
    await one.service.came(1);
    const began = performance.now();
    await until("it to have taken its time", () => performance.now() - began > 1_200);
    one.service.calls[0]?.answer();
    await known;
    const calls = [one.call(), one.call()];
    await one.service.came(2);
    await waits(one, 1);
    const wait = Number((await one.call()).headers["retry-after"]);
    // One waits before it; a service of which nothing is known takes a second.
    assert.ok(wait >= 3 && wait <= 6, `${wait} s`);
    for (const n of [2, 3]) {
      await one.service.came(n);
      one.service.calls[n - 1]?.answer();
    }
    await Promise.all(calls);
  });

  it("never sees the call of a client that leaves, or is revoked, while it waits; that one is refused at once", async (t) => {
    const one = await scene(t);
    const mary = await one.gateway.tokenFor("mary");
    const first = one.call();
    await one.service.came(1);
    const leaving = httpRequest(`${one.gateway.url}/api/ocr`, { headers: bearer(mary), agent: false });
    leaving.on("error", () => undefined).end();
    await waits(one, 1);
    leaving.destroy();
    await waits(one, 0);
    const revoked = one.call(mary);
    await waits(one, 1);
    const at = performance.now();
    await revokeClient(one.gateway.deps, "mary");
    const answer = await revoked;
    assert.deepEqual([answer.status, codeOf(answer)], [401, "invalid_token"]);
    assert.ok(performance.now() - at < 1_000);
    one.service.calls[0]?.answer();
    assert.equal((await first).status, 200);
    assert.deepEqual(
      one.service.calls.map(({ client }) => client),
      ["john"],
    );
    const events = await usageOf(one, 3);
    const ofMary = events.filter(({ client }) => client === "mary");
    assert.deepEqual(ofMary.map(({ outcome, status, reason }) => [outcome, status, reason ?? ""].join(" ")).sort(), [
      "aborted 0 ",
      "denied 401 client_revoked",
    ]);
    assert.ok(ofMary.every(({ queuedMs }) => queuedMs !== undefined));
  });

  it("is judged again when its turn comes: one that was disabled meanwhile gets no call", async (t) => {
    const one = await scene(t);
    const first = one.call();
    await one.service.came(1);
    const second = one.call();
    await waits(one, 1);
    await setService(one.gateway.deps, "ocr", { disabled: "Back at 14:00." });
    const answer = await second;
    assert.deepEqual([answer.status, codeOf(answer)], [503, "service_disabled"]);
    one.service.calls[0]?.answer();
    assert.equal((await first).status, 200);
    assert.equal(one.service.calls.length, 1);
  });

  it("lets all that wait go when it takes every call, and more when it takes more", async (t) => {
    const one = await scene(t);
    const calls = Array.from({ length: 6 }, () => one.call());
    await one.service.came(1);
    await waits(one, 5);
    await setService(one.gateway.deps, "ocr", { queue: { concurrency: 3 } });
    await one.service.came(3);
    await setService(one.gateway.deps, "ocr", { queue: null });
    await one.service.came(6);
    for (const call of one.service.calls) call.answer();
    for (const { status } of await Promise.all(calls)) assert.equal(status, 200);
  });

  it("gets a waiting call's body whole, of which at most a buffer was read before", async (t) => {
    const one = await scene(t);
    const first = one.call();
    await one.service.came(1);
    const body = Buffer.alloc(3 * 1024 * 1024, "x");
    const large = one.call(one.token, body);
    const small = one.call(one.token, Buffer.from("small"));
    await waits(one, 2);
    one.service.calls[0]?.answer();
    for (const index of [1, 2]) {
      await one.service.came(index + 1);
      await until("the whole body", () => one.service.calls[index]?.request.complete);
      one.service.calls[index]?.answer();
    }
    assert.deepEqual([(await first).status, (await large).status, (await small).status], [200, 200, 200]);
    assert.deepEqual(
      one.service.calls.map(({ bytes }) => bytes()).sort((a, b) => a - b),
      [0, 5, body.length],
    );
  });

  it("is served what waits while the gateway drains; what waits at its end is told to come again", async (t) => {
    const one = await scene(t, {}, {}, { holdMs: 150, drainMs: 30_000 });
    const calls = [one.call(), one.call(), one.call()];
    await one.service.came(1);
    await waits(one, 2);
    const closed = one.gateway.gateway.close();
    for (const { status } of await Promise.all(calls)) assert.equal(status, 200);
    await within("the gateway's end", closed);
    assert.equal(one.service.most(), 1);

    const two = await scene(t);
    const running = two.call().catch(() => undefined);
    await two.service.came(1);
    const waiting = two.call();
    await waits(two, 1);
    const ended = two.gateway.gateway.close();
    const answer = await waiting;
    assert.deepEqual([answer.status, codeOf(answer)], [503, "unavailable"]);
    await running;
    await within("the gateway's end", ended);
    assert.equal(two.service.calls.length, 1);
  });
});

describe("a call that waits", { concurrency: true }, () => {
  it("counts for nothing when it is refused, has waited too long, leaves, or may not call any more", async (t) => {
    const one = await scene(t, { most: 1, waitMs: 1_000 }, { limit: 10 });
    await one.gateway.applied((await setClient(one.gateway.deps, "john", { quota: "requests=10/day" })).rev);
    const left = ({ headers }: Answer): unknown =>
      /"client";r=(\d+);.*"requests\/day";r=(\d+);/.exec(String(headers["ratelimit"]))?.slice(1);
    const first = one.call();
    await one.service.came(1);
    const late = one.call();
    await waits(one, 1);
    const full = await one.call();
    assert.deepEqual([codeOf(full), left(full)], ["service_busy", ["8", "8"]]);
    assert.deepEqual([codeOf(await late), left(await late)], ["service_busy", ["9", "9"]]);
    await one.gateway.applied((await setService(one.gateway.deps, "ocr", { queue: { concurrency: 1, most: 1 } })).rev);
    const leaving = httpRequest(`${one.gateway.url}/api/ocr`, { headers: bearer(one.token), agent: false });
    leaving.on("error", () => undefined).end();
    await waits(one, 1);
    leaving.destroy();
    await waits(one, 0);
    const removed = one.call();
    await waits(one, 1);
    await removeService(one.gateway.deps, "ocr");
    const answer = await removed;
    assert.deepEqual([answer.status, codeOf(answer)], [404, "unknown_service"]);
    // The permit of one that leaves stays taken.
    assert.deepEqual(left(answer), ["8", "9"]);
    one.service.calls[0]?.answer();
    assert.equal((await first).status, 200);
  });

  it("is refused when its client may not call the service any more, with its permit given back", async (t) => {
    const one = await scene(t);
    const mary = await one.gateway.tokenFor("mary", { limit: 10 });
    const first = one.call();
    await one.service.came(1);
    const outOfScope = one.call(mary);
    await waits(one, 1);
    await setClient(one.gateway.deps, "mary", { services: [] });
    const refused = await outOfScope;
    assert.deepEqual([refused.status, codeOf(refused)], [403, "insufficient_scope"]);
    assert.equal(refused.headers["x-ratelimit-remaining"], "10");
    one.service.calls[0]?.answer();
    assert.equal((await first).status, 200);
    assert.equal(one.service.calls.length, 1);
  });

  it("is refused when its token runs out", { skip: needsOwnClock }, async (t) => {
    const clock = new JumpingClock();
    const one = await scene(t, { waitMs: 86_400_000 }, {}, { clock });
    const first = one.call().catch(() => undefined);
    await one.service.came(1);
    const late = one.call();
    await waits(one, 1);
    clock.advance(7_200_000);
    const answer = await late;
    assert.deepEqual([answer.status, codeOf(answer)], [401, "invalid_token"]);
    assert.equal(one.service.calls.length, 1);
    one.service.calls[0]?.answer();
    await first;
  });

  it("waits for the service that has its name by now: as many go there as it takes", async (t) => {
    const one = await scene(t);
    const calls = Array.from({ length: 8 }, () => one.call());
    await one.service.came(1);
    await waits(one, 7);
    await removeService(one.gateway.deps, "ocr");
    const { rev } = await addService(one.gateway.deps, {
      name: "ocr",
      url: one.service.url,
      queue: { concurrency: 1 },
    });
    await one.gateway.applied(rev);
    for (let n = 0; n < 8; n += 1) {
      await until("a call to go there, or all to be refused", async () => {
        const ended = await Promise.all(calls.map((call) => Promise.race([call, undefined])));
        return one.service.calls.length > n || ended.filter((answer) => answer?.status === 404).length === 7;
      });
      one.service.calls[n]?.answer();
    }
    await Promise.all(calls);
    // The call of the old one may be under way beside the first of the other.
    assert.ok(one.service.most() <= 2, `${one.service.most()} at once`);
  });

  it("waits for nothing while its service is down: it is told so, or has its turn where another stands in", async (t) => {
    let isHealthy = true;
    const { url } = await startUpstream(t, (request, response) => {
      if (request.url === "/health") response.writeHead(isHealthy ? 200 : 500).end();
    });
    const small = await startHeldService(t, 30);
    const gateway = await startTestGateway(t);
    const health = { path: "/health", everyMs: 1_000, status: "2xx" };
    const queue = { concurrency: 1 };
    await addService(gateway.deps, { name: "small", url: small.url, queue });
    const big = await addService(gateway.deps, { name: "big", url, health, fallback: "small", queue });
    const { rev, result } = await addService(gateway.deps, { name: "alone", url, health, queue });
    await gateway.applied(rev);
    const token = await gateway.tokenFor("john");
    const call = (name: string): Promise<Answer> => send(`${gateway.url}/api/${name}`, { headers: bearer(token) });
    const stuck = [call("alone"), call("big")].map((each) => each.catch(() => undefined));
    // Else one of those that are to wait could have it first.
    for (const { id } of [big.result, result])
      await until("the slots to be taken", async () => {
        const found = await gateway.store.traffic.queueRecord(id);
        return found !== undefined && slotsIn(found.record) === 1;
      });
    const waiting = [call("alone"), call("big"), call("big"), call("big")];
    await until("a call to wait", async () => {
      const found = await gateway.store.traffic.queueRecord(result.id);
      return found !== undefined && waitingIn(found.record) === 1;
    });
    isHealthy = false;
    const [down, ...elsewhere] = await within("what becomes of those that wait", Promise.all(waiting), 15_000);
    assert.ok(down);
    assert.deepEqual([down.status, codeOf(down)], [503, "service_down"]);
    for (const { status } of elsewhere) assert.equal(status, 200);
    assert.equal(codeOf(await call("alone")), "service_down");
    const more = [call("big"), call("small"), call("big"), call("small"), call("big")];
    for (const { status } of await Promise.all(more)) assert.equal(status, 200);
    assert.equal(small.most(), 1);
    await gateway.gateway.close();
    await Promise.all(stuck);
  });

  it("has the slot of a call that fails, breaks off, or whose client leaves while the service has it", async (t) => {
    let mode: "cut" | "half" | "hang" | "ok" = "ok";
    let came = 0;
    const { url } = await startUpstream(t, (request, response) => {
      came += 1;
      if (mode === "cut") request.socket.destroy();
      else if (mode === "half") {
        response.writeHead(200, { "Content-Length": "10" });
        response.write("half", () => request.socket.destroy());
      } else if (mode === "ok") response.end("ok");
    });
    const gateway = await startTestGateway(t);
    const { rev } = await addService(gateway.deps, { name: "ocr", url, queue: { concurrency: 1 } });
    await gateway.applied(rev);
    const headers = bearer(await gateway.tokenFor("john"));
    const call = (): Promise<number> =>
      send(`${gateway.url}/api/ocr`, { method: "POST", headers }).then(
        ({ status }) => status,
        () => 0,
      );
    for (const [kind, status] of [
      ["cut", 502],
      ["half", 0],
    ] as const) {
      mode = kind;
      assert.equal(await call(), status);
      mode = "ok";
      assert.equal(await within("the slot to be back", call()), 200);
    }
    mode = "hang";
    const leaving = httpRequest(`${gateway.url}/api/ocr`, { headers, agent: false });
    leaving.on("error", () => undefined).end();
    await until("the call to be there", () => came === 5);
    mode = "ok";
    const next = call();
    leaving.destroy();
    assert.equal(await within("the slot to be back", next), 200);
  });
});

it("a WebSocket has its slot for as long as it is open, and waits for one like a call", async (t) => {
  const service = await startSocketService(t);
  const gateway = await startTestGateway(t);
  const { result, rev } = await addService(gateway.deps, {
    name: "live",
    url: service.url,
    queue: { concurrency: 1 },
  });
  await gateway.applied(rev);
  const token = await gateway.tokenFor("john");
  const url = `${gateway.url}/api/live`;
  const first = await openSocket(url, { headers: bearer(token) });
  const second = openSocket(url, { headers: bearer(token) });
  const waiting = async (): Promise<number> => {
    const found = await gateway.store.traffic.queueRecord(result.id);
    return found === undefined ? 0 : waitingIn(found.record);
  };
  await until("the second to wait", async () => (await waiting()) === 1);
  first.socket.send("hello");
  assert.equal(await first.next(), "hello");
  assert.equal(service.seen.length, 1);
  first.socket.close();
  const opened = await second;
  opened.socket.send("hello");
  assert.equal(await opened.next(), "hello");
  const third = openSocket(url, { headers: bearer(token) }).then(
    () => "opened",
    () => "gone",
  );
  await until("the third to wait", async () => (await waiting()) === 1);
  const left = new AbortController();
  const leaving = httpRequest(url, {
    agent: false,
    signal: left.signal,
    headers: {
      ...bearer(token),
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
  });
  leaving.on("error", () => undefined).end();
  await until("the fourth to wait", async () => (await waiting()) === 2);
  left.abort();
  await until("the fourth to have left", async () => (await waiting()) === 1);
  await revokeClient(gateway.deps, "john");
  assert.equal(await third, "gone");
  assert.equal((await opened.closed).code, 1008);
  assert.equal(service.seen.length, 2);
  await until("nothing to be left of it", async () => {
    const found = await gateway.store.traffic.queueRecord(result.id);
    return found === undefined || (slotsIn(found.record) === 0 && waitingIn(found.record) === 0);
  });
});
