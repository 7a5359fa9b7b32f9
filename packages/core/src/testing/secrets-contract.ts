import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Change, type ChangeDraft, isSettled } from "../changes/change.ts";
import { emptyControlState, fold } from "../changes/control-state.ts";
import { traceOf } from "../changes/secrets.ts";
import { isAigwError } from "../errors.ts";
import type { ControlStore } from "../store/store.ts";
import { aClient, aService, aSigningKey } from "./builders.ts";
import { contentsOf } from "./contents-of.ts";
import type { WithStore } from "./store-contract.ts";

const ACT = { at: Date.UTC(2027, 0, 15, 12), actor: "admin@host" };

const appendAll = async (store: ControlStore, drafts: readonly ChangeDraft[]): Promise<void> => {
  for (const draft of drafts) await store.append(await store.head(), [draft], ACT);
};

/** Everything that the port hands out of the log. */
const logOf = async (store: ControlStore): Promise<string> =>
  JSON.stringify([await store.changesAfter(0, 1_000), await store.latestChanges({ limit: 1_000 })]);

const john = aClient({ name: "john", passwordHash: "$argon2id$first", note: "kept" });
const ocr = aService({
  name: "ocr",
  headers: [
    { name: "X-Api-Key", sealedValue: "v1.old-header" },
    { name: "X-Tenant", sealedValue: "v1.stays" },
  ],
});
const key = aSigningKey({ sealedSecret: "v1.first-key" });
const next = aSigningKey({ sealedSecret: "v1.second-key", status: "published" });

/** What is in force at the end: `$argon2id$second`, `v1.new-header`, `v1.stays` and `v1.second-key`. */
const story: readonly ChangeDraft[] = [
  { action: "secret.create", subject: key.kid, after: [key] },
  { action: "client.add", subject: "john", after: john },
  { action: "service.add", subject: "ocr", after: ocr },
  // Of a client's name.
  {
    action: "service.add",
    subject: "john",
    after: aService({ name: "john", headers: [{ name: "X", sealedValue: "v1.of-john" }] }),
  },
  { action: "config.set", subject: "smtp-password", after: "v1.old-mail" },
  { action: "config.set", subject: "sender-name", after: "Ops" },
  { action: "client.set", subject: "john", after: { ...john, limit: 5 } },
  {
    action: "client.passwd",
    subject: "john",
    after: { ...john, limit: 5, epoch: 2, passwordHash: "$argon2id$second" },
  },
  {
    action: "service.set",
    subject: "ocr",
    after: { ...ocr, headers: [{ name: "X-Api-Key", sealedValue: "v1.new-header" }, ...ocr.headers.slice(1)] },
  },
  { action: "config.unset", subject: "smtp-password", after: null },
  { action: "config.set", subject: "sender-name", after: "Operations" },
  { action: "secret.publish", subject: next.kid, after: [key, next] },
  {
    action: "secret.activate",
    subject: next.kid,
    after: [
      { ...key, status: "retiring", verifyUntil: 5 },
      { ...next, status: "active" },
    ],
  },
];
const retire: ChangeDraft = {
  action: "secret.retire",
  subject: key.kid,
  after: [
    { kid: key.kid, alg: key.alg, createdAt: key.createdAt, status: "retired", retiredAt: 6 },
    { ...next, status: "active" },
  ],
};

