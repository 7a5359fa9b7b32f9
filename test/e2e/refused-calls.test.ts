import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { removeService, revokeClient } from "@aigw/core";
import { aigw, aigwJson } from "../support/aigw.ts";
import { flood } from "../support/flood.ts";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, send, startEcho } from "../support/http.ts";
import { until } from "../support/until.ts";

const CALLS = 2_000;
/** The share of what a hundred thousand may add. */
const MOST_BYTES = (5 * 2 ** 20 * 3 * CALLS) / 100_000;

interface EventJson {
  readonly client: string;
  readonly service: string;
  readonly status: number;
  readonly bytesOut: number;
  readonly count?: number;
}

interface ReportJson {
  readonly rows: readonly Readonly<{
    client: string;
    service: string;
    status: number;
    requests: number;
    bytesOut: number;
  }>[];
}

/** As people read it. */
const counted = (calls: number): string => calls.toLocaleString("en-US");

describe("calls of clients without a right", () => {
  it("add little to the disk, whatever they ask for, and every sum is exact; others notice nothing", async (t) => {
    const echo = await startEcho(t);
    const services = { echo: echo.url, gone: echo.url };
    const { url, home, store, deps, gateway, tokenFor } = await startTestGateway(t, { services });
    const revoked = await tokenFor("revoked");
    const limited = await tokenFor("limited", { limit: 1 });
    const curious = await tokenFor("curious");
    const jane = await tokenFor("jane");
    await revokeClient(deps, "revoked");
    await removeService(deps, "gone");
    await send(`${url}/api/echo`, { headers: bearer(limited) });
    const usage = join(home, "aigw.usage.db");
    const size = (): number => statSync(usage).size;
    await until("the first calls on record", async () => (await store.traffic.latestUsage({}, 10)).events.length === 1);
    const before = size();

    const paths = (name: (n: number) => string): string[] => Array.from({ length: CALLS }, (_, n) => `/api/${name(n)}`);
    const [of401, of429, of404] = await Promise.all([
      flood(
        url,
        revoked,
        paths((n) => (n % 2 === 0 ? `echo/${n}` : `made-up-${n}/x`)),
      ),
      flood(
        url,
        limited,
        paths((n) => `echo/${n}`),
      ),
      flood(
        url,
        curious,
        paths((n) => (n % 3 === 0 ? "gone" : `made-up-${n}/${"x".repeat(200)}`)),
      ),
    ]);
    const janes = await Promise.all(
      Array.from({ length: 10 }, () => send(`${url}/api/echo`, { headers: bearer(jane) })),
    );
    assert.deepEqual(new Set(janes.map(({ status }) => status)), new Set([200]));
    assert.deepEqual(
      [...of401.statuses, ...of429.statuses, ...of404.statuses],
      [
        [401, CALLS],
        [429, CALLS],
        [404, CALLS],
      ],
    );
    // What is gathered in the last second, too.
    await gateway.close();
    const raw = new DatabaseSync(usage);
    raw.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    raw.close();
    const added = size() - before;
    t.diagnostic(`${3 * CALLS} refused calls added ${added} bytes`);
    assert.ok(added <= MOST_BYTES, `${added} bytes`);

    const report = await aigwJson<ReportJson>(home, ["usage", "report", "--by", "client,service,status"]);
    const rows = report.rows.map(({ client, service, status, requests, bytesOut }) => ({
      client,
      service,
      status,
      requests,
      bytesOut,
    }));
    const of = (client: string, status: number): typeof rows =>
      rows.filter((row) => row.client === client && row.status === status);
    const half = CALLS / 2;
    assert.deepEqual(
      of("revoked", 401)
        .map(({ service, requests }) => [service, requests])
        .sort(),
      [
        ["", half],
        ["echo", half],
      ],
    );
    assert.equal(
      of("revoked", 401).reduce((sum, { bytesOut }) => sum + bytesOut, 0),
      of401.bytes,
    );
    assert.deepEqual(of("limited", 429), [
      { client: "limited", service: "echo", status: 429, requests: CALLS, bytesOut: of429.bytes },
    ]);
    assert.deepEqual(of("curious", 404), [
      { client: "curious", service: "", status: 404, requests: CALLS, bytesOut: of404.bytes },
    ]);

    const { stdout } = await aigw(home, ["usage", "export"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as EventJson);
    for (const client of ["revoked", "limited", "curious"]) {
      const own = events.filter((event) => event.client === client && event.status !== 200);
      assert.equal(
        own.reduce((sum, { count = 1 }) => sum + count, 0),
        CALLS,
        client,
      );
      assert.ok(own.filter(({ count }) => count === undefined).length >= 60, "the first ones are on record each");
      assert.ok(own.length < 100, `${own.length} events of ${client}`);
    }
    assert.deepEqual(new Set(events.map(({ service }) => service)), new Set(["echo", ""]), "no made-up name is kept");
    const top = await aigwJson<{ all: { requests: number; limited: number } }>(home, ["top", "--once"]);
    assert.deepEqual([top.all.requests, top.all.limited], [3 * CALLS + 11, CALLS]);
    const { findings } = await aigwJson<{ findings: { code: string; message: string }[] }>(home, ["why", "curious"]);
    assert.match(
      findings.find(({ code }) => code === "service_unknown")?.message ?? "",
      new RegExp(`^${counted(CALLS)} calls `),
    );
    const review = await aigwJson<{ findings: { client: string; code: string; message: string }[] }>(home, ["review"]);
    assert.match(
      review.findings.find(({ client, code }) => client === "limited" && code === "over_limit")?.message ?? "",
      new RegExp(`^${counted(CALLS)} of limited's ${counted(CALLS + 1)} calls`),
    );
  });
});
