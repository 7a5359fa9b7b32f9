import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  addClient,
  addPlan,
  addService,
  type ErrorCode,
  initHome,
  isAigwError,
  mayCall,
  openHome,
  type Plan,
  parsePlanName,
  parseWeight,
  removePlan,
  setClient,
  setPlan,
  setSetting,
  systemClock,
  termsAmong,
  termsOf,
} from "@aigw/core";
import { aClient } from "@aigw/core/testing";
import { temporaryFolder } from "./store-support/folders.ts";

const refused = (work: () => unknown, code: ErrorCode, said: RegExp): Promise<void> =>
  assert.rejects(
    async () => work(),
    (error) => isAigwError(error, code) && said.test(error.message),
  );

test("what a client has of its own comes first, then its plan's, then the default", () => {
  const plan: Plan = { name: "basic", limit: 5, services: ["ocr"], quota: "pages=500/week", weight: 3, createdAt: 0 };
  const bare = aClient();
  const own = aClient({ plan: "basic", limit: 9, services: ["chat"], quota: "pages=1/day", weight: 7 });
  assert.deepEqual(termsOf(bare, undefined), { limit: 60, services: undefined, quota: undefined, weight: 1 });
  assert.deepEqual(termsOf(bare, plan), { limit: 5, services: ["ocr"], quota: "pages=500/week", weight: 3 });
  assert.deepEqual(termsOf(own, plan), { limit: 9, services: ["chat"], quota: "pages=1/day", weight: 7 });
  assert.equal(termsOf(aClient({ quota: "none" }), plan).quota, undefined);
  assert.equal(termsAmong(bare, new Map([["basic", plan]])).limit, 60);
  assert.equal(termsAmong({ ...bare, plan: "basic" }, new Map([["basic", plan]])).limit, 5);
  assert.deepEqual(
    ["ocr", "chat"].map((service) => mayCall(termsOf(bare, plan), service)),
    [true, false],
  );
  assert.ok(mayCall(termsOf(bare, undefined), "anything"));
});

test("names and weights of plans", async () => {
  assert.equal(parsePlanName("basic-2027"), "basic-2027");
  assert.equal(parseWeight("100"), 100);
  for (const name of ["", "Basic", "none", "-x", "a b"])
    await refused(() => parsePlanName(name), "invalid_value", /plan name/);
  for (const weight of ["0", "101", "1.5", "-1", ""])
    await refused(() => parseWeight(weight), "invalid_value", /1 to 100/);
});

const setUp = async (t: TestContext) => {
  const home = `${temporaryFolder()}/home`;
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  t.after(() => store.close());
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  await addService(deps, { name: "ocr", url: "http://127.0.0.1:9000" });
  await addService(deps, { name: "chat", url: "http://127.0.0.1:9001" });
  return { store, deps };
};

test("a plan is added, changed and removed, and what it says counts for whoever is on it", async (t) => {
  const { store, deps } = await setUp(t);
  await addPlan(deps, { name: "basic", limit: 5, services: ["ocr"] });
  await refused(() => addPlan(deps, { name: "basic" }), "already_exists", /aigw plan set basic/);
  await refused(() => addPlan(deps, { name: "other", services: ["orc"] }), "invalid_value", /Did you mean ocr/);
  await refused(
    () => addClient(deps, { name: "ann", plan: "basi" }),
    "invalid_value",
    /no plan 'basi'.*Did you mean basic/,
  );
  await addClient(deps, { name: "ann", plan: "basic" });
  await addClient(deps, { name: "john" });
  await refused(() => setClient(deps, "john", { plan: "gold" }), "invalid_value", /plans are: basic/);
  assert.equal((await setClient(deps, "john", { plan: "basic", limit: 9 })).result.plan, "basic");
  const set = await setPlan(deps, "basic", { limit: null, weight: 4 });
  assert.deepEqual(
    [set.result.clients, set.result.plan.limit, set.result.plan.weight],
    [["ann", "john"], undefined, 4],
  );
  assert.equal((await setPlan(deps, "basic", { weight: 4 })).changed, false);
  await refused(() => setPlan(deps, "basic", { services: ["nothing"] }), "invalid_value", /no service 'nothing'/);
  await refused(() => setPlan(deps, "basics", {}), "not_found", /Did you mean basic/);
  // More than the plan allows makes it the client's own.
  assert.deepEqual((await setClient(deps, "ann", { addServices: ["chat"] })).result.services, ["chat", "ocr"]);
  await refused(() => removePlan(deps, "basic"), "in_use", /clients: ann, john\..*client set ann john --no-plan/);
  for (const name of ["ann", "john"]) await setClient(deps, name, { plan: null });
  await removePlan(deps, "basic");
  assert.deepEqual(await store.control.plans(), []);
  const changes = (await store.control.latestChanges({ subject: "basic", limit: 9 })).flatMap(({ effects }) => effects);
  assert.deepEqual(
    changes.map(({ action }) => action),
    ["plan.remove", "plan.set", "plan.add"],
  );
});

test("the settings timezone and currency take what they should and nothing else", async (t) => {
  const { deps } = await setUp(t);
  assert.equal((await setSetting(deps, "timezone", "europe/berlin")).result, "Europe/Berlin");
  assert.equal((await setSetting(deps, "timezone", "utc")).result, "UTC");
  for (const zone of ["+01:00", "Europe/Berlni", "", "Mars/Olympus", "x".repeat(900)])
    await refused(() => setSetting(deps, "timezone", zone), "invalid_value", /timezone/);
  await refused(() => setSetting(deps, "timezone", "Europe/Berlni"), "invalid_value", /Did you mean Europe\/Berlin/);
  for (const label of ["EUR", "€", "credits"]) assert.equal((await setSetting(deps, "currency", label)).result, label);
  for (const label of ["", "US $", "<b>", "nine chars", "a,b"])
    await refused(() => setSetting(deps, "currency", label), "invalid_value", /currency/);
});
