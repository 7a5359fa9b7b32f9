import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { file, post, SAMPLE, slowPicture, start } from "./support.ts";

const ORDER = file("test/fixtures/order.jpg");
const SLOW = slowPicture();

test("more than 20 MiB is 413, with and without a length", async (t) => {
  const url = await start(t);
  const large = Buffer.alloc(20 * 1024 * 1024 + 1);
  const told = await post(url, large);
  assert.deepEqual([told.status, told.error], [413, "the request has more than 20971520 bytes"]);

  const stream = new Blob([large]).stream();
  const response = await fetch(url, {
    method: "POST",
    body: stream,
    duplex: "half",
    signal: AbortSignal.timeout(30_000),
  });
  assert.equal(response.status, 413);
  assert.equal((await post(url, ORDER)).status, 200);
});

test("exactly the largest body is not too large", async (t) => {
  const url = await start(t, { maxBytes: SAMPLE.length });
  assert.equal((await post(url, SAMPLE)).status, 200);
});

test("a BMP that would cost a gigabyte is 413", async (t) => {
  const url = await start(t);
  const bmp = Buffer.concat([file("test/fixtures/order.bmp"), Buffer.alloc(4 * 1024 * 1024)]);
  assert.equal((await post(url, bmp)).status, 413);
});

test("a picture that takes too long is given up, and the next one is read", { timeout: 60_000 }, async (t) => {
  const url = await start(t, { readMs: 3_000 });
  const started = performance.now();
  const [slow, next] = await Promise.all([post(url, SLOW), sleep(200).then(() => post(url, ORDER))]);
  assert.deepEqual([slow.status, slow.error], [422, "the image could not be read within 3 s"]);
  assert.deepEqual([next.status, next.text], [200, "Order 4711 is ready"]);
  assert.ok(performance.now() - started < 30_000);
});

test("when every place is taken the next caller is told to come again", { timeout: 60_000 }, async (t) => {
  const url = await start(t, { places: 1, readMs: 3_000 });
  const slow = post(url, SLOW);
  await sleep(300);
  const refused = await post(url, ORDER);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assert.equal((await slow).status, 422);
  assert.equal((await post(url, ORDER)).status, 200);
});

test("nobody waits for longer than the bound", { timeout: 60_000 }, async (t) => {
  const url = await start(t, { waitMs: 200, readMs: 2_000 });
  const slow = post(url, SLOW);
  await sleep(300);
  const started = performance.now();
  const refused = await post(url, ORDER);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assert.ok(performance.now() - started < 1_500);
  await slow;
});

test("a caller who leaves gives the place back", { timeout: 60_000 }, async (t) => {
  const url = await start(t, { places: 2, readMs: 3_000 });
  const slow = post(url, SLOW);
  await sleep(300);
  const gone = fetch(url, { method: "POST", body: ORDER, signal: AbortSignal.timeout(200) });
  await assert.rejects(gone, { name: "TimeoutError" });
  await sleep(100);
  assert.equal((await post(url, ORDER)).status, 200);
  await slow;
});
