import assert from "node:assert/strict";
import { test } from "node:test";
import { file, post, received, SAMPLE, slowPicture, start } from "./support.ts";

const ORDER = file("test/fixtures/order.jpg");
const SLOW = slowPicture();
/** Less than the slow picture takes anywhere, and enough for the others on a busy machine. */
const READ_MS = 8_000;

/** Sends the slow picture. @returns once it is being read, or waits to be */
async function sendSlow(url: string): Promise<{ readonly answer: ReturnType<typeof post> }> {
  const taken = received();
  const answer = post(url, SLOW);
  await taken;
  return { answer };
}

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
  const url = await start(t, { readMs: READ_MS });
  const { answer } = await sendSlow(url);
  const next = await post(url, ORDER);
  const slow = await answer;
  assert.deepEqual([slow.status, slow.error], [422, "the image could not be read within 8 s"]);
  assert.deepEqual([next.status, next.text], [200, "Order 4711 is ready"]);
});

test("when every place is taken the next caller is told to come again", { timeout: 60_000 }, async (t) => {
  const url = await start(t, { places: 1, readMs: READ_MS });
  const { answer } = await sendSlow(url);
  const refused = await post(url, ORDER);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assert.equal((await answer).status, 422);
  assert.equal((await post(url, ORDER)).status, 200);
});

test("nobody waits for longer than the bound", { timeout: 60_000 }, async (t) => {
  const url = await start(t, { waitMs: 200, readMs: READ_MS });
  const { answer } = await sendSlow(url);
  let over = false;
  void answer.then(() => {
    over = true;
  });
  const refused = await post(url, ORDER);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assert.equal(over, false, "it did not wait for the slow one");
  await answer;
});

test("a caller who leaves gives the place back", { timeout: 60_000 }, async (t) => {
  const url = await start(t, { places: 2, readMs: READ_MS });
  const { answer } = await sendSlow(url);
  const leaving = new AbortController();
  const waiting = received();
  const gone = fetch(url, { method: "POST", body: ORDER, signal: leaving.signal });
  await waiting;
  assert.equal((await post(url, ORDER)).status, 503, "both places are taken");
  leaving.abort();
  await assert.rejects(gone, { name: "AbortError" });
  // Long before the slow one gives its own back.
  const end = performance.now() + READ_MS / 2;
  let next = await post(url, ORDER);
  while (next.status === 503 && performance.now() < end) next = await post(url, ORDER);
  assert.equal(next.status, 200);
  await answer;
});
