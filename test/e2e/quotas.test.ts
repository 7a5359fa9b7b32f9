import assert from "node:assert/strict";
import { type ClientRequest, request } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { grantClient, resetQuotas, revokeClient, setClient } from "@aigw/core";
import { type QuotaStanding, quotaTerms, standingsOf } from "@aigw/core/quotas";
import { HostileStore } from "@aigw/core/testing";
import { needsOwnClock } from "../support/engine.ts";
import { JumpingClock, startTestGateway, type TestGateway } from "../support/gateway.ts";
import { type Answer, bearer, send, startUpstream, tokenFor, type Upstream } from "../support/http.ts";
import { until } from "../support/until.ts";

const DAY_MS = 86_400_000;
const MILLION = 1_000_000;

/** Says how many pages it has read, and how many tokens it made: as many as the query wants. */
const startPages = (t: TestContext): Promise<Upstream> =>
  startUpstream(t, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const { searchParams: wanted } = new URL(incoming.url ?? "/", "http://x");
      response.setHeader("Content-Type", "application/json");
      response.end(
        JSON.stringify({
          pages: Number(wanted.get("pages") ?? 0),
          usage: { completion_tokens: Number(wanted.get("tokens") ?? 0) },
          got: Buffer.concat(chunks).toString(),
        }),
      );
    });
  });

const withQuota = async (
  gateway: TestGateway,
  name: string,
  quota: string,
): Promise<{
  call(path?: string, options?: Parameters<typeof send>[1]): Promise<Answer>;
  login(): Promise<void>;
  readonly token: string;
}> => {
  const { password } = await gateway.add(name, { limit: 100_000 });
  let token = await tokenFor(gateway.url, name, password);
  await gateway.applied((await setClient(gateway.deps, name, { quota })).rev);
  const call = (path = "/", options: Parameters<typeof send>[1] = {}): Promise<Answer> =>
    send(`${gateway.url}/api/ocr${path}`, { ...options, headers: { ...bearer(token), ...options.headers } });
  const login = async (): Promise<void> => {
    token = await tokenFor(gateway.url, name, password);
  };
  return {
    call,
    login,
    get token() {
      return token;
    },
  };
};

const metered = async (gateway: TestGateway, facts: { meter: string; reserve?: string }): Promise<void> => {
  const { control } = gateway.store;
  const service = await control.service("ocr");
  assert.ok(service);
  const after = { ...service, ...facts };
  const act = { at: Date.now(), actor: "test" };
  const { rev } = await control.append(await control.head(), [{ action: "service.set", subject: "ocr", after }], act);
  await gateway.applied(rev);
};

const standing = async ({ store }: TestGateway, name: string): Promise<readonly QuotaStanding[]> => {
  const client = await store.control.client(name);
  assert.ok(client);
  const terms = quotaTerms(client, client.quota, "UTC");
  assert.ok(terms);
  const found = await store.traffic.quotaRecord(client.id);
  return standingsOf(terms, found?.record ?? { used: {}, holders: {} }, store.traffic.steadyNow());
};

const usedSoon = async (gateway: TestGateway, name: string, used: number): Promise<void> => {
  await until(`${used} used`, async () => (await standing(gateway, name))[0]?.used === used);
};

const statuses = (answers: readonly Answer[]): Readonly<Record<number, number>> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

