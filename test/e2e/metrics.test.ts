import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { bearer, login, send, sendRaw, startEcho, startUpstream } from "../support/http.ts";
import { until } from "../support/until.ts";

/** Value by series, such as `aigw_logins_total{result="ok"}`. */
type Series = ReadonlyMap<string, number>;

const parse = (text: string): Series =>
  new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );

const scrape = async ({ gateway }: TestGateway): Promise<{ text: string; series: Series }> => {
  const { status, headers, body } = await send(`${gateway.adminUrl}/metrics`);
  assert.equal(status, 200);
  assert.match(headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
  return { text: body, series: parse(body) };
};

const startWithServices = async (t: Parameters<typeof startTestGateway>[0]): Promise<TestGateway> => {
  const echo = await startEcho(t);
  const failing = await startUpstream(t, (_request, response) => response.writeHead(500).end());
  return startTestGateway(t, {
    admin: true,
    services: { echo: echo.url, failing: failing.url, gone: "http://127.0.0.1:1" },
  });
};

describe("/metrics", () => {
  it("counts calls, refusals, logins and the gateway's own state", async (t) => {
    const gateway = await startWithServices(t);
    const { url } = gateway;
    const token = await gateway.tokenFor("john-secretname", { limit: 5 });
    await login(url, "john-secretname", "wrong-Password-1");
    await send(`${url}/auth/token`, { method: "POST" });
    const call = (path: string): Promise<unknown> => send(`${url}/api/${path}`, { headers: bearer(token) });
    for (const path of ["echo/a", "echo/b", "failing", "gone", "echo/c", "echo/d", "made-up-1", "made-up-2"]) {
      await call(path);
    }
    await send(`${url}/api/made-up-3`);
    await send(`${url}/api/echo`, { headers: bearer("x.y.z") });
    await sendRaw(url, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    await until("usage to be stored", async () => (await scrape(gateway)).series.get("aigw_usage_held") === 0);

    const { text, series } = await scrape(gateway);
    const expected: Record<string, number> = {
      'aigw_requests_total{service="echo",outcome="ok",status_class="2xx"}': 3,
      'aigw_requests_total{service="echo",outcome="limited",status_class="4xx"}': 1,
      'aigw_requests_total{service="failing",outcome="upstream_error",status_class="5xx"}': 1,
      'aigw_requests_total{service="gone",outcome="upstream_error",status_class="5xx"}': 1,
      'aigw_requests_total{service="_none",outcome="denied",status_class="4xx"}': 2,
      'aigw_limited_total{service="echo"}': 1,
      'aigw_request_duration_seconds_count{service="echo"}': 3,
      'aigw_request_duration_seconds_bucket{service="echo",le="+Inf"}': 3,
      'aigw_request_duration_seconds_count{service="_none"}': 0,
      'aigw_upstream_duration_seconds_count{service="failing"}': 1,
      'aigw_upstream_duration_seconds_count{service="gone"}': 0,
      'aigw_refused_total{code="missing_token"}': 1,
      'aigw_refused_total{code="invalid_token"}': 1,
      'aigw_refused_total{code="invalid_request"}': 1,
      'aigw_logins_total{result="ok"}': 1,
      'aigw_logins_total{result="invalid_client"}': 1,
      'aigw_logins_total{result="invalid_request"}': 1,
      'aigw_logins_total{result="slow_down"}': 0,
      aigw_ready: 1,
      aigw_open_calls: 0,
      aigw_usage_dropped_total: 0,
      'aigw_store_faults_total{operation="follow"}': 0,
      aigw_applied_revision: await gateway.store.control.head(),
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
    assert.ok((series.get("aigw_store_staleness_seconds") ?? 9) < 1);
    assert.ok((series.get("aigw_usage_flush_duration_seconds_count") ?? 0) > 0);
    assert.ok((series.get("process_resident_memory_bytes") ?? 0) > 0, "the default process metrics");
    assert.ok(series.has("nodejs_eventloop_lag_p99_seconds"));
    assert.doesNotMatch(text, /made-up|secretname|127\.0\.0\.1/, "nothing that a client chose, no client, no upstream");

    const buckets = [...series].filter(([name]) =>
      name.startsWith('aigw_request_duration_seconds_bucket{service="echo"'),
    );
    assert.ok(buckets.length > 10);
    const values = buckets.map(([, value]) => value);
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
      "cumulative",
    );
  });

  it("counts up from scrape to scrape, and shows calls under way and a store that fails", async (t) => {
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const slow = await startUpstream(t, (_request, response) => void answered.then(() => response.end()));
    const gateway = await startTestGateway(t, { admin: true, services: { slow: slow.url } });
    const token = await gateway.tokenFor("john");
    const open = send(`${gateway.url}/api/slow`, { headers: bearer(token) });
    await until("the call to be under way", async () => (await scrape(gateway)).series.get("aigw_open_calls") === 1);
    answer();
    await open;
    await until("its end", async () => (await scrape(gateway)).series.get("aigw_open_calls") === 0);
    await send(`${gateway.url}/api/slow`, { headers: bearer(token) });
    const { series } = await scrape(gateway);
    assert.equal(series.get('aigw_requests_total{service="slow",outcome="ok",status_class="2xx"}'), 2);

    gateway.store.control.head = () => {
      throw new TypeError("a fault of the program");
    };
    await until("the fault", async () => (await scrape(gateway)).series.get("aigw_ready") === 0);
    const { series: after } = await scrape(gateway);
    assert.equal(after.get('aigw_store_faults_total{operation="follow"}'), 1);
  });

  it("is on the admin address only, and nothing else is there", async (t) => {
    const gateway = await startWithServices(t);
    const { adminUrl } = gateway.gateway;
    assert.match(adminUrl ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
    for (const path of ["/metrics", "/Metrics", "/metrics/", "//metrics"]) {
      const { status, body } = await send(gateway.url + path);
      assert.ok(status === 404 || status === 400, path);
      assert.doesNotMatch(body, /aigw_|process_/);
    }
    for (const path of ["/", "/health", "/guide", "/api/echo", "/auth/token"]) {
      const { status, headers } = await send(`${adminUrl}${path}`);
      assert.equal(status, 404, path);
      assert.ok(headers["x-request-id"]);
    }
    const posted = await send(`${adminUrl}/metrics`, { method: "POST" });
    assert.equal(posted.status, 405);
    assert.equal(posted.headers.allow, "GET, HEAD");
    const without = await startTestGateway(t);
    assert.equal(without.gateway.adminUrl, undefined);
  });

  it("is described in docs/serving.md, metric by metric", async (t) => {
    const gateway = await startWithServices(t);
    const { text } = await scrape(gateway);
    const own = [...text.matchAll(/^# TYPE (aigw_\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const docs = readFileSync(resolve(import.meta.dirname, "../../docs/serving.md"), "utf8");
    const described = [...docs.matchAll(/^\| `(aigw_\w+)` \| (\w+) \|/gm)]
      .map(([, name, type]) => `${name} ${type}`)
      .filter((line) => !/^aigw_(tls_|worker)/.test(line));
    assert.deepEqual(described.sort(), own.sort());
  });
});
