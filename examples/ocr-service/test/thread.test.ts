import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { Worker } from "node:worker_threads";
import { file, post, received, slowPicture, start } from "./support.ts";

const ORDER = file("test/fixtures/order.jpg");

function nextThread(): Promise<Worker> {
  return once(process, "worker", { signal: AbortSignal.timeout(10_000) }).then(([thread]: Worker[]) => {
    assert.ok(thread);
    return thread;
  });
}

test("a thread that died while nothing was read is replaced", async (t) => {
  const thread = nextThread();
  const url = await start(t);
  await (await thread).terminate();
  const answer = await post(url, ORDER);
  assert.deepEqual([answer.status, answer.text], [200, "Order 4711 is ready"]);
});

test("a thread that dies over a picture takes neither the process nor the next picture with it", async (t) => {
  const thread = nextThread();
  const url = await start(t);
  const taken = received();
  const fatal = post(url, slowPicture());
  await taken;
  const behind = received();
  const waiting = post(url, ORDER);
  await behind;
  // What a thread out of memory does: an error event, then its end.
  (await thread).emit("error", new Error("out of memory"));
  await (await thread).terminate();
  assert.equal((await fatal).status, 422);
  assert.equal((await waiting).status, 200);
});
