import assert from "node:assert/strict";
import { test } from "node:test";
import { startOcrService } from "@aigw/ocr-service";
import { answerOf, file, PATIENCE_MS, post, received, start } from "./support.ts";

const ORDER = file("test/fixtures/order.jpg");
const KEY = "correct horse battery";

function ask(url: string, method = "GET", headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method, headers, signal: AbortSignal.timeout(PATIENCE_MS) });
}

test("says how it is used and that it is well", async (t) => {
  const url = await start(t);
  const usage = await ask(url);
  assert.equal(usage.status, 200);
  assert.match(await usage.text(), /curl --data-binary @sample\.png/);
  const health = await ask(`${url}/health`);
  assert.deepEqual([health.status, await health.json()], [200, { status: "ok" }]);
  const head = await ask(url, "HEAD");
  assert.deepEqual([head.status, await head.text()], [200, ""]);
});

test("refuses other paths and methods", async (t) => {
  const url = await start(t);
  for (const path of ["/x", "/health/", "//", "/constructor", "/__proto__"]) {
    assert.equal((await ask(`${url}${path}`)).status, 404, path);
  }
  const put = await ask(url, "PUT");
  assert.deepEqual([put.status, put.headers.get("allow")], [405, "GET, HEAD, POST"]);
  const healthPost = await ask(`${url}/health`, "POST");
  assert.deepEqual([healthPost.status, healthPost.headers.get("allow")], [405, "GET, HEAD"]);
});

test("with an API key nothing but the health is told without it", async (t) => {
  const service = await startOcrService({ apiKey: KEY });
  t.after(() => service.close());
  for (const wrong of [{}, { "x-api-key": "" }, { "x-api-key": `${KEY}!` }, { "x-api-key": KEY.slice(1) }]) {
    const answer = await post(service.url, ORDER, wrong);
    assert.equal(answer.status, 401);
    assert.equal(answer.text, undefined);
    assert.ok(!String(answer.error).includes(KEY));
  }
  assert.equal((await ask(service.url)).status, 401);
  assert.equal((await ask(`${service.url}/elsewhere`)).status, 401);
  assert.equal((await ask(`${service.url}/health`)).status, 200);
  const answer = await post(service.url, ORDER, { "X-Api-Key": KEY });
  assert.deepEqual([answer.status, answer.text], [200, "Order 4711 is ready"]);
});

test("an empty API key is refused instead of leaving the door open", async () => {
  await assert.rejects(startOcrService({ apiKey: "" }), /API key is empty/);
});

test("close lets the picture being read finish and refuses those that wait", async () => {
  const service = await startOcrService({ limits: { drainMs: PATIENCE_MS } });
  const first = received();
  const sample = post(service.url, file("sample.png"));
  await first;
  const second = received();
  const waiting = post(service.url, ORDER);
  await second;
  await Promise.all([service.close(), service.close()]);
  assert.equal((await sample).status, 200);
  const refused = await waiting;
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  await assert.rejects(ask(service.url), TypeError);
});

test("a taken port rejects and leaves nothing running", async (t) => {
  const taken = await startOcrService();
  t.after(() => taken.close());
  const port = Number(new URL(taken.url).port);
  await assert.rejects(startOcrService({ port }), { code: "EADDRINUSE" });
  assert.equal((await answerOf(await ask(`${taken.url}/health`))).status, 200);
});