export const secretsContract = (withStore: WithStore): void => {
  describe("secrets", () => {
    it(
      "are in the newest effect on their subject alone",
      withStore(async ({ one, two }) => {
        await appendAll(one.control, story);
        const log = await logOf(two.control);
        for (const gone of ["$argon2id$first", "v1.old-header", "v1.old-mail"]) assert.ok(!log.includes(gone), gone);
        for (const held of ["$argon2id$second", "v1.new-header", "v1.stays", "v1.of-john", "v1.first-key"])
          assert.equal(log.split(held).length - 1, 2, `${held}: once, in each of the two readings`);
        await appendAll(two.control, [
          retire,
          { action: "service.remove", subject: "john", after: null },
          { action: "client.remove", subject: "john", after: null },
        ]);
        const later = await logOf(one.control);
        for (const gone of ["v1.first-key", "v1.of-john", "$argon2id$second"]) assert.ok(!later.includes(gone), gone);
        assert.ok(later.includes("v1.second-key"));
      }),
    );

    it(
      "leave what else was said in the log, marked, and a trace of each that tells one from another",
      withStore(async ({ one, two }) => {
        await appendAll(one.control, story);
        const changes = await two.control.changesAfter(0, 1_000);
        const effectOf = (rev: number): Change["effects"][number] | undefined => changes[rev - 1]?.effects[0];
        const client = { ...john, passwordHash: traceOf("$argon2id$first") };
        assert.deepEqual(effectOf(2), { action: "client.add", subject: "john", after: client, superseded: true });
        assert.deepEqual(effectOf(7)?.after, { ...client, limit: 5 });
        const headers = ocr.headers.map(({ name, sealedValue }) => ({ name, sealedValue: traceOf(sealedValue) }));
        assert.deepEqual(effectOf(3), {
          action: "service.add",
          subject: "ocr",
          after: { ...ocr, headers },
          superseded: true,
        });
        assert.equal(effectOf(5)?.after, traceOf("v1.old-mail"));
        const { sealedSecret: _gone, ...bare } = key;
        assert.deepEqual(effectOf(1), {
          action: "secret.create",
          subject: key.kid,
          after: [bare],
          superseded: true,
        });
        // What holds no secret is as it was.
        assert.deepEqual(effectOf(6), story[5]);
        assert.deepEqual(effectOf(13), story[12]);
      }),
    );

    it(
      "are all there in what is folded, by pages of any size that are settled",
      withStore(async ({ one, two }) => {
        await appendAll(one.control, [...story, retire]);
        const state = await two.control.snapshot();
        assert.equal(state.clients.byName("john")?.passwordHash, "$argon2id$second");
        assert.equal(state.keyring.at(-1)?.sealedSecret, "v1.second-key");
        assert.deepEqual(await two.control.keyring(), state.keyring);
        assert.deepEqual(await two.control.client("john"), state.clients.byName("john"));
        assert.deepEqual(await two.control.service("ocr"), state.services.get("ocr"));
        const head = await two.control.head();
        let unsettled = 0;
        for (let after = 0; after < head; after += 1) {
          for (let limit = 1; limit <= head - after; limit += 1) {
            const page = await two.control.changesAfter(after, limit);
            if (!isSettled(page)) {
              unsettled += 1;
              continue;
            }
            const folded = emptyControlState();
            for (const change of page) fold(folded, change);
            assert.ok(
              !JSON.stringify([...folded.clients.values(), ...folded.services, folded.keyring]).includes("erased:"),
            );
          }
          // Whatever was read before: up to the head nothing is open.
          assert.ok(isSettled(await two.control.changesAfter(after, 1_000)));
        }
        assert.ok(unsettled > 20, `${unsettled} pages end in between`);
        const folded = emptyControlState();
        for (const change of await one.control.changesAfter(0, 1_000)) fold(folded, change);
        assert.deepEqual(contentsOf(folded), contentsOf(state));
      }),
    );

    it(
      "stay where they are when the change that would retire them is refused",
      withStore(async ({ one, two }) => {
        await appendAll(one.control, story.slice(0, 3));
        const passwd: ChangeDraft = {
          action: "client.passwd",
          subject: "john",
          after: { ...john, passwordHash: "$argon2id$second" },
        };
        for (const stale of [0, 2, 4]) {
          await assert.rejects(
            async () => two.control.append(stale, [passwd], ACT),
            (error) => isAigwError(error, "changed_meanwhile"),
          );
        }
        const [, add] = await one.control.changesAfter(0, 10);
        assert.deepEqual(add?.effects, [story[1]]);
        const several = [passwd, { action: "service.remove", subject: "ocr", after: null }] as const;
        await two.control.append(3, several, ACT);
        const log = await logOf(one.control);
        for (const gone of ["$argon2id$first", "v1.old-header", "v1.stays"]) assert.ok(!log.includes(gone), gone);
        assert.deepEqual((await one.control.changesAfter(3, 9))[0]?.effects, several);
      }),
    );
  });
};
