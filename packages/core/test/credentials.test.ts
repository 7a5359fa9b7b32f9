import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type ActDeps,
  addClient,
  addService,
  type CredentialsRequest,
  emptyControlState,
  fold,
  initHome,
  issueCredentials,
  makeCredentials,
  openHome,
  recordProofs,
  rehashPassword,
  setClient,
  setPassword,
  takeBackCredentials,
  verifyPassword,
} from "@aigw/core";
import { FixedClock } from "@aigw/core/testing";
import { temporaryFolder } from "./store-support/folders.ts";

const openTestStore = async (t: Pick<TestContext, "after">): Promise<ActDeps> => {
  const clock = new FixedClock();
  const home = temporaryFolder();
  await initHome({ home, at: clock.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock });
  t.after(() => store.close());
  return { store, sealer, clock, actor: "test" };
};

const add = (name: string, services?: readonly string[]): CredentialsRequest => ({
  kind: "add",
  facts: { name, ...(services === undefined ? {} : { services }) },
});

const works = async ({ store }: ActDeps, name: string, password: string): Promise<boolean> =>
  verifyPassword((await store.control.client(name))?.passwordHash ?? "", password);

const names = async ({ store }: ActDeps): Promise<readonly string[]> =>
  (await store.control.clients()).map(({ name }) => name);

test("everybody gets credentials that work, by one change", async (t) => {
  const deps = await openTestStore(t);
  const mary = (await addClient(deps, { name: "mary" })).result;
  const head = await deps.store.control.head();
  const told: number[] = [];
  const made = await makeCredentials(
    deps,
    [add("anna"), { kind: "replace", known: mary.client }, { ...add("bob"), password: "Kestrel-under-77-elms" }],
    (done) => told.push(done),
  );
  assert.deepEqual([told, await deps.store.control.head(), await names(deps)], [[1, 2, 3], head, ["mary"]]);
  const { rev } = await issueCredentials(deps, made);
  assert.deepEqual([rev, await deps.store.control.head()], [head + 1, head + 1]);
  for (const { client, password } of made) {
    assert.deepEqual(await deps.store.control.client(client.name), client);
    assert.ok(await works(deps, client.name, password));
  }
  assert.equal(made[1]?.client.epoch, 2);
  assert.equal(made[2]?.password, "Kestrel-under-77-elms");
});

test("one that cannot be done is nobody's", async (t) => {
  const deps = await openTestStore(t);
  await addService(deps, { name: "ocr", url: "http://127.0.0.1:1" });
  const mary = (await addClient(deps, { name: "mary" })).result;
  const made = await makeCredentials(deps, [add("anna"), { kind: "replace", known: mary.client }, add("bob", ["tts"])]);
  const head = await deps.store.control.head();
  await assert.rejects(issueCredentials(deps, made), /There is no service 'tts'/);
  const taken = await makeCredentials(deps, [add("anna"), add("mary")]);
  await assert.rejects(issueCredentials(deps, taken), /There is a client 'mary' already/);
  // Whatever was changed of somebody since: it may be what the e-mail says.
  await setClient(deps, "mary", { limit: 7 });
  await assert.rejects(issueCredentials(deps, made.slice(0, 2)), /Somebody else changed mary meanwhile/);
  assert.deepEqual([await deps.store.control.head(), await names(deps)], [head + 1, ["mary"]]);
  assert.ok(await works(deps, "mary", mary.password));
});

test("a proof or another hash of the old password is no change of the client", async (t) => {
  const deps = await openTestStore(t);
  const { client } = (await addClient(deps, { name: "mary" })).result;
  const made = await makeCredentials(deps, [{ kind: "replace", known: client }]);
  await recordProofs(deps, [client]);
  await rehashPassword(deps, "mary", client.passwordHash, "x");
  await issueCredentials(deps, made);
  assert.ok(await works(deps, "mary", made[0]?.password ?? ""));
});

test("what is taken back is as before, but for the tokens", async (t) => {
  const deps = await openTestStore(t);
  const mary = (await addClient(deps, { name: "mary" })).result;
  const [known = mary.client] = (await recordProofs(deps, [mary.client])).result;
  const other = (await addClient(deps, { name: "other" })).result;
  const made = await makeCredentials(deps, [
    add("anna"),
    { kind: "replace", known },
    { kind: "replace", known: other.client },
  ]);
  await issueCredentials(deps, made);
  await setClient(deps, "mary", { limit: 7 });
  const newer = (await setPassword(deps, "other")).result;
  const head = await deps.store.control.head();
  const { result, rev } = await takeBackCredentials(deps, made);
  assert.deepEqual(result, { restored: ["mary"], removed: ["anna"], leftAlone: ["other"] });
  assert.equal(rev, head + 1);
  assert.deepEqual(await names(deps), ["mary", "other"]);
  assert.ok(await works(deps, "mary", mary.password));
  assert.ok(await works(deps, "other", newer.password));
  const restored = await deps.store.control.client("mary");
  assert.deepEqual([restored?.provenAt, restored?.passwordChangedAt], [known.provenAt, known.passwordChangedAt]);
  assert.equal(restored?.epoch, 3, "no token of either password comes back to life");
  assert.equal(restored?.limit, 7, "what somebody else did stays");
  const state = emptyControlState();
  for (const change of await deps.store.control.changesAfter(0, 100)) fold(state, change);
  assert.deepEqual([...state.clients.values()].map(({ name }) => name).sort(), ["mary", "other"]);
  assert.equal((await takeBackCredentials(deps, made)).changed, false);
});

test("proofs are recorded for the credentials that were tried, and for no others", async (t) => {
  const deps = await openTestStore(t);
  const { client } = (await addClient(deps, { name: "john" })).result;
  const jane = (await addClient(deps, { name: "jane" })).result.client;
  const head = await deps.store.control.head();
  const { result, rev } = await recordProofs(deps, [client, jane]);
  assert.deepEqual([rev, result.map(({ provenAt }) => provenAt)], [head + 1, [deps.clock.now(), deps.clock.now()]]);
  const fresh = (await setPassword(deps, "john")).result;
  assert.equal(fresh.client.provenAt, undefined);
  assert.equal((await recordProofs(deps, [client])).changed, false);
  assert.equal((await deps.store.control.client("john"))?.provenAt, undefined);
});
