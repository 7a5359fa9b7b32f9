import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";
import { startWorkers } from "../support/workers.ts";

/** Value by series, such as `aigw_logins_total{result="ok"}`. */
type Series = ReadonlyMap<string, number>;

const scrape = async (adminUrl: string): Promise<{ text: string; series: Series }> => {
  const { status, headers, body: text } = await send(`${adminUrl}/metrics`);
  assert.equal(status, 200);
  assert.match(headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const series = new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
  assert.equal(series.size, lines.length, "no series twice");
  return { text, series };
};

const CALLS = 'aigw_requests_total{service="echo",outcome="ok",status_class="2xx"}';
const DURATIONS = 'aigw_request_duration_seconds_count{service="echo"}';
const BUCKETS = 'aigw_request_duration_seconds_bucket{service="echo",le="+Inf"}';

describe("/metrics of aigw serve --workers", () => {
  it("is one, with sums that go on when a worker dies or is silent", async (t) => {
    const echo = await startEcho(t);
    const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
    const { url, adminUrl = "", workers } = await startWorkers(t, home, 2, ["--admin-port", "0"]);
    const token = await tokenFor(url, "john", passwords["john"] ?? "");
    const call = async (times: number): Promise<void> => {
      const headers = bearer(token);
      for (let i = 0; i < times; i += 1) assert.equal((await send(`${url}/api/echo`, { headers })).status, 200);
    };
    await call(10);
    const first = await until("all calls", async () => {
      const got = await scrape(adminUrl);
      return got.series.get(DURATIONS) === 10 && got;
    });
    const { series, text } = first;
    const expected: Record<string, number> = {
      [CALLS]: 10,
      [BUCKETS]: 10,
      'aigw_logins_total{result="ok"}': 1,
      aigw_ready: 1,
      aigw_open_calls: 0,
      aigw_workers: 2,
      aigw_worker_restarts_total: 0,
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
    for (const worker of ["1", "2", "primary"]) {
      assert.ok((series.get(`process_resident_memory_bytes{worker="${worker}"}`) ?? 0) > 0, worker);
    }
    for (const { worker, id } of workers) {
      assert.equal(series.get(`aigw_info{version="0.1.0",instance="${id}",worker="${worker}"}`), 1);
    }
    assert.ok((series.get("aigw_applied_revision") ?? 0) >= 2, "not the sum of them, but what holds in all");
    assert.ok((series.get("aigw_store_staleness_seconds") ?? 9) < 1);
    assert.doesNotMatch(text, /NaN{|null|undefined/);

    const [victim, other] = workers;
    assert.ok(victim && other);
    process.kill(victim.pid, "SIGKILL");
    const after = await until("the replacement to answer", async () => {
      const got = await scrape(adminUrl);
      assert.ok((got.series.get(CALLS) ?? 0) >= 10, "no sum falls");
      assert.ok((got.series.get(DURATIONS) ?? 0) >= 10, "no histogram either");
      return got.series.get("aigw_workers") === 2 && got.series.get("aigw_worker_restarts_total") === 1 && got.series;
    });
    assert.equal(after.get(CALLS), 10);
    await call(4);
    await until("the new calls", async () => (await scrape(adminUrl)).series.get(CALLS) === 14);

    process.kill(other.pid, "SIGSTOP");
    const silent = (await scrape(adminUrl)).series;
    process.kill(other.pid, "SIGCONT");
    assert.equal(silent.get("aigw_workers"), 1, "it is left out");
    assert.equal(silent.get(CALLS), 14, "what it had counted is not");
    assert.equal((await scrape(adminUrl)).series.get("aigw_workers"), 2);

    assert.notEqual(new URL(url).port, new URL(adminUrl).port);
    assert.equal((await send(`${url}/metrics`)).status, 404);

    const types = [...text.matchAll(/^# TYPE (aigw_\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const docs = readFileSync(resolve(import.meta.dirname, "../../docs/serving.md"), "utf8");
    const described = [...docs.matchAll(/^\| `(aigw_\w+)` \| (\w+) \|/gm)]
      .map(([, name, type]) => `${name} ${type}`)
      .filter((line) => !line.startsWith("aigw_tls_"));
    assert.deepEqual(described.sort(), types.sort());
  });
});
