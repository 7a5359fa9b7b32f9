import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { type JobWish, jobWish } from "../src/jobs/prefer.ts";

const wishOf = (prefer: string): JobWish | undefined =>
  jobWish({ method: "POST", headers: { prefer } } as unknown as IncomingMessage);

describe("the field Prefer", () => {
  for (const [prefer, callback, others] of [
    ["respond-async", undefined, ""],
    ["Respond-Async, wait=10", undefined, ""],
    ["return=minimal, respond-async", undefined, "return=minimal"],
    ['respond-async, callback="https://a.example/x,y;z"', "https://a.example/x,y;z", ""],
    ['respond-async;x=1, callback = "https://a.example/\\"q\\"" ; y="1,2", b', 'https://a.example/"q"', "b"],
    ["respond-async, callback=one, callback=two", "one", ""],
    ['a;b="c, d";e , respond-async, f="g\\",h"', undefined, 'a;b="c, d";e, f="g\\",h"'],
    // A list may have empty elements (RFC 9110 §5.6.1).
    [", respond-async", undefined, ""],
    ['respond-async, ,, callback="https://a.example/"', "https://a.example/", ""],
    ["a,respond-async,", undefined, "a"],
  ] as const) {
    it(`wishes for a job: ${prefer}`, () => assert.deepEqual(wishOf(prefer), { callback, others }));
  }

  for (const prefer of [
    "",
    "return=minimal",
    "x-respond-async",
    'a="respond-async"',
    'a="b, respond-async',
    "a;respond-async",
  ]) {
    it(`does not: ${prefer}`, () => assert.equal(wishOf(prefer), undefined));
  }

  it("takes no time, whatever is in it", () => {
    const times = 10_000;
    for (const prefer of [
      `respond-async, a${";".repeat(times)}"`,
      `respond-async, a=${" ".repeat(times)}@`,
      `respond-async, a${" ;".repeat(times)}"`,
      `respond-async, a;${'"" '.repeat(times)}"`,
      `respond-async, ${'a="\\'.repeat(times)}`,
      `respond-async${",".repeat(times)}@`,
    ]) {
      const since = performance.now();
      assert.ok(wishOf(prefer));
      const tookMs = performance.now() - since;
      assert.ok(tookMs < 50, `${tookMs} ms for ${prefer.slice(0, 30)}`);
    }
  });
});
