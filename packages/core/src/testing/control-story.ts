import { type Change, type ChangeDraft, subjectOf } from "../changes/change.ts";
import { secretsOf, withoutSecrets } from "../changes/secrets.ts";
import { isAigwError } from "../errors.ts";
import type { ControlStore } from "../store/store.ts";
import { aClient, aService, aSigningKey } from "./builders.ts";

export const ACT: { readonly at: number; readonly actor: string } = {
  at: Date.UTC(2027, 0, 15, 12),
  actor: "admin@host",
};

export const addClient = (name: string): ChangeDraft => ({
  action: "client.add",
  subject: name,
  after: aClient({ name }),
});

export const subjectsOf = ({ effects }: Change): readonly string[] => effects.map(({ subject }) => subject);

export const appendAll = async (store: ControlStore, drafts: readonly ChangeDraft[]): Promise<Change[]> => {
  const changes: Change[] = [];
  for (const draft of drafts) changes.push(await store.append(await store.head(), [draft], ACT));
  return changes;
};

/** How the log gives them back: secrets are in the newest effect on a subject alone, see secretsContract. */
export const asLogged = (changes: readonly Change[]): readonly Change[] => {
  const newest = new Map(changes.flatMap(({ rev, effects }) => effects.map((effect) => [subjectOf(effect), rev])));
  return changes.map((change) => ({
    ...change,
    effects: change.effects.map((effect) =>
      newest.get(subjectOf(effect)) === change.rev || secretsOf(effect).length === 0
        ? effect
        : withoutSecrets(effect as ChangeDraft),
    ),
  }));
};

/** Reads, decides and appends until nobody else was faster, as an admin act does. */
export const appendRetrying = async (store: ControlStore, draft: ChangeDraft): Promise<Change> => {
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    try {
      return await store.append(await store.head(), [draft], ACT);
    } catch (error) {
      if (!isAigwError(error, "changed_meanwhile")) throw error;
    }
  }
  throw new Error("1,000 attempts were not enough");
};

/** One change of every kind, in an order that could happen. */
export const story = (): readonly ChangeDraft[] => {
  const john = aClient({ name: "john", email: "john@example.com", services: ["ocr"], limit: 5 });
  const ann = aClient({ name: "ann" });
  const ocr = aService({ name: "ocr", headers: [{ name: "X-Api-Key", sealedValue: "v1.sealed" }] });
  const first = aSigningKey();
  const second = aSigningKey({ status: "published" });
  return [
    { action: "secret.create", subject: first.kid, after: [first] },
    { action: "client.add", subject: "john", after: john },
    { action: "client.add", subject: "ann", after: ann },
    { action: "client.set", subject: "john", after: { ...john, note: "läuft – 100 %" } },
    { action: "client.passwd", subject: "john", after: { ...john, epoch: 2 } },
    { action: "client.rehash", subject: "john", after: { ...john, epoch: 2, passwordHash: "$argon2id$other" } },
    { action: "client.revoke", subject: "john", after: { ...john, epoch: 3, status: "revoked", revokedAt: ACT.at } },
    { action: "client.restore", subject: "john", after: { ...john, epoch: 4 } },
    { action: "service.add", subject: "ocr", after: ocr },
    { action: "service.add", subject: "chat", after: aService({ name: "chat" }) },
    { action: "service.set", subject: "ocr", after: { ...ocr, timeoutMs: 5_000 } },
    { action: "service.remove", subject: "chat", after: null },
    { action: "plan.add", subject: "basic", after: { name: "basic", limit: 5, createdAt: ACT.at } },
    { action: "plan.add", subject: "gone", after: { name: "gone", createdAt: ACT.at } },
    { action: "plan.set", subject: "basic", after: { name: "basic", services: ["ocr"], weight: 2, createdAt: ACT.at } },
    { action: "plan.remove", subject: "gone", after: null },
    { action: "config.set", subject: "public-url", after: "https://ai.example.com" },
    { action: "config.set", subject: "sender-name", after: "Ops" },
    { action: "config.unset", subject: "sender-name", after: null },
    { action: "secret.publish", subject: second.kid, after: [first, second] },
    { action: "secret.withdraw", subject: second.kid, after: [first] },
    { action: "secret.activate", subject: second.kid, after: [first, { ...second, status: "active" }] },
    { action: "secret.retire", subject: first.kid, after: [{ ...second, status: "active" }] },
    { action: "secret.rotate", subject: second.kid, after: [second] },
    { action: "secret.restore", subject: second.kid, after: [{ ...second, status: "active" }] },
    { action: "client.remove", subject: "ann", after: null },
    { action: "client.add", subject: "ann", after: aClient({ name: "ann", displayName: "Ann" }) },
  ];
};
