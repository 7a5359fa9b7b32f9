import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { aigw, aigwJson } from "../../packages/cli/test/support/harness.ts";
import { startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

interface Explained {
  readonly findings: readonly { readonly code: string; readonly message: string; readonly client?: string }[];
}

interface Report {
  readonly total: { readonly requests: number; readonly ok: number; readonly errors: number; readonly limited: number };
}

const codes = ({ findings }: Explained): string => findings.map(({ code }) => code).join(" ");

const recorded = (home: string, requests: number): Promise<Report> =>
  until(`${requests} calls on record`, async () => {
    const report = await aigwJson<Report>(home, ["usage", "report"]);
    return report.total.requests === requests && report;
  });

test("why, review and report tell of a running gateway what really happened", async (t: TestContext) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, { services: { ocr: echo.url }, clients: { john: { limit: 4 } } });
  const gateway = await startGatewayProcess(t, home);
  assert.equal(codes(await aigwJson<Explained>(home, ["why", "john"])), "no_login");
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  const call = async (id: string): Promise<number> =>
    (await send(`${gateway.url}/api/ocr/x`, { headers: { ...bearer(token), "X-Request-ID": id } })).status;

  assert.deepEqual([await call("a-1"), await call("a-2"), await call("a-3")], [200, 200, 200]);
  await recorded(home, 3);
  assert.equal(codes(await aigwJson<Explained>(home, ["why", "john"])), "fine");

  echo.server.closeAllConnections();
  await new Promise((closed) => echo.server.close(closed));
  assert.deepEqual([await call("a-4"), await call("a-5")], [502, 429]);
  const { total } = await recorded(home, 5);
  assert.deepEqual([total.ok, total.errors, total.limited], [3, 1, 1]);
  const why = await aigwJson<Explained>(home, ["why", "john"]);
  assert.equal(codes(why), "limit_reached service_failing");
  assert.match(why.findings[0]?.message ?? "", /^4 of 4 permits are used; the next one is free in \d+ s\./);
  assert.equal(codes(await aigwJson<Explained>(home, ["why", "a-4"])), "request_upstream_error");
  assert.equal(codes(await aigwJson<Explained>(home, ["why", "a-5"])), "request_limited");
  assert.deepEqual(
    (await aigwJson<Explained>(home, ["review"])).findings.map(({ client, code }) => [client, code]),
    [["john", "over_limit"]],
  );

  await aigwJson(home, ["secret", "rotate", "--yes"]);
  assert.equal(codes(await aigwJson<Explained>(home, ["why", "john"])), "token_rotated limit_reached service_failing");
  const top = await aigwJson<{ gateways: { ready: number }; all: { requests: number } }>(home, ["top", "--once"]);
  assert.equal(top.gateways.ready, 1);
  assert.equal((await aigw(home, ["why", "nobody"])).code, 3);
});
