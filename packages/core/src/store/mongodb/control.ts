import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Db } from "mongodb";
import { assertOneChange, type Change, type ChangeDraft, isSuperseded, subjectOf } from "../../changes/change.ts";
import { type ControlState, emptyControlState, fold } from "../../changes/control-state.ts";
import type { Client } from "../../clients/client.ts";
import { type Clock, systemClock } from "../../clock.ts";
import type { SettingKey } from "../../config/settings.ts";
import { AigwError } from "../../errors.ts";
import type { Keyring } from "../../keys/signing-key.ts";
import type { Plan } from "../../plans/plan.ts";
import type { Service } from "../../services/service.ts";
import type { ControlStore } from "../store.ts";
import {
  type ChangeDocument,
  changeOf,
  effectDocument,
  effectOf,
  PURGED,
  REMOVED,
  SUBJECT_KINDS,
  type SubjectKind,
} from "./change-document.ts";
import { type ControlCollections, controlCollections, type StoreDocument } from "./control-schema.ts";
import { endsSecrets, eraseDue, eraseFor } from "./erase-due.ts";
import { insertOnce } from "./insert-once.ts";
import { newestEffects } from "./newest-effects.ts";
import { COMMAND_PATIENCE_MS, translated } from "./translate-error.ts";

const PAGE = 1_000;
const PAUSE_MS = 20;

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
  /** Since when it is not, monotonic milliseconds. */
  #backSince: number | undefined;

  readonly #clock: Clock;

  constructor(db: Db, { storeId, keyCheck }: StoreDocument, clock: Clock) {
    this.#clock = clock;
    this.#collections = controlCollections(db);
    this.storeId = storeId;
    this.keyCheck = keyCheck;
  }

  async head(): Promise<number> {
    const { changes } = this.#collections;
    // What is seen meanwhile may be later than this answer.
    const seen = this.#seen;
    const newest = await translated(() => changes.findOne({}, { sort: { _id: -1 }, projection: { _id: 1 } }));
    const rev = newest?._id ?? 0;
    if (rev < seen) {
      this.#believe(rev, seen);
      return rev;
    }
    this.#backSince = undefined;
    this.#seen = Math.max(this.#seen, rev);
    return rev;
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
    const rev = expectedRev + 1;
    const { changes } = this.#collections;
    const change: ChangeDocument = {
      _id: rev,
      at: act.at,
      actor: act.actor,
      nonce: randomUUID(),
      effects: drafts.map(effectDocument),
      ...(drafts.some(endsSecrets) ? { due: true } : {}),
    };
    if (!(await insertOnce(changes, change))) throw changedMeanwhile(await this.head(), expectedRev);
    this.#seen = Math.max(this.#seen, rev);
    if (change.due) await eraseFor(changes, change);
    return { rev, at: act.at, actor: act.actor, effects: drafts };
  }

  /** What changes were to erase, by somebody who was cut off. */
  eraseDue(): Promise<void> {
    return eraseDue(this.#collections.changes);
  }

  snapshot(): Promise<ControlState> {
    return this.#read(SUBJECT_KINDS);
  }

  async client(name: string): Promise<Client | undefined> {
    return this.#newest<Client>("client", name);
  }

  async clients(): Promise<readonly Client[]> {
    return byName([...(await this.#read(["client"])).clients.values()]);
  }

  async service(name: string): Promise<Service | undefined> {
    return this.#newest<Service>("service", name);
  }

  async services(): Promise<readonly Service[]> {
    return byName([...(await this.#read(["service"])).services.values()]);
  }

  async plan(name: string): Promise<Plan | undefined> {
    return this.#newest<Plan>("plan", name);
  }

  async plans(): Promise<readonly Plan[]> {
    return byName([...(await this.#read(["plan"])).plans.values()]);
  }

  async keyring(): Promise<Keyring> {
    return (await this.#read(["secret"])).keyring;
  }

  async settings(): Promise<ReadonlyMap<SettingKey, string>> {
    return (await this.#read(["config"])).settings;
  }

  /** @throws AigwError `store_unavailable` until the log has been back for so long that it was restored */
  #believe(rev: number, seen: number): void {
    const now = this.#clock.monotonic();
    this.#backSince ??= now;
    if (now - this.#backSince < BACK_FOR_GOOD_MS) throw wentBack(rev, seen);
    this.#backSince = undefined;
    this.#seen = rev;
  }

  /**
   * The state of these kinds, consistent at one revision. What is superseded while it is read has lost its secrets: then
   * the changes since are folded in, until the ones that count have come.
   */
  async #read(kinds: readonly SubjectKind[]): Promise<ControlState> {
    const state = emptyControlState();
    const rev = await this.head();
    const newest = await newestEffects(this.#collections.changes, kinds, rev);
    const effects = newest.map(effectOf);
    fold(state, { rev, at: 0, actor: "", effects });
    const open = new Set(effects.filter(isSuperseded).map(subjectOf));
    const deadline = newDeadline();
    while (open.size > 0) {
      const changes = await this.changesAfter(state.rev, PAGE);
      if (changes.length === 0) await pauseBefore(deadline, state.rev);
      for (const change of changes) {
        for (const effect of change.effects) {
          if (isSuperseded(effect)) open.add(subjectOf(effect));
          else open.delete(subjectOf(effect));
        }
        fold(state, change);
      }
    }
    return state;
  }

  async #newest<T>(kind: SubjectKind, subject: string): Promise<T | undefined> {
    const { changes } = this.#collections;
    const query = { effects: { $elemMatch: { kind, subject } } };
    const options = { sort: { _id: -1 }, projection: query } as const;
    const deadline = newDeadline();
    for (;;) {
      const found = await translated(() => changes.findOne<Pick<ChangeDocument, "_id" | "effects">>(query, options));
      const effect = found?.effects[0];
      if (found === null || effect === undefined || effect.after === REMOVED || effect.after === PURGED)
        return undefined;
      if (!effect.erased) return JSON.parse(effect.after) as T;
      // Superseded while it was read: there is a newer one by now.
      await pauseBefore(deadline, found._id);
    }
  }
}

const newDeadline = (): number => systemClock.monotonic() + COMMAND_PATIENCE_MS;

/** What superseded it is there. A primary that was just elected may know it only a moment later. */
const pauseBefore = async (deadline: number, rev: number): Promise<void> => {
  if (systemClock.monotonic() < deadline) return delay(PAUSE_MS);
  throw new AigwError(
    "store_corrupt",
    `The change log lacks what superseded revision ${rev}. Restore the store from a backup.`,
  );
};

/** A primary that cannot reach a majority any more steps down by then, and one that was just elected knows it all. */
const BACK_FOR_GOOD_MS = 15_000;

/**
 * Who was revoked must not be let in again because a primary does not know of it for a moment; and a log that was
 * restored must not get a revision that leaves a gap.
 */
const wentBack = (found: number, seen: number): AigwError =>
  new AigwError(
    "store_unavailable",
    `The change log is at revision ${found}, and was at ${seen}. If the database was restored, that is taken for good in a moment.`,
    { details: { found, seen } },
  );

const byName = <T extends { readonly name: string }>(items: readonly T[]): readonly T[] =>
  items.toSorted((a, b) => (a.name < b.name ? -1 : 1));

const changedMeanwhile = (head: number, expected: number): AigwError =>
  new AigwError(
    "changed_meanwhile",
    `Somebody else changed the configuration meanwhile (revision ${head}, expected ${expected}). Try again.`,
    { details: { head, expected } },
  );
