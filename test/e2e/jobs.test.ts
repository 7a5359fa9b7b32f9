import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  addService,
  removeService,
  restoreClient,
  revokeClient,
  setClient,
  setPassword,
  setService,
  setSetting,
} from "@aigw/core";
import { cancelledJob } from "@aigw/core/jobs";
import { waitingIn } from "@aigw/core/queue";
import { aJob } from "@aigw/core/testing";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { bearer, send, tokenFor } from "../support/http.ts";
import { called, codeOf, filesOf, halfOf, type JobScene, startJobScene as scene } from "../support/job-scene.ts";
import { type HeldService, jobClient } from "../support/jobs.ts";
import { allUsage, UNLIMITED } from "../support/prepared-home.ts";
import { fillDisk, mountSmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

const ended = (state: string): string | false => state !== "queued" && state !== "running" && state;

describe("a job", () => {
  it("is taken with 202, runs as a call of its client, and has the answer as the service gave it", async (t) => {
    const { gateway, service, john } = await scene(t);
    const body = randomBytes(200_000);
    const taken = await john.ask("/api/whisper/v1/transcribe?lang=en", {
      body,
      headers: {
        Prefer: 'respond-async, wait=5, return=minimal, callback=""; x=y'.replace(', callback=""; x=y', ""),
        "Content-Type": "audio/wav",
        Cookie: "a=b",
        "X-Request-ID": "follow-me",
      },
    });
    assert.equal(taken.status, 202);
    assert.match(String(taken.headers.location), /^\/jobs\/j_[0-9a-f]{40}$/);
    assert.equal(taken.headers["preference-applied"], "respond-async");
    assert.equal(taken.headers["x-client-id"], "john");
    assert.ok(taken.headers["ratelimit"]);
    const { id } = JSON.parse(taken.body) as { id: string };
    const { request, response, body: got } = await called(service);
    assert.ok(got.equals(body));
    assert.equal(request.url, "/v1/transcribe?lang=en");
    assert.equal(request.method, "POST");
    const { headers } = request;
    assert.equal(headers["x-client-id"], "john");
    assert.equal(headers["x-api-key"], "sesame");
    assert.equal(headers["content-type"], "audio/wav");
    assert.equal(headers["content-length"], String(body.length));
    assert.equal(headers["prefer"], "return=minimal");
    assert.equal(headers["x-forwarded-for"], "127.0.0.1");
    assert.equal(headers["x-forwarded-host"], new URL(gateway.url).host);
    assert.equal(headers["x-request-id"], "follow-me");
    for (const absent of ["authorization", "cookie"]) assert.equal(headers[absent], undefined);
    assert.equal((await john.show(id)).state, "running");
    const early = await john.get(`/jobs/${id}/result`);
    assert.equal(early.status, 409);
    assert.equal(codeOf(early), "no_result");
    const answer = randomBytes(300_000);
    response.writeHead(200, "Fine", [
      ["Content-Type", "text/x-thing"],
      ["Set-Cookie", "one=1"],
      ["Set-Cookie", "two=2"],
      ["ETag", '"v1"'],
      ["X-RateLimit-Limit", "7"],
    ] as unknown as string[]);
    response.end(answer);
    const done = await john.becomes(id, "done");
    assert.deepEqual([done.status, done.request_bytes, done.result_bytes], [200, body.length, answer.length]);
    const result = await fetch(`${gateway.url}/jobs/${id}/result`, { headers: bearer(await freshToken(gateway)) });
    assert.equal(result.status, 200);
    assert.equal(result.statusText, "Fine");
    assert.equal(result.headers.get("content-type"), "text/x-thing");
    assert.deepEqual(result.headers.getSetCookie().length, 2);
    assert.equal(result.headers.get("content-length"), String(answer.length));
    assert.notEqual(result.headers.get("x-ratelimit-limit"), "7");
    assert.ok(Buffer.from(await result.arrayBuffer()).equals(answer));
    const [event, ...more] = await until("the usage", async () => {
      const events = await allUsage(gateway.store);
      return events.length > 0 && events;
    });
    assert.deepEqual(more, []);
    assert.deepEqual(
      [event?.client, event?.service, event?.status, event?.outcome, event?.bytesIn, event?.bytesOut, event?.requestId],
      ["john", "whisper", 200, "ok", body.length, answer.length, "follow-me"],
    );
    // The request is not kept any longer than it is needed.
    await until("the request to be gone", () => filesOf(gateway).length === 1, 1_000);
    assert.deepEqual(
      filesOf(gateway).map((name) => name.replace(/.*\./, "")),
      ["answer"],
    );
  });

  it("gives parts of its answer, and its head", async (t) => {
    const { service, john } = await scene(t);
    const id = await john.submit("/api/whisper/a");
    const answer = randomBytes(200_000);
    const { response } = await called(service);
    response.writeHead(200, { ETag: '"v1"' });
    response.end(answer);
    await john.becomes(id, "done");
    const path = `/jobs/${id}/result`;
    const part = async (range: string, extra: Record<string, string> = {}) =>
      john.get(path, { Range: range, ...extra });
    for (const [range, from, until] of [
      ["bytes=0-0", 0, 1],
      ["bytes=65530-65550", 65_530, 65_551],
      ["bytes=199990-", 199_990, 200_000],
      ["bytes=-5", 199_995, 200_000],
      ["bytes=100-999999999", 100, 200_000],
    ] as const) {
      const got = await part(range);
      assert.equal(got.status, 206, range);
      assert.equal(got.headers["content-range"], `bytes ${from}-${until - 1}/200000`);
      assert.equal(got.headers["content-length"], String(until - from));
    }
    const beyond = await part("bytes=200000-");
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers["content-range"], "bytes */200000");
    assert.equal((await part("bytes=0-1", { "If-Range": '"v1"' })).status, 206);
    for (const [range, condition] of [
      ["bytes=0-1", '"v2"'],
      ["bytes=0-1,5-6", '"v1"'],
      ["lines=1-2", '"v1"'],
    ] as const) {
      const whole = await part(range, { "If-Range": condition });
      assert.equal(whole.status, 200, range);
      assert.equal(whole.headers["accept-ranges"], "bytes");
    }
    const head = await john.get(path, {}, "HEAD");
    assert.deepEqual([head.status, head.headers["content-length"], head.body], [200, "200000", ""]);
  });

  it("is read by the web pages that may, whatever its service says of them", async (t) => {
    const { service, john, gateway } = await scene(t);
    const origin = "https://app.example.com";
    await gateway.applied((await setSetting(gateway.deps, "cors-origins", origin)).rev);
    const taken = await john.ask("/api/whisper/x", { headers: { Origin: origin } });
    const id = String(taken.headers.location).replace("/jobs/", "");
    assert.match(String(taken.headers["access-control-expose-headers"]), /, Location, Preference-Applied$/);
    const said = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "X-Kept", "X-Kept": "yes" };
    (await called(service)).response.writeHead(200, said).end("x");
    await john.becomes(id, "done");
    const { status, rawHeaders, headers } = await john.get(`/jobs/${id}/result`, { Origin: origin, Range: "bytes=0-" });
    assert.deepEqual([status, headers["x-kept"]], [206, "yes"]);
    assert.match(String(headers["access-control-expose-headers"]), /^X-Kept, .*, Accept-Ranges, Content-Range$/);
    const allowed = rawHeaders.filter((_value, index) =>
      /^access-control-allow-origin$/i.test(rawHeaders[index - 1] ?? ""),
    );
    assert.deepEqual(allowed, [origin]);
  });

  it("keeps what the service says in whatever way, and says when it did not answer", async (t) => {
    const { service, john, gateway } = await scene(t);
    const end = async (answer: (response: HeldService["open"][number]["response"]) => void, state: string) => {
      const id = await john.submit("/api/whisper/x");
      answer((await called(service)).response);
      const shown = await john.becomes(id, state);
      return { shown, result: await john.get(`/jobs/${id}/result`) };
    };
    const teapot = await end((response) => response.writeHead(418, { "X-Why": "tea" }).end("no"), "done");
    assert.deepEqual([teapot.result.status, teapot.result.headers["x-why"], teapot.result.body], [418, "tea", "no"]);
    const empty = await end((response) => response.writeHead(204).end(), "done");
    assert.deepEqual([empty.result.status, empty.result.headers["content-length"]], [204, undefined]);
    const broken = await end((response) => response.writeHead(503).end("busy"), "done");
    assert.deepEqual([broken.result.status, broken.result.body], [503, "busy"]);
    const gone = await end((response) => response.socket?.destroy(), "failed");
    assert.equal(gone.result.status, 502);
    const half = await end((response) => {
      response.writeHead(200, { "Content-Length": "100" });
      response.write("half", () => response.destroy());
    }, "failed");
    assert.equal(half.result.status, 409);
    const outcomes = await until("five events", async () => {
      const events = await allUsage(gateway.store);
      return events.length === 5 && events.map(({ outcome }) => outcome);
    });
    assert.deepEqual(outcomes, ["ok", "ok", "upstream_error", "upstream_error", "incomplete"]);
  });

  it("is a call like any other without the wish, at a service without jobs, and for a HEAD", async (t) => {
    const { service, john, gateway, token } = await scene(t);
    const { rev } = await addService(gateway.deps, { name: "plain", url: service.url });
    await gateway.applied(rev);
    const call = async (path: string, method: string, headers: Record<string, string>) => {
      const answer = send(`${gateway.url}${path}`, { method, headers: { ...bearer(token), ...headers } });
      const { request, response } = await called(service);
      const { prefer } = request.headers;
      response.end("direct");
      return [(await answer).status, prefer];
    };
    assert.deepEqual(await call("/api/whisper/x", "POST", {}), [200, undefined]);
    assert.deepEqual(await call("/api/whisper/x", "POST", { Prefer: "return=minimal" }), [200, "return=minimal"]);
    assert.deepEqual(await call("/api/plain/x", "POST", { Prefer: "respond-async" }), [200, "respond-async"]);
    assert.deepEqual(await call("/api/whisper/x", "HEAD", { Prefer: "respond-async" }), [200, "respond-async"]);
    assert.equal((JSON.parse((await john.get("/jobs/")).body) as { jobs: unknown[] }).jobs.length, 0);
  });

  it("is its client's alone", async (t) => {
    const { service, john, gateway } = await scene(t);
    const id = await john.submit("/api/whisper/x");
    (await called(service)).response.end("secret");
    await john.becomes(id, "done");
    const ann = jobClient(gateway.url, await gateway.tokenFor("ann", UNLIMITED));
    for (const path of [`/jobs/${id}`, `/jobs/${id}/result`]) assert.equal((await ann.get(path)).status, 404);
    assert.equal((await ann.cancel(id)).status, 404);
    assert.equal((await ann.get("/jobs/j_1")).status, 404);
    assert.equal((await send(`${gateway.url}/jobs/${id}`)).status, 401);
    assert.equal((await send(`${gateway.url}/jobs/${id}`, { headers: bearer("x.y.z") })).status, 401);
    assert.equal((await john.get(`/jobs/${id}`, {}, "POST")).status, 405);
    assert.equal((await john.get(`/jobs/${id}/result`)).body, "secret");
    const list = JSON.parse((await john.get("/jobs/")).body) as { jobs: { id: string }[] };
    assert.deepEqual(
      list.jobs.map((job) => job.id),
      [id],
    );
    assert.deepEqual(JSON.parse((await ann.get("/jobs/")).body), { jobs: [] });
  });

  it("is ended by its client: the service is let go, and nothing is kept", async (t) => {
    const { service, john, gateway } = await scene(t);
    const ids = [];
    for (const path of ["/api/whisper/1", "/api/whisper/2", "/api/whisper/3"])
      ids.push(await john.submit(path, { body: "x" }));
    const [first = "", second = "", third = ""] = ids;
    await called(service, 2);
    assert.equal((await john.show(third)).state, "queued");
    assert.equal((await john.show(third)).ahead, 0);
    assert.equal((await john.cancel(third)).status, 204);
    assert.equal((await john.show(third)).state, "cancelled");
    assert.equal((await john.cancel(first)).status, 204);
    await until("the service to be let go", () => service.aborted.length === 1, 2_000);
    assert.equal((await john.show(first)).state, "cancelled");
    (await called(service)).response.end("done");
    await john.becomes(second, "done");
    assert.equal((await john.cancel(second)).status, 204);
    assert.equal((await john.get(`/jobs/${second}`)).status, 404);
    await until("the files to be gone", () => filesOf(gateway).length === 0);
    const outcomes = await until("three events", async () => {
      const events = await allUsage(gateway.store);
      return events.length === 3 && events.map(({ outcome }) => outcome).toSorted();
    });
    assert.deepEqual(outcomes, ["aborted", "aborted", "ok"]);
  });

  it("is not run beside more than two of its service, and clients take turns", async (t) => {
    const { service, john, gateway } = await scene(t);
    const ann = jobClient(gateway.url, await gateway.tokenFor("ann", UNLIMITED));
    for (let index = 0; index < 8; index += 1) await john.submit(`/api/whisper/john${index}`);
    await called(service, 2);
    const light = await ann.submit("/api/whisper/ann");
    assert.ok(((await ann.show(light)).ahead ?? 99) <= 1);
    const order: string[] = [];
    for (let done = 0; done < 9; done += 1) {
      const { request, response } = await called(service);
      order.push(request.url ?? "");
      response.end();
      await until("the next", () => !service.open.some((call) => call.response === response));
      if (done < 7) await called(service, 2);
    }
    assert.ok(order.indexOf("/ann") <= 3, order.join(" "));
    assert.equal(service.most(), 2);
  });

  it("shows nothing in the home of what was asked and answered, and is gone after its time", async (t) => {
    const { service, john, gateway } = await scene(t, { keepMs: 1_500 });
    const canary = "canary-0f3c9e";
    const id = await john.submit(`/api/whisper/x?secret=${canary}`, {
      body: `${canary} `.repeat(10_000),
      headers: { "X-Secret": canary },
    });
    (await called(service)).response.writeHead(200, { "X-Answer": canary }).end(`${canary} `.repeat(10_000));
    await john.becomes(id, "done");
    assert.equal((await john.get(`/jobs/${id}/result`)).headers["x-answer"], canary);
    const everything = readdirSync(gateway.home, { recursive: true, encoding: "utf8", withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
    assert.ok(everything.length > 1);
    assert.equal(
      everything.some((bytes) => bytes.includes(canary)),
      false,
    );
    await until("it to be gone", async () => filesOf(gateway).length === 0, 5_000);
    // The record goes behind its files.
    await until("nothing to be told of it", async () => (await john.get(`/jobs/${id}`)).status === 404, 1_000);
    assert.equal((await john.get(`/jobs/${id}/result`)).status, 404);
    assert.deepEqual(filesOf(gateway), []);
  });

  it("is bounded: by number, by what a client keeps, and by what is kept in all", async (t) => {
    const { service, john, gateway } = await scene(t);
    const set = async (key: "jobs-per-client" | "jobs-client-size" | "jobs-size", value: string) =>
      gateway.applied((await setSetting(gateway.deps, key, value)).rev);
    await set("jobs-per-client", "3");
    const answers = await Promise.all(Array.from({ length: 8 }, () => john.ask("/api/whisper/x", { body: "x" })));
    const taken = answers.filter(({ status }) => status === 202).length;
    assert.ok(taken <= 3, `${taken}`);
    for (const answer of answers) if (answer.status !== 202) assert.equal(codeOf(answer), "too_many_jobs");
    for (let more = taken; more < 3; more += 1) await john.submit("/api/whisper/x", { body: "x" });
    assert.equal((await john.ask("/api/whisper/x")).status, 429);
    assert.equal(filesOf(gateway).length, 3);
    await set("jobs-per-client", "99");
    await set("jobs-client-size", "1m");
    const large = await john.ask("/api/whisper/x", { body: Buffer.alloc(2 ** 20) });
    assert.deepEqual([large.status, codeOf(large)], [507, "insufficient_storage"]);
    const chunked = await john.ask("/api/whisper/x", {
      body: Buffer.alloc(2 ** 20),
      headers: { "Transfer-Encoding": "chunked" },
    });
    assert.equal(chunked.status, 507);
    // An answer that finds no room ends its job, and is not kept by half.
    const [first] = service.open;
    first?.response.end(Buffer.alloc(3 * 2 ** 20));
    await until("it to fail", async () => {
      const jobs = await gateway.store.traffic.jobs({ state: "failed" }, { limit: 1 });
      return jobs.length === 1;
    });
    // Files go behind their records.
    await until("nothing of it to be kept", () => !filesOf(gateway).some((name) => name.endsWith(".answer")), 1_000);
  });

  it("takes a permit of the limit when it comes, and none when it runs or is asked for", async (t) => {
    const { service, gateway } = await scene(t);
    const ann = jobClient(gateway.url, await gateway.tokenFor("ann", { limit: 2 }));
    const ids = [await ann.submit("/api/whisper/1"), await ann.submit("/api/whisper/2")];
    const over = await ann.ask("/api/whisper/3");
    assert.deepEqual([over.status, codeOf(over)], [429, "rate_limited"]);
    await called(service, 2);
    for (const { response } of [...service.open]) response.end("ok");
    for (const id of ids) await ann.becomes(id, "done");
    for (let polls = 0; polls < 20; polls += 1) {
      const { status, headers } = await ann.get(`/jobs/${ids[0]}`);
      assert.deepEqual([status, headers["x-ratelimit-remaining"]], [200, "0"]);
    }
  });
});

describe("a job whose client has quotas", () => {
  it("counts as one request when it runs, and has the refusal as its result where they are used up", async (t) => {
    const { service, john, gateway } = await scene(t);
    await gateway.applied((await setClient(gateway.deps, "john", { quota: "requests=1/month" })).rev);
    const ids = [await john.submit("/api/whisper/1"), await john.submit("/api/whisper/2")];
    (await called(service)).response.end("ok");
    const states = await Promise.all(ids.map((id) => until("its end", async () => ended((await john.show(id)).state))));
    assert.deepEqual(states.toSorted(), ["done", "failed"]);
    const refused = await john.get(`/jobs/${ids[states.indexOf("failed")]}/result`);
    assert.deepEqual([refused.status, codeOf(refused)], [429, "quota_exceeded"]);
    assert.equal(service.seen.length, 1);
    const outcomes = await until("the events", async () => {
      const events = await allUsage(gateway.store);
      return events.length >= 2 && events.map(({ outcome }) => outcome).toSorted();
    });
    assert.deepEqual(outcomes, ["limited", "ok"]);
  });
});

describe("a job of a service with a fair queue", () => {
  it("waits for its turn beside calls, for as long as that takes, and is one usage event", async (t) => {
    const { service, john, gateway, token } = await scene(t);
    const queue = { concurrency: 1, most: 1, waitMs: 300 };
    const { rev, result: whisper } = await setService(gateway.deps, "whisper", { queue });
    await gateway.applied(rev);
    const call = send(`${gateway.url}/api/whisper/call`, { headers: bearer(token) });
    const { response } = await called(service);
    const id = await john.submit("/api/whisper/job", { body: "x" });
    await until("it to wait", async () => {
      const found = await gateway.store.traffic.queueRecord(whisper.id);
      return found !== undefined && waitingIn(found.record) === 1;
    });
    // Its place is the only one; a call that had it would be refused after 0.3 s.
    const refused = await send(`${gateway.url}/api/whisper/call`, { headers: bearer(token) });
    assert.equal(refused.status, 503);
    await delay(500);
    assert.deepEqual([(await john.show(id)).state, service.seen.length], ["running", 1]);
    response.end("call");
    assert.equal((await call).status, 200);
    const { response: jobs, request } = await called(service);
    assert.equal(request.url, "/job");
    jobs.end("job");
    await john.becomes(id, "done");
    assert.equal(service.most(), 1);
    const outcomes = await until("the events", async () => {
      const events = await allUsage(gateway.store);
      return events.length >= 3 && events.map(({ outcome, path }) => `${outcome} ${path}`).toSorted();
    });
    assert.deepEqual(outcomes, ["denied /api/whisper/call", "ok /api/whisper/call", "ok /api/whisper/job"]);
  });

  it("waits where no call may, too", async (t) => {
    const { service, john, gateway, token } = await scene(t);
    const queue = { concurrency: 1, most: 0 };
    await gateway.applied((await setService(gateway.deps, "whisper", { queue })).rev);
    const call = send(`${gateway.url}/api/whisper/call`, { headers: bearer(token) });
    const { response } = await called(service);
    const id = await john.submit("/api/whisper/job", { body: "x" });
    await john.becomes(id, "running");
    await john.becomes(id, "queued");
    response.end("call");
    assert.equal((await call).status, 200);
    (await called(service)).response.end("job");
    await john.becomes(id, "done");
    assert.equal(service.most(), 1);
  });
});

describe("jobs that wait", () => {
  it("hold nothing but their records, and a light client's comes next, however many a greedy one has", async (t) => {
    const { service, john, gateway } = await scene(t);
    const ann = jobClient(gateway.url, await gateway.tokenFor("ann", UNLIMITED));
    const ids = [await john.submit("/api/whisper/1"), await john.submit("/api/whisper/2")];
    await called(service, 2);
    const { traffic } = gateway.store;
    const first = await traffic.job(ids[0] ?? "");
    assert.ok(first);
    const { client, place, at } = first.job;
    for (let index = 0; index < 3_000; index += 1) {
      const wakeAt = at + 3_600_000;
      await traffic.setJob(0, aJob({ client, place, at: at + index / 10, wakeAt, keepMs: 3_600_000 }));
    }
    const light = await ann.submit("/api/whisper/ann");
    const since = performance.now();
    const { ahead } = await ann.show(light);
    assert.equal(ahead, 1);
    service.open[0]?.response.end("done");
    await until("the light one to run", () => service.open.some(({ request }) => request.url === "/ann"), 3_000);
    assert.ok(performance.now() - since < 3_000);
    assert.equal((await traffic.jobs({ state: "failed" }, { limit: 1 })).length, 0);
  });

  it("wait while their service is out of use, and are failed when they have waited as long as they are kept", async (t) => {
    const { service, john, gateway } = await scene(t, { keepMs: 2_000 });
    const held = [await john.submit("/api/whisper/1"), await john.submit("/api/whisper/2")];
    await called(service, 2);
    const id = await john.submit("/api/whisper/3");
    await gateway.applied((await setService(gateway.deps, "whisper", { disabled: "" })).rev);
    for (const { response } of [...service.open]) response.end("ok");
    for (const one of held) await john.becomes(one, "done");
    assert.equal((await john.show(id)).state, "queued");
    await john.becomes(id, "failed");
    assert.equal(service.seen.length, 2);
  });

  it("are ended by an admin's command where they run, within a second", async (t) => {
    const { service, john, gateway } = await scene(t);
    const id = await john.submit("/api/whisper/1");
    await called(service);
    const { traffic } = gateway.store;
    const since = performance.now();
    for (;;) {
      const found = await traffic.job(id);
      assert.ok(found);
      if (await traffic.setJob(found.version, cancelledJob(found.job, traffic.steadyNow()))) break;
    }
    await until("the service to be let go", () => service.aborted.length === 1);
    assert.ok(performance.now() - since < 1_500, `${performance.now() - since} ms`);
    const [event] = await until("the usage", async () => {
      const events = await allUsage(gateway.store);
      return events.length > 0 && events;
    });
    assert.equal(event?.outcome, "aborted");
    await until("the files to be gone", () => filesOf(gateway).length === 0);
  });
});

describe("a request that does not come to its end", () => {
  const receiving = ({ gateway }: JobScene) =>
    until("it to be received", async () => {
      const [found] = await gateway.store.traffic.jobs({ state: "receiving" }, { limit: 1 });
      return found !== undefined && filesOf(gateway).length === 1;
    });

  const nothingIsKept = ({ gateway }: JobScene) =>
    until(
      "nothing to be kept",
      async () => {
        const left = await gateway.store.traffic.jobs({}, { limit: 1 });
        return left.length === 0 && filesOf(gateway).length === 0;
      },
      3_000,
    );

  for (const [what, outcome, status] of [
    ["its client leaves", "aborted", 0],
    ["its client is revoked", "revoked", 401],
  ] as const) {
    it(`because ${what}: it is read no further, nothing of it is kept, and it is one usage event`, async (t) => {
      const it = await scene(t);
      const { socket, received } = halfOf(t, it);
      await receiving(it);
      const since = performance.now();
      if (outcome === "aborted") socket.destroy();
      else await revokeClient(it.gateway.deps, "john");
      await nothingIsKept(it);
      if (outcome === "revoked") {
        await until("the refusal", () => received().startsWith("HTTP/1.1 401 "));
        assert.ok(performance.now() - since < 1_000, `${performance.now() - since} ms`);
      }
      const [event] = await until("the usage", async () => {
        const events = await allUsage(it.gateway.store);
        return events.length === 1 && events;
      });
      assert.deepEqual([event?.outcome, event?.status, it.service.seen.length], [outcome, status, 0]);
    });
  }
});

describe("gateways whose folders are apart", () => {
  it("run what came in there, and say of a result elsewhere that it is not here; with one folder, both have all", async (t) => {
    const { service, john, gateway, token } = await scene(t);
    const apart = await startTestGateway(t, {
      home: gateway.home,
      env: { AIGW_JOBS_FOLDER: join(gateway.home, "other") },
    });
    const beside = await startTestGateway(t, { home: gateway.home });
    const id = await john.submit("/api/whisper/x");
    (await called(service)).response.end("here");
    await john.becomes(id, "done");
    const there = jobClient(apart.url, token);
    assert.equal((await there.show(id)).state, "done");
    const elsewhere = await there.get(`/jobs/${id}/result`);
    assert.deepEqual([elsewhere.status, codeOf(elsewhere)], [503, "unavailable"]);
    assert.ok(apart.log.some((line) => line.includes(id) && line.includes("keptBy")));
    assert.equal((await jobClient(beside.url, token).get(`/jobs/${id}/result`)).body, "here");
    const own = await there.submit("/api/whisper/y");
    (await called(service)).response.end("there");
    await there.becomes(own, "done");
    assert.equal((await there.get(`/jobs/${own}/result`)).body, "there");
    assert.equal((await john.get(`/jobs/${own}/result`)).status, 503);
    assert.equal((await john.cancel(own)).status, 204);
    assert.equal((await there.get(`/jobs/${own}`)).status, 404);
  });
});

describe("a full disk", () => {
  it("refuses what it has no room for with 507, fails an answer that finds none, and keeps nothing by half", async (t) => {
    const disk = mountSmallDisk(t, 32);
    if (disk === undefined) return;
    const { service, john, gateway } = await scene(t, {}, { env: { AIGW_JOBS_FOLDER: join(disk, "jobs") } });
    const kept = (): number => {
      const names = readdirSync(join(disk, "jobs"), { recursive: true, encoding: "utf8" });
      return names.filter((name) => /\.(request|answer)$/.test(name)).length;
    };
    const large = await john.ask("/api/whisper/x", { body: Buffer.alloc(30 * 2 ** 20) });
    assert.deepEqual([large.status, codeOf(large)], [507, "insufficient_storage"]);
    assert.equal(kept(), 0);
    const id = await john.submit("/api/whisper/x", { body: "x" });
    const { response } = await called(service);
    const free = fillDisk(disk);
    const refused = await john.ask("/api/whisper/x", { body: "x" });
    assert.equal(refused.status, 507);
    response.end(Buffer.alloc(2 ** 20));
    await john.becomes(id, "failed");
    assert.equal(kept(), 0);
    free();
    const again = await john.submit("/api/whisper/x", { body: "x" });
    (await called(service)).response.end("fine");
    await john.becomes(again, "done");
    assert.equal((await john.get(`/jobs/${again}/result`)).body, "fine");
    const { jobs } = JSON.parse((await john.get("/jobs/")).body) as { jobs: { id: string }[] };
    assert.deepEqual(
      jobs.map((job) => job.id),
      [again, id],
    );
    assert.ok(gateway.log.some((line) => line.includes("store_full")));
  });

  it("is not what a damaged file is: its job has no result then, and says so", async (t) => {
    const { service, john, gateway } = await scene(t);
    const id = await john.submit("/api/whisper/x");
    (await called(service)).response.end("answer");
    await john.becomes(id, "done");
    const [name = ""] = filesOf(gateway);
    const path = join(gateway.home, "jobs", name);
    writeFileSync(path, readFileSync(path).subarray(0, -1));
    const cut = await john.get(`/jobs/${id}/result`);
    assert.deepEqual([cut.status, codeOf(cut)], [409, "no_result"]);
    rmSync(path);
    assert.equal((await john.get(`/jobs/${id}/result`)).status, 409);
  });
});

describe("a client that loses its right", () => {
  it("loses its jobs and their answers within a second, and does not get them back", async (t) => {
    const { service, john, gateway, token } = await scene(t);
    const kept = await john.submit("/api/whisper/kept");
    (await called(service)).response.end("kept");
    await john.becomes(kept, "done");
    for (const path of ["1", "2", "3"]) await john.submit(`/api/whisper/${path}`);
    await called(service, 2);
    const since = performance.now();
    await revokeClient(gateway.deps, "john");
    await until(
      "its files and records to be gone",
      async () => {
        const left = await gateway.store.traffic.jobs({}, { limit: 9 });
        return left.length === 0 && filesOf(gateway).length === 0 && service.open.length === 0;
      },
      3_000,
    );
    const tookMs = performance.now() - since;
    assert.ok(tookMs < 1_000, `${tookMs} ms`);
    assert.equal((await send(`${gateway.url}/jobs/${kept}`, { headers: bearer(token) })).status, 401);
    await gateway.applied((await restoreClient(gateway.deps, "john")).rev);
    const { result } = await setPassword(gateway.deps, "john");
    const again = jobClient(gateway.url, await tokenFor(gateway.url, "john", result.password));
    assert.deepEqual(JSON.parse((await again.get("/jobs/")).body), { jobs: [] });
    assert.equal((await again.get(`/jobs/${kept}/result`)).status, 404);
    const events = await until("the usage", async () => {
      const all = await allUsage(gateway.store);
      return all.length >= 4 && all;
    });
    assert.deepEqual(events.map(({ outcome }) => outcome).toSorted(), ["ok", "revoked", "revoked", "revoked"]);
  });

  it("has them no more when the service is taken away from it, or is gone; a new password leaves them", async (t) => {
    const { service, john, gateway } = await scene(t);
    const { rev } = await addService(gateway.deps, { name: "other", url: service.url, jobs: { on: true } });
    await gateway.applied(rev);
    const one = await john.submit("/api/whisper/1");
    (await called(service)).response.end("one");
    const two = await john.submit("/api/other/2");
    (await called(service)).response.end("two");
    await john.becomes(one, "done");
    await john.becomes(two, "done");
    const { result } = await setPassword(gateway.deps, "john");
    const again = jobClient(gateway.url, await tokenFor(gateway.url, "john", result.password));
    assert.equal((await again.get(`/jobs/${one}/result`)).body, "one");
    await gateway.applied((await setClient(gateway.deps, "john", { services: ["whisper"] })).rev);
    assert.equal((await again.get(`/jobs/${two}/result`)).status, 404);
    assert.equal((await again.get(`/jobs/${one}/result`)).status, 200);
    await gateway.applied((await removeService(gateway.deps, "whisper")).rev);
    assert.equal((await again.get(`/jobs/${one}`)).status, 404);
    await until("the files to be gone", () => filesOf(gateway).length === 0, 2_000);
  });
});

const freshToken = async (gateway: TestGateway): Promise<string> => {
  const { result } = await setPassword(gateway.deps, "john");
  return tokenFor(gateway.url, "john", result.password);
};
