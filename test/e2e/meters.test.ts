import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { addService, type Store, setService, type UsageEvent } from "@aigw/core";
import { startTestGateway } from "../support/gateway.ts";
import { send, startUpstream } from "../support/http.ts";
import { until } from "../support/until.ts";

/** Hands on what the gateway records, and keeps it. */
const recording = (store: Store, events: UsageEvent[]): Store => {
  const traffic = new Proxy(store.traffic, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        if (key === "recordUsage") events.push(...(args[0] as UsageEvent[]));
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  return new Proxy(store, {
    get: (target, key) => (key === "traffic" ? traffic : (Reflect.get(target, key, target) as unknown)),
  });
};

const worthOf = ({ units, metered, from, model, unread }: UsageEvent): object => ({
  units,
  metered,
  from,
  model,
  unread,
});

test("a usage event says what the call was worth, from the moment in which its service has a meter", async (t) => {
  const content = JSON.stringify({ model: "llama", pages: 3, usage: { prompt_tokens: 12, completion_tokens: 34 } });
  const upstream = await startUpstream(t, (request, response) => {
    const zips = request.url === "/gzip";
    response.writeHead(200, { "Content-Type": "application/json", ...(zips && { "Content-Encoding": "gzip" }) });
    response.end(zips ? gzipSync(content) : request.url === "/none" ? "{}" : content);
  });
  const events: UsageEvent[] = [];
  const gateway = await startTestGateway(t, {
    services: { chat: upstream.url },
    through: (store) => recording(store, events),
  });
  const token = await gateway.tokenFor("john");
  const call = async (path: string): Promise<UsageEvent> => {
    const before = events.length;
    const answer = await send(`${gateway.url}/api/chat${path}`, { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 200);
    await until("the event", () => events.length > before);
    return events.at(-1) as UsageEvent;
  };
  const bare = await call("/");
  assert.deepEqual(
    Object.keys(bare).filter((key) => /^(?:units|metered|from|model|unread)$/.test(key)),
    [],
  );

  const { rev, result } = await setService(gateway.deps, "chat", { meter: " openai , json:pages=/pages" });
  assert.equal(result.meter, "openai,json:pages=/pages");
  await gateway.applied(rev);
  const expected = {
    units: { input_tokens: 12e6, output_tokens: 34e6, pages: 3e6 },
    metered: "yes",
    from: "answer",
    model: "llama",
    unread: undefined,
  };
  assert.deepEqual(worthOf(await call("/")), expected);
  assert.deepEqual(worthOf(await call("/gzip")), expected);
  const none = { units: {}, metered: "no", from: undefined, model: undefined, unread: "not_found" };
  assert.deepEqual(worthOf(await call("/none")), none);

  const unmetered = await setService(gateway.deps, "chat", { meter: "none" });
  assert.equal("meter" in unmetered.result, false);
  await gateway.applied(unmetered.rev);
  assert.equal("units" in (await call("/")), false);

  await assert.rejects(async () => setService(gateway.deps, "chat", { meter: "open" }), { code: "invalid_value" });
  const added = await addService(gateway.deps, { name: "ocr", url: upstream.url, meter: "header:pages=X-Pages" });
  assert.equal(added.result.meter, "header:pages=X-Pages");
  const kept = await setService(gateway.deps, "ocr", { timeoutMs: 1_000 });
  assert.equal(kept.result.meter, "header:pages=X-Pages");
});
