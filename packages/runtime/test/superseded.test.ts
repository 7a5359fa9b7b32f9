import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  type ActDeps,
  activeKey,
  addClient,
  addService,
  initHome,
  openHome,
  removeClient,
  rotateSecret,
  setClient,
  setPassword,
  setService,
  systemClock,
} from "@aigw/core";
import { HostileStore } from "@aigw/core/testing";
import { ControlFollower } from "../src/follow/control-follower.ts";

const opened = async (t: TestContext): Promise<ActDeps> => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-superseded-"));
  const home = join(folder, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return { store, sealer, clock: systemClock, actor: "test" };
};

/** Acts that supersede one another, each one change. */
const actsOf = (deps: ActDeps): readonly (() => Promise<unknown>)[] =>
  [0, 1].flatMap((turn) => [
    () => setPassword(deps, "john"),
    () => setClient(deps, "john", { limit: turn + 1 }),
    () => setService(deps, "ocr", { headers: [{ name: "X-Api-Key", value: `key ${turn}` }] }),
    () => rotateSecret(deps),
    () => addClient(deps, { name: "ann" }),
    () => setPassword(deps, "ann"),
    () => removeClient(deps, "ann"),
  ]);

/** What a gateway that has applied everything goes by. */
const truthOf = async ({ store: { control } }: ActDeps): Promise<unknown> => ({
  rev: await control.head(),
  john: await control.client("john"),
  ann: await control.client("ann"),
  ocr: await control.service("ocr"),
  signs: activeKey(await control.keyring()),
});

const stateOf = (follower: ControlFollower): unknown => ({
  rev: follower.rev,
  john: follower.clientByName("john"),
  ann: follower.clientByName("ann"),
  ocr: follower.services.get("ocr"),
  signs: follower.signingKey()?.record,
});

test("a gateway whose page of changes ends between a superseded one and the one that counts goes by no mixture", async (t) => {
  const deps = await opened(t);
  await addClient(deps, { name: "john" });
  await addService(deps, { name: "ocr", url: "http://127.0.0.1:1", headers: [{ name: "X-Api-Key", value: "key" }] });
  const acts = actsOf(deps);
  const start = await deps.store.control.head();
  const faults: unknown[] = [];
  // One for each change that a page can end with: it has seen that head, and what came since has erased what it reads.
  const followers = await Promise.all(
    acts.map(async (_, index) => {
      const store = new HostileStore(deps.store);
      const applied: unknown[] = [];
      const follower: ControlFollower = new ControlFollower({
        control: store.control,
        sealer: deps.sealer,
        clock: systemClock,
        maxStaleMs: 60_000,
        onApplied: () => applied.push(stateOf(follower)),
        onFault: (error) => faults.push(error),
        onRecovered: () => {},
      });
      await follower.start();
      follower.stop();
      const cut = start + index + 1;
      store.treat("control.head", { kind: "instead", answer: () => cut });
      store.treat("control.changesAfter", {
        kind: "instead",
        answer: async (all) => ((await all()) as readonly { rev: number }[]).filter(({ rev }) => rev <= cut),
      });
      return { follower, applied };
    }),
  );
  const truths = [await truthOf(deps)];
  for (const act of acts) {
    await act();
    truths.push(await truthOf(deps));
  }
  const newest = truths.at(-1);
  let loaded = 0;
  for (const [index, { follower, applied }] of followers.entries()) {
    await follower.refresh();
    const state = stateOf(follower);
    assert.deepEqual(applied, [truths[0], state]);
    if (isDeepStrictEqual(state, newest)) loaded += 1;
    else assert.deepEqual(state, truths[index + 1], `a page that ends with revision ${start + index + 1}`);
  }
  assert.deepEqual(faults, []);
  assert.ok(loaded > acts.length / 2, `${loaded} of ${acts.length} pages end in between`);
});