describe("a quota of requests", () => {
  it("lets exactly 500 of 600 at once in, says so, and another client notices nothing", async (t) => {
    const upstream = await startPages(t);
    const gateway = await startTestGateway(t, { services: { ocr: upstream.url } });
    const john = await withQuota(gateway, "john", "requests=500/month");
    const jane = await gateway.tokenFor("jane");
    const answers = await Promise.all(Array.from({ length: 600 }, () => john.call()));
    assert.deepEqual(statuses(answers), { 200: 500, 429: 100 });
    assert.equal(upstream.seen.length, 500, "a refused request must not reach the upstream");

    const refused = answers.find(({ status }) => status === 429);
    assert.ok(refused);
    const { code, detail, quota } = JSON.parse(refused.body);
    assert.equal(code, "quota_exceeded");
    const { resetsAt, ...facts } = quota;
    assert.deepEqual(facts, { unit: "requests", per: "month", limit: 500, used: 500 });
    assert.match(resetsAt, /^20\d\d-\d\d-01T00:00:00Z$/);
    assert.match(detail, /^The quota requests=500\/month is used up \(500 of 500 used\): it starts anew at 20/);
    const wait = Number(refused.headers["retry-after"]);
    assert.ok(Math.abs(wait - (Date.parse(resetsAt) - Date.now()) / 1_000) < 60, `${wait}`);
    assert.match(String(refused.headers["ratelimit"]), /^"client";r=\d+;t=\d+, "requests\/month";r=0;t=\d+$/);

    const other = await send(`${gateway.url}/api/ocr/`, { headers: bearer(jane) });
    assert.equal(other.status, 200);
    assert.doesNotMatch(String(other.headers["ratelimit-policy"]), /month/);
    await usedSoon(gateway, "john", 500);
    const events = await until("the usage", async () => {
      const page = await gateway.store.traffic.latestUsage({ client: "john" }, 2_000);
      const total = page.events.reduce((sum, { count = 1 }) => sum + count, 0);
      return total === 600 && page.events;
    });
    const limited = events.filter(({ outcome }) => outcome === "limited");
    assert.deepEqual(new Set(limited.map(({ reason }) => reason)), new Set(["quota_exceeded"]));
    // The permits of refused calls were given back.
    assert.match(String((await john.call()).headers["ratelimit"]), /^"client";r=99500;/);
  });

  it("starts anew with the period, is raised by a grant, and by a reset", { skip: needsOwnClock }, async (t) => {
    const clock = new JumpingClock();
    const upstream = await startPages(t);
    const gateway = await startTestGateway(t, { services: { ocr: upstream.url }, clock });
    const john = await withQuota(gateway, "john", "requests=2/day");
    const { call } = john;
    const three = async (): Promise<unknown> => statuses([await call(), await call(), await call()]);
    const first = await call();
    assert.match(String(first.headers["ratelimit-policy"]), /^"client";q=100000;w=60, "requests\/day";q=2;w=86400$/);
    assert.match(String(first.headers["ratelimit"]), /, "requests\/day";r=1;t=\d+$/);
    assert.deepEqual(await three(), { 200: 1, 429: 2 });
    const until = clock.now() + 2 * DAY_MS;
    const amounts = [{ unit: "requests", value: 2 * MILLION }];
    const granted = await grantClient(gateway.deps, "john", { amounts, until });
    await gateway.applied(granted.rev);
    assert.deepEqual(await three(), { 200: 2, 429: 1 });
    await gateway.applied((await resetQuotas(gateway.deps, "john")).rev);
    assert.deepEqual(await three(), { 200: 3 });
    assert.deepEqual(await three(), { 200: 1, 429: 2 });
    clock.advance(DAY_MS);
    await john.login();
    assert.deepEqual([await three(), await three()], [{ 200: 3 }, { 200: 1, 429: 2 }]);
    clock.advance(2 * DAY_MS);
    await john.login();
    assert.deepEqual(await three(), { 200: 2, 429: 1 });
  });
});

