import assert from "node:assert/strict";
import { test } from "node:test";
import { addPlan, setClient, setPlan } from "@aigw/core";
import { aigwJson } from "../../packages/cli/test/support/harness.ts";
import { startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { startTestGateway } from "../support/gateway.ts";
import { send, startUpstream, tokenFor } from "../support/http.ts";
import { until } from "../support/until.ts";

const limitIn = (fields: Headers | Record<string, unknown>): number =>
  Number(fields instanceof Headers ? fields.get("x-ratelimit-limit") : fields["x-ratelimit-limit"]);

test("a plan's change is in force for every client of it, its own terms apart, and open calls that it forbids are cut", async (t) => {
  let open = 0;
  const upstream = await startUpstream(t, (request, response) => {
    if (request.url !== "/stream") {
      response.end("ok");
      return;
    }
    open += 1;
    response.on("close", () => {
      open -= 1;
    });
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write("data: 1\n\n");
  });
  const gateway = await startTestGateway(t, { services: { ocr: upstream.url, chat: upstream.url } });
  await addPlan(gateway.deps, { name: "basic", limit: 5 });
  const [ann, john, mary] = [
    await gateway.tokenFor("ann"),
    await gateway.tokenFor("john", { limit: 9, services: ["chat"] }),
    await gateway.tokenFor("mary"),
  ];
  for (const name of ["ann", "john"]) await setClient(gateway.deps, name, { plan: "basic" });
  const head = async (): Promise<void> => gateway.applied(await gateway.store.control.head());
  await head();
  const call = async (token: string, path = "chat/"): Promise<[status: number, limit: number]> => {
    const { status, headers } = await send(`${gateway.url}/api/${path}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    return [status, limitIn(headers)];
  };
  assert.deepEqual(await Promise.all([call(ann), call(john), call(mary)]), [
    [200, 5],
    [200, 9],
    [200, 60],
  ]);
  await setPlan(gateway.deps, "basic", { limit: 50, services: ["ocr", "chat"] });
  await head();
  assert.deepEqual(await Promise.all([call(ann), call(john, "ocr/"), call(mary)]), [
    [200, 50],
    [403, 9],
    [200, 60],
  ]);
  const stream = await fetch(`${gateway.url}/api/chat/stream`, { headers: { Authorization: `Bearer ${ann}` } });
  const reader = stream.body?.getReader();
  await reader?.read();
  assert.equal(open, 1);
  await setPlan(gateway.deps, "basic", { services: ["ocr"] });
  await assert.rejects(async () => {
    for (;;) if ((await reader?.read())?.done === true) return;
  });
  await until("the upstream to be left", () => open === 0);
  assert.deepEqual(await Promise.all([call(ann), call(ann, "ocr/"), call(john)]), [
    [403, 50],
    [200, 50],
    [200, 9],
  ]);
  await setClient(gateway.deps, "ann", { plan: null });
  await head();
  assert.deepEqual(await call(ann), [200, 60]);
});

test("plan set has a receipt of each gateway, and what it says is in force when it is printed", async (t) => {
  const home = temporaryHome(t);
  const upstream = await startUpstream(t, (_, response) => response.end("ok"));
  await aigwJson(home, ["service", "add", "ocr", upstream.url]);
  await aigwJson(home, ["plan", "add", "basic", "--limit", "5"]);
  const { password } = await aigwJson<{ password: string }>(home, ["client", "add", "ann", "--plan", "basic"]);
  const gateways = await Promise.all([startGatewayProcess(t, home), startGatewayProcess(t, home)]);
  const tokens = await Promise.all(gateways.map(({ url }) => tokenFor(url, "ann", password)));
  const limits = (): Promise<readonly number[]> =>
    Promise.all(
      gateways.map(async ({ url }, index) => {
        const headers = { Authorization: `Bearer ${tokens[index]}` };
        return limitIn((await send(`${url}/api/ocr/`, { headers })).headers);
      }),
    );
  assert.deepEqual(await limits(), [5, 5]);
  const { receipt, clients } = await aigwJson<{
    clients: string[];
    receipt: { complete: boolean; gateways: { appliedAfterMs: number }[] };
  }>(home, ["plan", "set", "basic", "--limit", "50"]);
  assert.deepEqual(await limits(), [50, 50]);
  assert.deepEqual([clients, receipt.complete, receipt.gateways.length], [["ann"], true, 2]);
  for (const { appliedAfterMs } of receipt.gateways) assert.ok(appliedAfterMs <= 1_000, `${appliedAfterMs}`);
});
