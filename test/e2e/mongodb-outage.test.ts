import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setClient } from "@aigw/core";
import { aigw } from "../support/aigw.ts";
import { LIMIT, mostInAWindow, startOnASet } from "../support/gateways-on-a-set.ts";
import { MONGOD, mongodbRan } from "../support/mongodb.ts";
import { allUsage, assertSound, withHome } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

const missing = MONGOD === "" && "AIGW_TEST_MONGOD does not name a mongod to harm";
const BACK_WITHIN_MS = 2_000;

describe("three gateways on a replica set", () => {
  after(() => missing === false && mongodbRan());

  it("serve known clients while the primary changes and while no server is there, and lose and double nothing", {
    skip: missing,
  }, async (t) => {
    const { home, set, load, admitted } = await startOnASet(t, { mongod: MONGOD, maxStaleMs: 60_000 });
    const called = (): number => load.calls.length;
    const someCalls = async (): Promise<void> => {
      const before = called();
      await until("calls", () => called() > before + 20);
    };
    await someCalls();
    const notes: { rev: number; note: string }[] = [];
    const change = (note: string): Promise<unknown> =>
      withHome(home, async ({ deps }) => notes.push({ note, ...(await setClient(deps, "john", { note })) }));

    await Promise.all([set.stepDown(), change("while it steps down")]);
    await change("after it has");
    await someCalls();

    await Promise.all(set.members.map((member) => member.kill()));
    const [{ code, stdout, stderr }] = await Promise.all([aigw(home, ["status"]), someCalls()]);
    assert.deepEqual([code, stdout], [6, ""]);
    assert.match(stderr, /^error: No MongoDB server answers at [^\n]+\n$/, "one line, and it says what is the matter");
    await Promise.all(set.members.map((member) => member.restart()));
    await set.primary();
    const backAt = performance.now();
    const login = await until("a login", () =>
      load.logins.find(({ startedAt, status }) => startedAt > backAt && status === 200),
    );
    // They are a second apart, at one gateway after the other.
    assert.ok(login.startedAt - backAt <= BACK_WITHIN_MS, `${login.startedAt - backAt} ms`);
    await change("after the outage");
    await load.stop();

    const refused = load.calls.filter(({ client, status }) => status !== 200 && !(client === "john" && status === 429));
    assert.deepEqual(refused, [], "no known client is refused");
    const wrong = load.logins.filter(({ status, retryAfter }) => status !== 200 && !(status === 503 && retryAfter));
    assert.deepEqual(wrong, [], "a login that cannot be checked is told to come again");
    assert.ok(mostInAWindow(admitted.get("john")) <= LIMIT);

    const served = load.calls.filter(({ status }) => status === 200).map(({ id }) => id);
    await withHome(home, async (opened) => {
      await assertSound(opened);
      for (const { rev, note } of notes) {
        const [stored] = await opened.store.control.changesAfter(rev - 1, 1);
        const client = stored?.effects[0]?.after as { note?: string } | undefined;
        assert.equal(client?.note, note);
      }
      await until("all usage", async () => {
        const stored = new Set((await allUsage(opened.store)).map(({ requestId }) => requestId));
        return served.every((id) => stored.has(id));
      });
      const ids = (await allUsage(opened.store)).map(({ requestId }) => requestId).filter((id) => served.includes(id));
      assert.equal(ids.length, served.length, "each call once");
    });
  });
});
