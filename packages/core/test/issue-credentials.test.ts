import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type ActDeps,
  AigwError,
  addClient,
  addService,
  type CredentialsRequest,
  emptyControlState,
  fold,
  initHome,
  issueCredentials,
  openHome,
  recordProof,
  removeService,
  setPassword,
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

const names = async ({ store }: ActDeps): Promise<readonly string[]> =>
  (await store.control.clients()).map(({ name }) => name);

test("everybody gets credentials that work", async (t) => {
  const deps = await openTestStore(t);
  const mary = (await addClient(deps, { name: "mary" })).result;
  const told: number[] = [];
  const { result, changed, rev } = await issueCredentials(
    deps,
    [add("anna"), { kind: "replace", known: mary.client }],
    (done) => told.push(done),
  );
  assert.deepEqual([told, changed, rev], [[1, 2], true, await deps.store.control.head()]);
  for (const { client, password } of result) {
    const stored = await deps.store.control.client(client.name);
    assert.ok(await verifyPassword(stored?.passwordHash ?? "", password));
  }
  assert.equal(result[1]?.client.epoch, 2);
});

test("one that cannot be done takes all others back", async (t) => {
  const deps = await openTestStore(t);
  await addService(deps, { name: "ocr", url: "http://127.0.0.1:1" });
  const mary = (await addClient(deps, { name: "mary" })).result;
  const known = (await recordProof(deps, mary.client)).result;
  // Somebody removes the service in the middle of it.
  const meddling = (done: number): void => {
    if (done === 2) void removeService(deps, "ocr");
  };
  await assert.rejects(
    issueCredentials(deps, [add("anna"), { kind: "replace", known }, add("bob", ["ocr"]), add("carl")], meddling),
    (error) =>
      error instanceof AigwError &&
      error.code === "invalid_value" &&
      /no service 'ocr'.*What had been done before that was taken back\. mary: the old password works again, old tokens are dead\./.test(
        error.message,
      ),
  );
  assert.deepEqual(await names(deps), ["mary"]);
  const restored = await deps.store.control.client("mary");
  assert.ok(await verifyPassword(restored?.passwordHash ?? "", mary.password));
  assert.deepEqual([restored?.provenAt, restored?.passwordChangedAt], [known.provenAt, known.passwordChangedAt]);
  assert.equal(restored?.epoch, 3, "no token of either password comes back to life");
  const state = emptyControlState();
  for (const change of await deps.store.control.changesAfter(0, 100)) fold(state, change);
  assert.deepEqual([...state.clientsByName.keys()], ["mary"]);
});

test("who was changed meanwhile is left alone", async (t) => {
  const deps = await openTestStore(t);
  const { client } = (await addClient(deps, { name: "mary" })).result;
  const newer = (await setPassword(deps, "mary")).result;
  await assert.rejects(
    issueCredentials(deps, [{ kind: "replace", known: client }]),
    /Somebody else changed mary meanwhile\. Nothing was changed\./,
  );
  assert.ok(await verifyPassword((await deps.store.control.client("mary"))?.passwordHash ?? "", newer.password));
  await assert.rejects(issueCredentials(deps, [add("anna"), add("mary")]), /already.*taken back/);
  assert.deepEqual(await names(deps), ["mary"]);
});

test("what cannot be taken back is named", async (t) => {
  const deps = await openTestStore(t);
  const failing: ActDeps = {
    ...deps,
    store: {
      ...deps.store,
      control: new Proxy(deps.store.control, {
        get(target, member) {
          if (member === "append" && broken)
            return () => Promise.reject(new AigwError("store_full", "The disk is full."));
          const value: unknown = Reflect.get(target, member);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
    },
  };
  let broken = false;
  await assert.rejects(
    issueCredentials(failing, [add("anna"), add("bob")], () => {
      broken = true;
    }),
    /The disk is full\. Passwords that nobody has seen are set for: anna\. They could not be taken back/,
  );
});

test("a proof is recorded for the credentials that were tried, and for no others", async (t) => {
  const deps = await openTestStore(t);
  const { client } = (await addClient(deps, { name: "john" })).result;
  assert.equal((await recordProof(deps, client)).result.provenAt, deps.clock.now());
  const fresh = (await setPassword(deps, "john")).result;
  assert.equal(fresh.client.provenAt, undefined);
  const { changed } = await recordProof(deps, client);
  assert.equal(changed, false);
  assert.equal((await deps.store.control.client("john"))?.provenAt, undefined);
});
