import assert from "node:assert/strict";
import { test } from "node:test";
import { setClient, setPrices, type UsageEvent } from "@aigw/core";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, send, startUpstream } from "../support/http.ts";
import { until } from "../support/until.ts";

test("how long a service took is on record and summed up where a price or a quota counts it, and only there", async (t) => {
  const upstream = await startUpstream(t, (request, response) => {
    response.statusCode = request.url === "/broken" ? 500 : 200;
    setTimeout(() => response.end("x"), 50);
  });
  const gateway = await startTestGateway(t, { services: { ocr: upstream.url } });
  const { deps, store } = gateway;
  const [ann, bob] = [await gateway.tokenFor("ann"), await gateway.tokenFor("bob")];
  const recorded = async (): Promise<readonly UsageEvent[]> => (await store.traffic.latestUsage({}, 50)).events;
  const call = async (token: string, path = "/"): Promise<UsageEvent> => {
    await gateway.applied(await store.control.head());
    const before = (await recorded()).length;
    await send(`${gateway.url}/api/ocr${path}`, { headers: bearer(token) });
    await until("the event", async () => (await recorded()).length > before);
    return (await recorded()).at(-1) as UsageEvent;
  };
  const secondsOf = ({ units }: UsageEvent): number => units?.["service_seconds"] ?? Number.NaN;

  assert.equal("units" in (await call(ann)), false);
  await setClient(deps, "bob", { quota: "service_seconds=1000/day" });
  const [first, broken] = [await call(bob), await call(bob, "/broken")];
  for (const event of [first, broken]) {
    const seconds = secondsOf(event);
    assert.ok(seconds >= 49_000 && seconds <= event.latencyMs * 1_000, `${seconds} of ${event.latencyMs} ms`);
    assert.equal("metered" in event || "cost" in event, false);
  }
  assert.equal("units" in (await call(ann)), false);

  await setPrices(deps, "ocr", ["service_seconds=2"]);
  const [priced, failed] = [await call(ann), await call(ann, "/broken")];
  assert.ok(secondsOf(priced) >= 49_000);
  assert.equal(priced.cost, 2 * secondsOf(priced));
  assert.deepEqual([failed.cost, "units" in failed], [0, false], "what cost nothing took nothing of it");

  const { rows } = await store.traffic.usageReport({ by: ["client"], filter: {} });
  const sums = rows.map(({ key, tally }) => [key[0], tally.units.get("service_seconds")]);
  const used = secondsOf(first) + secondsOf(broken);
  assert.deepEqual(sums.sort(), [
    ["ann", BigInt(secondsOf(priced))],
    ["bob", BigInt(used)],
  ]);
  const [{ id = "" } = {}] = (await store.control.clients()).filter(({ name }) => name === "bob");
  await until("the quota to have counted the same", async () => {
    const { record } = (await store.traffic.quotaRecord(id)) ?? {};
    return Object.entries(record?.used ?? {}).some(([key, [sum]]) => /^service_seconds /.test(key) && sum === used);
  });
});
