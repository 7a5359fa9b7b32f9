import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { activeKey, initHome, isAigwError, openHome, rotateSecretWithGrace, systemClock } from "@aigw/core";
import { anInstance, HostileStore } from "@aigw/core/testing";
import { temporaryFolder } from "./store-support/folders.ts";

const setUp = async (t: TestContext) => {
  const home = `${temporaryFolder()}/home`;
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  t.after(() => store.close());
  const hostile = new HostileStore(store);
  const deps = { store: hostile, sealer, clock: systemClock, actor: "test" };
  const signing = async (): Promise<string | undefined> => activeKey(await store.control.keyring())?.kid;
  return { store, hostile, deps, signing, before: await signing() };
};

test("a new key does not sign before every gateway has confirmed it", async (t) => {
  const { store, hostile, deps, signing, before } = await setUp(t);
  await store.traffic.reportInstance(anInstance({ id: "gw-1", appliedRev: 1 }));
  const seen: (string | undefined)[] = [];
  // The gateway confirms when it has been asked for three times.
  hostile.treat("traffic.instances", {
    kind: "instead",
    answer: async (real) => {
      seen.push(await signing());
      const appliedRev = seen.length < 3 ? 1 : await store.control.head();
      await store.traffic.reportInstance(anInstance({ id: "gw-1", appliedRev }));
      return real();
    },
  });
  const { result } = await rotateSecretWithGrace(deps, 60_000);
  assert.ok(seen.length >= 3, "it was waited for");
  assert.deepEqual(new Set(seen), new Set([before]));
  assert.equal(await signing(), result.key.kid);
  assert.notEqual(result.key.kid, before);
});

test("a new key that a gateway does not confirm never signs, and is taken back", async (t) => {
  const { store, deps, signing, before } = await setUp(t);
  await store.traffic.reportInstance(anInstance({ id: "deaf", appliedRev: 1 }));
  await assert.rejects(rotateSecretWithGrace(deps, 60_000, { timeoutMs: 50 }), (error) =>
    isAigwError(error, "not_applied"),
  );
  assert.equal(await signing(), before);
  assert.deepEqual((await store.control.keyring()).map(({ status }) => status).sort(), ["active", "retired"]);
});
