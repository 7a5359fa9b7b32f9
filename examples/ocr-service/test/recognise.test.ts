import assert from "node:assert/strict";
import { test } from "node:test";
import { file, lines, png, post, SAMPLE, SAMPLE_TEXT, start } from "./support.ts";

test("reads every line of the sample, however it is sent", async (t) => {
  const url = await start(t);
  const form = new FormData();
  form.append("note", "fields before the file are skipped");
  form.append("file", new File([SAMPLE], "sample.png", { type: "image/png" }));
  const ways: Record<string, () => ReturnType<typeof post>> = {
    "raw body": () => post(url, SAMPLE, { "content-type": "image/png" }),
    "raw body without a type": () => post(url, SAMPLE, { "content-type": "application/octet-stream" }),
    "multipart form": () => post(url, form),
    "a query is no other path": () => post(`${url}/?lang=eng`, SAMPLE),
  };
  for (const [way, send] of Object.entries(ways)) {
    await t.test(way, async () => {
      const answer = await send();
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
      assert.deepEqual(lines(answer.text), lines(SAMPLE_TEXT));
      assert.equal(answer.text, String(answer.text).trim());
      assert.equal(answer.pages, 1);
      assert.ok(typeof answer.confidence === "number" && answer.confidence > 80 && answer.confidence <= 100);
    });
  }
});

test("reads each type it says it accepts", async (t) => {
  const url = await start(t);
  for (const type of ["jpg", "webp", "gif", "bmp"]) {
    const answer = await post(url, file(`test/fixtures/order.${type}`));
    assert.deepEqual([answer.status, answer.text], [200, "Order 4711 is ready"], type);
  }
});

test("an empty page is no error: no text, no confidence", async (t) => {
  const url = await start(t);
  const answer = await post(url, png(100, 100, Buffer.alloc(101 * 100)));
  assert.deepEqual([answer.status, answer.text, answer.confidence, answer.pages], [200, "", 0, 1]);
});

test("callers at once each get their own text", async (t) => {
  const url = await start(t);
  const order = file("test/fixtures/order.jpg");
  const [first, second, third] = await Promise.all([post(url, SAMPLE), post(url, order), post(url, SAMPLE)]);
  assert.deepEqual(lines(first.text), lines(SAMPLE_TEXT));
  assert.equal(second.text, "Order 4711 is ready");
  assert.deepEqual(lines(third.text), lines(SAMPLE_TEXT));
});
