import assert from "node:assert/strict";
import { test } from "node:test";
import { addPlan, removePrices, setClient, setPrices, setService, type UsageEvent } from "@aigw/core";
import { startTestGateway } from "../support/gateway.ts";
import { send, startUpstream } from "../support/http.ts";
import { until } from "../support/until.ts";

test("a call costs what was in force when it was recorded, and a change leaves the past alone", async (t) => {
  const upstream = await startUpstream(t, (request, response) => {
    const status = request.url === "/broken" ? 500 : 200;
    const usage = request.url === "/silent" ? {} : { usage: { prompt_tokens: 1_000, completion_tokens: 500 } };
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ model: "llama3-8b", ...(status === 200 && usage) }));
  });
  const gateway = await startTestGateway(t, { services: { chat: upstream.url } });
  const { deps } = gateway;
  await addPlan(deps, { name: "basic" });
  const token = await gateway.tokenFor("ann");
  await setClient(deps, "ann", { plan: "basic" });
  const recorded = async (): Promise<readonly UsageEvent[]> => (await gateway.store.traffic.latestUsage({}, 50)).events;
  const call = async (path = "/"): Promise<UsageEvent> => {
    await gateway.applied(await gateway.store.control.head());
    const before = (await recorded()).length;
    await send(`${gateway.url}/api/chat${path}`, { headers: { Authorization: `Bearer ${token}` } });
    await until("the event", async () => (await recorded()).length > before);
    return (await recorded()).at(-1) as UsageEvent;
  };
  const first = await call();
  assert.deepEqual(["cost" in first, first.plan], [false, "basic"], "neither meter nor price");
  await setService(deps, "chat", { meter: "openai" });
  assert.equal((await call()).cost, null, "no price");

  await setPrices(deps, "chat", ["input_tokens=0.15/1M", "output_tokens=0.60/1M"]);
  assert.equal((await call()).cost, 450);
  await setPrices(deps, "chat", ["output_tokens=6/1M"], "llama*");
  assert.equal((await call()).cost, 3_150);
  assert.equal((await call("/silent")).cost, null, "what was not read has no price");
  assert.equal((await call("/broken")).cost, 0, "what came to nothing lacks none");
  await setPrices(deps, "chat", ["requests=0.01"]);
  assert.equal((await call()).cost, 13_150);
  assert.equal((await call("/silent")).cost, 10_000);
  assert.equal((await call("/broken")).cost, 0);

  await removePrices(deps, "chat", []);
  await removePrices(deps, "chat", [], "llama*");
  await setService(deps, "chat", { meter: "none" });
  await setClient(deps, "ann", { plan: null });
  const last = await call();
  assert.deepEqual(["cost" in last, "plan" in last], [false, false]);
  assert.deepEqual(
    (await recorded()).map(({ cost }) => cost),
    [undefined, null, 450, 3_150, null, 0, 13_150, 10_000, 0, undefined],
  );
  const { rows } = await gateway.store.traffic.usageReport({ by: ["plan"], filter: {} });
  const sums = rows.map(({ key, tally }) => [key[0], tally.requests, tally.cost]);
  assert.deepEqual(sums.sort(), [
    ["", 1, 0n],
    ["basic", 9, 26_750n],
  ]);
});
