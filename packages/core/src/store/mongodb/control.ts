import { randomUUID } from "node:crypto";
import type { Db } from "mongodb";
import { assertOneChange, type Change, type ChangeDraft } from "../../changes/change.ts";
import { type ControlState, emptyControlState, putClient } from "../../changes/control-state.ts";
import type { Client } from "../../clients/client.ts";
import type { SettingKey } from "../../config/settings.ts";
import { AigwError } from "../../errors.ts";
import type { Keyring } from "../../keys/signing-key.ts";
import type { Service } from "../../services/service.ts";
import type { ControlStore } from "../store.ts";
import {
  type ChangeDocument,
  changeOf,
  effectDocument,
  PURGED,
  REMOVED,
  SUBJECT_KINDS,
  type SubjectKind,
} from "./change-document.ts";
import { type ControlCollections, controlCollections, type StoreDocument } from "./control-schema.ts";
import { insertOnce } from "./insert-once.ts";
import { newestEffects } from "./newest-effects.ts";
import { purgeRemoved } from "./purge-removed.ts";
import { translated } from "./translate-error.ts";

/**
 * The change log in `changes`. There are no views: `after` is the whole subject, so the newest effect on it is the
 * subject, and nothing that is folded later can bring an older one back.
 */
export class MongoControl implements ControlStore {
  readonly storeId: string;
  /** See sealKeyCheck. */
  readonly keyCheck: string;
  readonly #collections: ControlCollections;
  /** A revision that was seen here: the log never shrinks, so its head is this or later. */
  #seen = 0;

  constructor(db: Db, { storeId, keyCheck }: StoreDocument) {
    this.#collections = controlCollections(db);
    this.storeId = storeId;
    this.keyCheck = keyCheck;
  }

  async head(): Promise<number> {
    const { changes } = this.#collections;
    const newest = await translated(() => changes.findOne({}, { sort: { _id: -1 }, projection: { _id: 1 } }));
    return this.#saw(newest?._id ?? 0);
  }

  async changesAfter(after: number, limit: number): Promise<readonly Change[]> {
    const { changes } = this.#collections;
    // Revisions have no gaps.
    const range = { _id: { $gt: after, $lte: after + limit } };
    const found = await translated(() => changes.find(range, { sort: { _id: 1 } }).toArray());
    return found.map(changeOf);
  }

  async latestChanges(query: { readonly limit: number; readonly subject?: string }): Promise<readonly Change[]> {
    const { changes } = this.#collections;
    const { limit, subject } = query;
    // To the driver, 0 is no limit.
    if (limit === 0) return [];
    const newest = { sort: { _id: -1 }, limit } as const;
    if (subject === undefined) return (await translated(() => changes.find({}, newest).toArray())).map(changeOf);
    const about = { effects: { $elemMatch: { kind: { $in: SUBJECT_KINDS }, subject } } };
    // A change may have thousands of others.
    const its = { $filter: { input: "$effects", cond: { $eq: ["$$this.subject", { $literal: subject }] } } };
    const projection = { at: 1, actor: 1, effects: its };
    const found = await translated(() => changes.find<ChangeDocument>(about, { ...newest, projection }).toArray());
    return found.map(changeOf);
  }

  async append(
    expectedRev: number,
    drafts: readonly ChangeDraft[],
    act: { readonly at: number; readonly actor: string },
  ): Promise<Change> {
    assertOneChange(drafts);
    // A revision is only ever written after the one before it was seen: so there are no gaps.
    const head = this.#seen === expectedRev ? this.#seen : await this.head();
    if (head !== expectedRev) throw changedMeanwhile(head, expectedRev);
    const removes = drafts.some(({ action }) => action === "client.remove");
    const rev = expectedRev + 1;
    const { changes } = this.#collections;
    const isFirst = await insertOnce<ChangeDocument>(changes, {
      _id: rev,
      at: act.at,
      actor: act.actor,
      nonce: randomUUID(),
      effects: drafts.map(effectDocument),
      ...(removes ? { purgeDue: true } : {}),
    });
    if (!isFirst) throw changedMeanwhile(await this.head(), expectedRev);
    this.#saw(rev);
    if (removes) await purgeRemoved(changes);
    return { rev, at: act.at, actor: act.actor, effects: drafts };
  }

  async snapshot(): Promise<ControlState> {
    const state = emptyControlState();
    // What is appended meanwhile is left out, so that all of it is of one revision.
    state.rev = await this.head();
    for (const { kind, subject, after } of await newestEffects(this.#collections.changes, SUBJECT_KINDS, state.rev)) {
      if (kind === "client") putClient(state, JSON.parse(after));
      else if (kind === "service") state.services.set(subject, JSON.parse(after));
      else if (kind === "secret") state.keyring = JSON.parse(after);
      else state.settings.set(subject as SettingKey, JSON.parse(after));
    }
    return state;
  }

  async client(name: string): Promise<Client | undefined> {
    return this.#newest<Client>("client", name);
  }

  async clients(): Promise<readonly Client[]> {
    return byName(await this.#all<Client>("client"));
  }

  async service(name: string): Promise<Service | undefined> {
    return this.#newest<Service>("service", name);
  }

  async services(): Promise<readonly Service[]> {
    return byName(await this.#all<Service>("service"));
  }

  async keyring(): Promise<Keyring> {
    return (await this.#all<Keyring>("secret"))[0] ?? [];
  }

  async settings(): Promise<ReadonlyMap<SettingKey, string>> {
    const newest = await newestEffects(this.#collections.changes, ["config"]);
    return new Map(newest.map(({ subject, after }) => [subject as SettingKey, JSON.parse(after)]));
  }

  #saw(rev: number): number {
    this.#seen = Math.max(this.#seen, rev);
    return rev;
  }

  async #newest<T>(kind: SubjectKind, subject: string): Promise<T | undefined> {
    const { changes } = this.#collections;
    const isIt = { kind, subject };
    const query = { effects: { $elemMatch: isIt } };
    const options = { sort: { _id: -1 }, projection: query } as const;
    const found = await translated(() => changes.findOne<Pick<ChangeDocument, "effects">>(query, options));
    const after = found?.effects[0]?.after;
    return after === undefined || after === REMOVED || after === PURGED ? undefined : (JSON.parse(after) as T);
  }

  async #all<T>(kind: SubjectKind): Promise<T[]> {
    const newest = await newestEffects(this.#collections.changes, [kind]);
    return newest.map(({ after }) => JSON.parse(after) as T);
  }
}

const byName = <T extends { readonly name: string }>(items: readonly T[]): readonly T[] =>
  items.toSorted((a, b) => (a.name < b.name ? -1 : 1));

const changedMeanwhile = (head: number, expected: number): AigwError =>
  new AigwError(
    "changed_meanwhile",
    `Somebody else changed the configuration meanwhile (revision ${head}, expected ${expected}). Try again.`,
    { details: { head, expected } },
  );
