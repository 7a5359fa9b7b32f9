import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ChangeDraft, MAX_EFFECTS } from "../changes/change.ts";
import { emptyControlState, fold } from "../changes/control-state.ts";
import { withoutSecrets } from "../changes/secrets.ts";
import { isAigwError } from "../errors.ts";
import { aClient, aService, aSigningKey } from "./builders.ts";
import { contentsOf } from "./contents-of.ts";
import { ACT, addClient, appendAll, appendRetrying, asLogged, story, subjectsOf } from "./control-story.ts";
import type { WithStore } from "./store-contract.ts";

export const controlContract = (withStore: WithStore): void => {
  describe("the change log", () => {
    it(
      "numbers changes 1, 2, 3 … and gives them back as they were",
      withStore(async ({ one, two }) => {
        assert.equal(await one.control.head(), 0);
        const appended = await appendAll(one.control, story());
        assert.deepEqual(
          appended.map((change) => change.rev),
          appended.map((_, index) => index + 1),
        );
        assert.equal(await one.control.head(), appended.length);
        assert.equal(await two.control.head(), appended.length);
        const kept = (await two.control.changesAfter(0, 1_000)).filter((change) => subjectsOf(change)[0] !== "ann");
        assert.deepEqual(
          kept,
          asLogged(appended).filter((change) => subjectsOf(change)[0] !== "ann"),
        );
      }),
    );

    it(
      "refuses an append on an outdated revision and writes nothing",
      withStore(async ({ one, two }) => {
        const [first] = await appendAll(one.control, [addClient("a")]);
        for (const stale of [0, 2, 7]) {
          await assert.rejects(
            async () => two.control.append(stale, [addClient("b")], ACT),
            (error) => isAigwError(error, "changed_meanwhile"),
          );
        }
        assert.deepEqual(await two.control.changesAfter(0, 10), [first]);
        assert.equal(await one.control.client("b"), undefined);
        assert.equal((await two.control.append(1, [addClient("b")], ACT)).rev, 2);
      }),
    );

    it(
      "takes several effects as one change: one revision, all of it or nothing",
      withStore(async ({ one, two }) => {
        const john = aClient({ name: "john", note: "before" });
        await appendAll(one.control, [{ action: "client.add", subject: "john", after: john }]);
        const drafts: readonly ChangeDraft[] = [
          addClient("ann"),
          { action: "client.passwd", subject: "john", after: { ...john, epoch: 2 } },
          // Of the same name, but another subject.
          { action: "service.add", subject: "ann", after: aService({ name: "ann" }) },
          { action: "config.set", subject: "sender-name", after: "Ops" },
        ];
        for (const stale of [0, 2]) {
          await assert.rejects(
            async () => two.control.append(stale, drafts, ACT),
            (error) => isAigwError(error, "changed_meanwhile"),
          );
        }
        assert.deepEqual([await one.control.head(), await one.control.client("ann")], [1, undefined]);
        const change = await two.control.append(1, drafts, ACT);
        assert.deepEqual(change, { rev: 2, ...ACT, effects: drafts });
        assert.equal(await one.control.head(), 2);
        assert.deepEqual(await one.control.changesAfter(1, 1), [change]);
        const folded = emptyControlState();
        for (const each of await one.control.changesAfter(0, 10)) fold(folded, each);
        assert.deepEqual(contentsOf(await one.control.snapshot()), contentsOf(folded));
        assert.equal((await one.control.client("john"))?.epoch, 2);
        assert.equal((await one.control.service("ann"))?.name, "ann");

        // A page is counted in changes, and a subject sees its own effects alone.
        await appendAll(one.control, [addClient("zoe")]);
        assert.deepEqual(
          (await one.control.latestChanges({ limit: 2 })).map(({ rev, effects }) => [rev, effects.length]),
          [
            [3, 1],
            [2, 4],
          ],
        );
        const ofAnn = await one.control.latestChanges({ limit: 9, subject: "ann" });
        assert.deepEqual(ofAnn, [{ ...change, effects: [drafts[0], drafts[2]] }]);
        const ofJohn = await one.control.latestChanges({ limit: 1, subject: "john" });
        assert.deepEqual(ofJohn, [{ ...change, effects: [drafts[1]] }]);
      }),
    );

    it(
      "refuses a change without effects, or with two on one subject",
      withStore(async ({ one }) => {
        const key = aSigningKey();
        for (const drafts of [
          [],
          [addClient("a"), addClient("b"), addClient("a")],
          [
            { action: "secret.create", subject: key.kid, after: [key] },
            { action: "secret.rotate", subject: "k_other", after: [key] },
          ],
          Array.from({ length: MAX_EFFECTS + 1 }, (_, index) => addClient(`c${index}`)),
        ] satisfies ChangeDraft[][]) {
          await assert.rejects(async () => one.control.append(0, drafts, ACT), TypeError);
        }
        assert.deepEqual([await one.control.head(), await one.control.clients()], [0, []]);
      }),
    );

    it(
      "loses no change when two handles append at once",
      withStore(async ({ one, two }) => {
        const names = Array.from({ length: 40 }, (_, index) => `c${index}`);
        await Promise.all(
          names.map((name, index) => appendRetrying((index % 2 === 0 ? one : two).control, addClient(name))),
        );
        const changes = await one.control.changesAfter(0, 1_000);
        assert.deepEqual(
          changes.map((change) => change.rev),
          names.map((_, index) => index + 1),
        );
        assert.deepEqual(changes.flatMap(subjectsOf).sort(), [...names].sort());
        assert.equal((await two.control.clients()).length, names.length);
      }),
    );

    it(
      "hands out pages in order, and the newest first",
      withStore(async ({ one }) => {
        await appendAll(one.control, ["a", "b", "c", "d", "e"].map(addClient));
        const revs = async (after: number, limit: number): Promise<number[]> =>
          (await one.control.changesAfter(after, limit)).map((change) => change.rev);
        assert.deepEqual(await revs(0, 2), [1, 2]);
        assert.deepEqual(await revs(2, 2), [3, 4]);
        assert.deepEqual(await revs(4, 2), [5]);
        assert.deepEqual(await revs(5, 2), []);
        const newest = await one.control.latestChanges({ limit: 2 });
        assert.deepEqual(
          newest.map((change) => change.rev),
          [5, 4],
        );
        const ofB = await one.control.latestChanges({ limit: 9, subject: "b" });
        assert.deepEqual(
          ofB.map((change) => change.rev),
          [2],
        );
      }),
    );

    it(
      "sees the head that another handle made, each time",
      withStore(async ({ one, two }) => {
        for (let rev = 1; rev <= 20; rev += 1) {
          const [writer, reader] = rev % 3 === 0 ? [two, one] : [one, two];
          await writer.control.append(rev - 1, [addClient(`c${rev}`)], ACT);
          assert.equal(await reader.control.head(), rev);
          assert.equal(await writer.control.head(), rev);
        }
      }),
    );
  });

  describe("the views", () => {
    it(
      "are what folding the log gives",
      withStore(async ({ one, two }) => {
        const drafts = story();
        const folded = emptyControlState();
        for (const change of await appendAll(one.control, drafts)) fold(folded, change);
        assert.deepEqual(contentsOf(await two.control.snapshot()), contentsOf(folded));
        const refolded = emptyControlState();
        for (const change of await two.control.changesAfter(0, 1_000)) fold(refolded, change);
        assert.deepEqual(contentsOf(refolded), contentsOf(folded));
        assert.deepEqual(await two.control.clients(), [folded.clients.byName("ann"), folded.clients.byName("john")]);
        assert.deepEqual(await two.control.client("john"), folded.clients.byName("john"));
        assert.equal(await two.control.client("nobody"), undefined);
        assert.deepEqual(await two.control.services(), [folded.services.get("ocr")]);
        assert.deepEqual(await two.control.service("ocr"), folded.services.get("ocr"));
        assert.equal(await two.control.service("chat"), undefined);
        assert.deepEqual(await two.control.plans(), [folded.plans.get("basic")]);
        assert.deepEqual((await two.control.plan("basic"))?.services, ["ocr"]);
        assert.equal(await two.control.plan("gone"), undefined);
        assert.deepEqual(await two.control.keyring(), folded.keyring);
        assert.deepEqual(await two.control.settings(), folded.settings);
      }),
    );

    it(
      "are empty in an empty log",
      withStore(async ({ one }) => {
        assert.deepEqual(contentsOf(await one.control.snapshot()), contentsOf(emptyControlState()));
        assert.deepEqual(await one.control.keyring(), []);
      }),
    );

    it(
      "belong to one store id",
      withStore(async ({ one, two }) => {
        assert.match(one.control.storeId, /^[0-9a-f-]{36}$/);
        assert.equal(two.control.storeId, one.control.storeId);
      }),
    );
  });

  describe("removing a client", () => {
    it(
      "purges what the log held of it, and nothing else",
      withStore(async ({ one, two }) => {
        const canary = "canary@example.com";
        const john = aClient({ name: "john", email: canary });
        await appendAll(one.control, [
          { action: "client.add", subject: "john", after: john },
          { action: "service.add", subject: "john", after: aService({ name: "john" }) },
          addClient("ann"),
          { action: "client.passwd", subject: "john", after: { ...john, epoch: 2 } },
          { action: "client.remove", subject: "john", after: null },
        ]);
        const changes = await two.control.changesAfter(0, 10);
        assert.ok(!JSON.stringify(changes).includes(canary));
        assert.deepEqual(changes[0], {
          effects: [{ action: "client.add", subject: "john", after: { purged: true } }],
          rev: 1,
          ...ACT,
        });
        const [, asService, ann, passwd, remove] = changes.map(({ effects }) => effects[0]?.after);
        assert.deepEqual(passwd, { purged: true });
        assert.equal(remove, null);
        assert.equal((await two.control.service("john"))?.name, "john");
        assert.ok(typeof asService === "object" && asService !== null && "url" in asService);
        assert.ok(typeof ann === "object" && ann !== null && "passwordHash" in ann);
      }),
    );

    it(
      "purges its effects of changes that had others, too",
      withStore(async ({ one, two }) => {
        const ann = aClient({ name: "ann", note: "canary" });
        const before = [addClient("john"), { action: "client.add", subject: "ann", after: ann }] as const;
        await one.control.append(0, before, ACT);
        const remove = [
          { action: "client.remove", subject: "ann", after: null },
          { action: "client.set", subject: "john", after: aClient({ name: "john", note: "stays" }) },
        ] as const satisfies ChangeDraft[];
        await one.control.append(1, remove, ACT);
        assert.deepEqual(await two.control.changesAfter(0, 9), [
          {
            rev: 1,
            ...ACT,
            effects: [withoutSecrets(before[0]), { action: "client.add", subject: "ann", after: { purged: true } }],
          },
          { rev: 2, ...ACT, effects: remove },
        ]);
        assert.deepEqual(await two.control.clients(), [remove[1].after]);
      }),
    );

    it(
      "keeps a client of the same name that is added later",
      withStore(async ({ one, two }) => {
        await appendAll(one.control, [addClient("john"), { action: "client.remove", subject: "john", after: null }]);
        const again = aClient({ name: "john" });
        await appendAll(two.control, [{ action: "client.add", subject: "john", after: again }]);
        assert.deepEqual(await one.control.client("john"), again);
        const state = await one.control.snapshot();
        assert.deepEqual(
          [...state.clients.values()].map(({ id }) => id),
          [again.id],
        );
      }),
    );
  });
};
