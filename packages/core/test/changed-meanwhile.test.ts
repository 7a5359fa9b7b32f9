import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  addClient,
  type Client,
  initHome,
  openHome,
  recordProofs,
  rehashPassword,
  setClient,
  setPassword,
  systemClock,
  verifyPassword,
} from "@aigw/core";
import { HostileStore } from "@aigw/core/testing";
import { temporaryFolder } from "./store-support/folders.ts";

const setUp = async (t: TestContext) => {
  const home = `${temporaryFolder()}/home`;
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  t.after(() => store.close());
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  const { client, password } = (await addClient(deps, { name: "john" })).result;
  const now = async (): Promise<Client> => (await store.control.client("john")) ?? assert.fail();
  return { store, deps, client, password, now };
};

test("an act that loses a race decides again, and takes nothing back that the other did", async (t) => {
  const { store, deps, now } = await setUp(t);
  const hostile = new HostileStore(store);
  hostile.treat("control.client", {
    kind: "instead",
    answer: async (real) => {
      const read = await real();
      hostile.calm();
      await setClient(deps, "john", { note: "of the other" });
      return read;
    },
  });
  await setClient({ ...deps, store: hostile }, "john", { limit: 7 });
  const { note, limit } = await now();
  assert.deepEqual([note, limit], ["of the other", 7]);
});

test("a hash made anew does not bring back a password that was replaced meanwhile", async (t) => {
  const { store, deps, client, password, now } = await setUp(t);
  const { result } = await setPassword(deps, "john");
  const head = await store.control.head();
  await rehashPassword(deps, "john", client.passwordHash, password);
  assert.equal(await store.control.head(), head);
  assert.ok(await verifyPassword((await now()).passwordHash, result.password));
});

test("a proof is not recorded for credentials that nobody tried", async (t) => {
  const { deps, client, now } = await setUp(t);
  await recordProofs(deps, [client]);
  assert.ok((await now()).provenAt !== undefined);
  await setPassword(deps, "john");
  await recordProofs(deps, [client]);
  assert.equal((await now()).provenAt, undefined);
});
