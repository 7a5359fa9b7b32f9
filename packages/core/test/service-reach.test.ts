import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  addService,
  initHome,
  openHome,
  parseUpstreamUrl,
  type Service,
  setService,
  splitUrl,
  systemClock,
  targetsOf,
} from "@aigw/core";
import { temporaryHome } from "../../../test/support/aigw.ts";
import { storeUrlOf } from "../../../test/support/engine.ts";

/** As versions keep it that know of no targets. */
const OLD: Service = {
  id: "s_abcdefghijklmnop",
  name: "old",
  url: "http://127.0.0.1:9000/v1",
  timeoutMs: 60_000,
  idleTimeoutMs: 300_000,
  headers: [],
  createdAt: 1_700_000_000_000,
};

test("a service of an earlier version has one target, and is changed like any other", async (t) => {
  const home = temporaryHome(t);
  const storeUrl = storeUrlOf(home);
  await initHome({ home, storeUrl, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, storeUrl, clock: systemClock });
  t.after(() => store.close());
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  const head = await store.control.head();
  await store.control.append(head, [{ action: "service.add", subject: "old", after: OLD }], { at: 1, actor: "test" });
  const found = await store.control.service("old");
  assert.deepEqual(found && targetsOf(found), [{ url: OLD.url }]);
  assert.equal((await setService(deps, "old", {})).changed, false);
  assert.equal((await setService(deps, "old", { timeoutMs: 60_000 })).changed, false);
  const { result } = await setService(deps, "old", { addTargets: ["http://127.0.0.2:9000/"] });
  assert.deepEqual(result.targets, [{ url: OLD.url }, { url: "http://127.0.0.2:9000" }]);
  assert.equal(result.url, OLD.url);
  const { result: alone } = await setService(deps, "old", { removeTargets: [OLD.url] });
  assert.deepEqual([alone.url, alone.targets], ["http://127.0.0.2:9000", undefined]);
});

test("a service with nothing to say of its targets is kept as it always was", async (t) => {
  const home = temporaryHome(t);
  const storeUrl = storeUrlOf(home);
  await initHome({ home, storeUrl, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, storeUrl, clock: systemClock });
  t.after(() => store.close());
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  const { result } = await addService(deps, { name: "plain", url: OLD.url });
  assert.deepEqual(Object.keys(result).sort(), Object.keys(OLD).sort());
  // What is set is taken back without a trace.
  await setService(deps, "plain", {
    noVia: true,
    fallback: null,
    health: { path: "/health" },
    drain: [],
    disabled: "x",
  });
  const { result: back } = await setService(deps, "plain", { noVia: null, health: null, disabled: null });
  assert.deepEqual(Object.keys(back).sort(), Object.keys(OLD).sort());
});

describe("a target's URL", () => {
  test("of a socket: its path and its base path", () => {
    const read = (value: string): readonly string[] => {
      const { origin, basePath } = splitUrl(parseUpstreamUrl(value));
      return [origin, basePath];
    };
    assert.deepEqual(read("unix:/run/ocr.sock"), ["unix:/run/ocr.sock", ""]);
    assert.deepEqual(read("unix:/run/ocr.sock:"), ["unix:/run/ocr.sock", ""]);
    assert.deepEqual(read("unix:/run/ocr.sock:/v1/"), ["unix:/run/ocr.sock", "/v1"]);
    assert.deepEqual(read("unix:/run/my ocr.sock:/v1"), ["unix:/run/my ocr.sock", "/v1"]);
    assert.deepEqual(read("https://ocr.internal:8443/v1/"), ["https://ocr.internal:8443", "/v1"]);
  });

  test("is refused where two readers could disagree", () => {
    for (const value of ["unix:", "unix:ocr.sock", "unix:/a\nb", "unix:/a:b", "unix:/a:/b c", "unix:/a:/b:/c#d"]) {
      assert.throws(() => parseUpstreamUrl(value), /is not valid/, JSON.stringify(value));
    }
  });
});