describe("a quota that the service's answers count", () => {
  it("lets calls in while less is counted than it allows, and settles also those that are cut", async (t) => {
    const upstream = await startUpstream(t, (incoming, response) => {
      response.writeHead(200, { "Content-Type": "application/json", "X-Pages": "3" });
      if (incoming.url === "/open") response.write("[");
      else response.end("[]");
    });
    const gateway = await startTestGateway(t, { services: { ocr: upstream.url, free: upstream.url }, admin: true });
    const { call, token } = await withQuota(gateway, "john", "pages=10/week");
    await metered(gateway, { meter: "header:pages=X-Pages" });
    const seen: number[] = [];
    for (let i = 0; i < 6; i += 1) seen.push((await call()).status);
    assert.deepEqual(seen, [200, 200, 200, 200, 429, 429]);
    const refused = await call();
    const { quota } = JSON.parse(refused.body);
    assert.deepEqual([quota.unit, quota.per, quota.limit, quota.used], ["pages", "week", 10, 12]);
    assert.match(String(refused.headers["ratelimit-policy"]), /, "pages\/week";q=10;w=604800;qu="pages"$/);
    assert.match(String(refused.headers["ratelimit"]), /, "pages\/week";r=0;t=\d+$/);
    // What counts no pages may be called on.
    assert.equal((await send(`${gateway.url}/api/free/`, { headers: bearer(token) })).status, 200);
    await usedSoon(gateway, "john", 12 * MILLION);

    const { body } = await send(`${gateway.gateway.adminUrl}/metrics`);
    for (const line of ['aigw_over_quota_total{service="ocr"} 3', 'aigw_units_total{service="ocr",unit="pages"} 12'])
      assert.ok(body.split("\n").includes(line), line);

    const mary = await withQuota(gateway, "mary", "pages=10/week");
    const cut = mary.call("/open");
    await until("the open call", () => upstream.seen.some(({ url }) => url === "/open"));
    await revokeClient(gateway.deps, "mary");
    await assert.rejects(cut);
    await usedSoon(gateway, "mary", 3 * MILLION);
  });

  it("is never passed where calls set aside what they may use, and nobody is refused while more is left", async (t) => {
    const waiting: (() => void)[] = [];
    const got: string[] = [];
    const upstream = await startUpstream(t, (incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        got.push(Buffer.concat(chunks).toString());
        waiting.push(() => {
          response.setHeader("Content-Type", "application/json");
          response.end(JSON.stringify({ usage: { prompt_tokens: 1, completion_tokens: 10 } }));
        });
      });
    });
    const gateway = await startTestGateway(t, { services: { ocr: upstream.url } });
    const { call } = await withQuota(gateway, "john", "output_tokens=1000/day");
    await metered(gateway, { meter: "openai", reserve: "output_tokens=/max_tokens,output_tokens=50" });
    const post = (body: string, headers: Record<string, string> = {}): Promise<Answer> =>
      call("/", { method: "POST", body, headers: { "Content-Type": "application/json", ...headers } });
    const wanting = (tokens: number, more = ""): Promise<Answer> => post(JSON.stringify({ max_tokens: tokens, more }));

    const open = [wanting(400), wanting(400, "x".repeat(300_000)), wanting(150)];
    await until("three open calls", () => waiting.length === 3);
    assert.deepEqual(got.map((body) => JSON.parse(body).max_tokens).sort(), [150, 400, 400]);
    assert.ok(got.some((body) => JSON.parse(body).more.length === 300_000));
    const refused = await wanting(60);
    assert.equal(refused.status, 429);
    assert.match(JSON.parse(refused.body).detail, /has 50 left \(0 of 1000 used, 950 set aside .*may use 60/);
    assert.equal(refused.headers["retry-after"], "5");
    // What does not say how much it may use counts as the number behind it, here what is left.
    open.push(post("{}"));
    await until("the fourth", () => waiting.length === 4);
    assert.equal((await post("{}")).status, 429);
    assert.equal((await wanting(1)).status, 429);
    for (const answer of waiting.splice(0)) answer();
    assert.deepEqual(statuses(await Promise.all(open)), { 200: 4 });
    await usedSoon(gateway, "john", 40 * MILLION);
    const last = wanting(960);
    await until("the last", () => waiting.length === 1);
    assert.equal((await wanting(1)).status, 429);
    waiting.pop()?.();
    assert.equal((await last).status, 200);
    await usedSoon(gateway, "john", 50 * MILLION);
    // That one which says nothing was refused a moment ago is nothing to one that says that it wants less.
    const beside = [wanting(920)];
    await until("the long one", () => waiting.length === 1);
    assert.equal((await post("{}")).status, 429);
    beside.push(wanting(20));
    await until("the short one beside it", () => waiting.length === 2);
    for (const answer of waiting.splice(0)) answer();
    assert.deepEqual(statuses(await Promise.all(beside)), { 200: 2 });
  });

  it("waits for a request that says what it may use, byte for byte, and not for one that is left", async (t) => {
    const upstream = await startPages(t);
    const gateway = await startTestGateway(t, { services: { ocr: upstream.url } });
    const { token } = await withQuota(gateway, "john", "output_tokens=1000/day");
    await metered(gateway, { meter: "openai", reserve: "output_tokens=/max_tokens" });
    const body = JSON.stringify({ max_tokens: 100, text: "ä".repeat(50_000) });
    const inPieces = async (headers: Record<string, string>, piece: number): Promise<Answer> => {
      const posted = request(`${gateway.url}/api/ocr/?tokens=7`, {
        method: "POST",
        agent: false,
        headers: { "Content-Type": "application/json", ...bearer(token), ...headers },
      });
      const answer = answerOf(posted);
      if (headers["Expect"] !== undefined) {
        posted.flushHeaders();
        await new Promise((go) => posted.on("continue", go));
      }
      const bytes = Buffer.from(body);
      for (let at = 0; at < bytes.length; at += piece) {
        posted.write(bytes.subarray(at, at + piece));
        await new Promise((sent) => setImmediate(sent));
      }
      posted.end();
      return answer;
    };
    const length = String(Buffer.byteLength(body));
    for (const headers of [{ "Content-Length": length }, { "Content-Length": length, Expect: "100-continue" }, {}]) {
      const answer = await inPieces(headers as Record<string, string>, 9_000);
      assert.equal(answer.status, 200);
      assert.ok(JSON.parse(answer.body).got === body, JSON.stringify(headers));
    }
    await usedSoon(gateway, "john", 21 * MILLION);

    const left = request(`${gateway.url}/api/ocr/`, {
      method: "POST",
      agent: false,
      headers: {
        "Content-Type": "application/json",
        "Content-Length": "5000",
        Expect: "100-continue",
        ...bearer(token),
      },
    });
    left.on("error", () => undefined);
    left.flushHeaders();
    await new Promise((go) => left.on("continue", go));
    left.write('{"max_tokens"');
    left.destroy();
    await until("the call to be recorded", async () => {
      const { events } = await gateway.store.traffic.latestUsage({ client: "john" }, 9);
      return events.some(({ outcome }) => outcome === "aborted");
    });
    assert.equal(upstream.seen.length, 3);
  });
});

describe("quotas, while the store is away", () => {
  it("go on, and every call is counted once when it is back", async (t) => {
    const upstream = await startPages(t);
    let hostile: HostileStore | undefined;
    const gateway = await startTestGateway(t, {
      services: { ocr: upstream.url },
      through: (store) => {
        hostile = new HostileStore(store);
        return hostile;
      },
    });
    const { call } = await withQuota(gateway, "john", "requests=30/day");
    assert.deepEqual(statuses([await call(), await call()]), { 200: 2 });
    hostile?.treat(["traffic.quotaRecord", "traffic.setQuotaRecord"], { kind: "unanswered" });
    const away = await Promise.all(Array.from({ length: 40 }, () => call()));
    assert.deepEqual(statuses(away), { 200: 28, 429: 12 });
    hostile?.calm();
    await usedSoon(gateway, "john", 30);
    assert.equal((await call()).status, 429);
    assert.equal(upstream.seen.length, 30);
  });
});

const answerOf = (sent: ClientRequest): Promise<Answer> =>
  new Promise((settle, reject) => {
    sent.on("error", reject);
    sent.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode = 0, headers, rawHeaders } = response;
        settle({ status: statusCode, headers, rawHeaders, body: Buffer.concat(chunks).toString() });
      });
    });
  });
