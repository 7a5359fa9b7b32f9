import type { Collection, Db, Filter, Sort } from "mongodb";
import { AigwError } from "../../../errors.ts";
import type {
  ClientQuotas,
  HeldWindow,
  LastCall,
  PartName,
  StoreExport,
  StoreFacts,
  StoreParts,
  UsageSums,
} from "../../../transfer/parts.ts";
import type { UsageEvent } from "../../../usage/usage-event.ts";
import type { TokenIssue } from "../../store.ts";
import { changeOf } from "../change-document.ts";
import { type ControlCollections, controlCollections } from "../control-schema.ts";
import { type UsageSums as SumsDocument, type TrafficCollections, trafficCollections } from "../traffic/collections.ts";
import { readFoldState } from "../traffic/usage-fold.ts";
import { BATCH, batchOf } from "../traffic/usage-place.ts";
import { portableSums } from "../traffic/usage-sums.ts";
import { translated } from "../translate-error.ts";

/** A change may have thousands of effects, and a batch of usage a thousand events. */
const CHANGES = 50;
const BATCHES = 2;
const RECORDS = 1_000;
/** Of what goes through many records. */
const PATIENCE_MS = 60_000;

export type Identity = Pick<StoreFacts, "storeId" | "keyCheck">;

/** What the store was like when the export began. */
interface Moment {
  /** The head of the change log, and the newest batch of usage. */
  readonly head: number;
  readonly batch: number;
  /** How far the sums had come, and what was pruned. */
  readonly seq: number;
  readonly pruned: number;
}

/**
 * Of one moment without a transaction: the log and the batches of usage up to it do not change, and where something of
 * it has changed all the same (a secret was erased, usage was summed up or pruned), the export ends with an error.
 */
export class MongoExport implements StoreExport {
  readonly facts: StoreFacts;
  readonly #control: ControlCollections;
  readonly #traffic: TrafficCollections;
  readonly #moment: Moment;
  readonly #steady: number;

  private constructor(db: Db, facts: StoreFacts, moment: Moment, steady: number) {
    this.#control = controlCollections(db);
    this.#traffic = trafficCollections(db);
    this.facts = facts;
    this.#moment = moment;
    this.#steady = steady;
  }

  /** @param steady which permits are in force and which tokens alive, steady milliseconds */
  static async begin(db: Db, identity: Identity, steady: number): Promise<MongoExport> {
    const moment = await readMoment(controlCollections(db), trafficCollections(db));
    const foldedEvents = await countFolded(trafficCollections(db), moment.seq);
    return new MongoExport(db, { ...identity, foldedEvents, prunedBefore: moment.pruned }, moment, steady);
  }

  read<P extends PartName>(part: P): AsyncIterable<readonly StoreParts[P][]> {
    // Each of them gives the records of its own part.
    return this.#readers[part]() as AsyncIterable<readonly StoreParts[P][]>;
  }

  /** The connection is the store's. */
  async close(): Promise<void> {}

  readonly #readers: { readonly [P in PartName]: () => AsyncIterable<readonly StoreParts[P][]> } = {
    changes: () => this.#changes(),
    usage: () => this.#usage(),
    hours: () => this.#sums(this.#traffic.hours),
    days: () => this.#sums(this.#traffic.days),
    lastCalls: () => this.#lastCalls(),
    permits: () => this.#permits(),
    quotas: () => this.#quotas(),
    tokens: () => this.#tokens(),
  };

  async *#changes(): AsyncGenerator<readonly StoreParts["changes"][]> {
    const upTo = { _id: { $lte: this.#moment.head } };
    for await (const page of pages(this.#control.changes, upTo, CHANGES)) yield page.map(changeOf);
    await this.#assertStill();
  }

  async *#usage(): AsyncGenerator<readonly UsageEvent[]> {
    const upTo = { _id: { $lte: this.#moment.batch } };
    for await (const page of pages(this.#traffic.usage, upTo, BATCHES)) {
      yield page.flatMap(({ e = [] }) =>
        e.toSorted((one, other) => one.k - other.k).map(({ k: _place, ...event }): UsageEvent => event),
      );
    }
    await this.#assertStill();
  }

  async *#sums(collection: Collection<SumsDocument>): AsyncGenerator<readonly UsageSums[]> {
    for await (const page of pages(collection, {}, RECORDS)) yield page.map(portableSums);
    await this.#assertStill();
  }

  async *#lastCalls(): AsyncGenerator<readonly LastCall[]> {
    for await (const page of pages(this.#traffic.last, {}, RECORDS))
      yield page.map(({ _id: client, at, letInAt }) => ({ client, at, ...(letInAt !== undefined && { letInAt }) }));
    await this.#assertStill();
  }

  async *#permits(): AsyncGenerator<readonly HeldWindow[]> {
    const inForce = { endsAt: { $gt: this.#steady } };
    for await (const page of pages(this.#traffic.permits, inForce, RECORDS))
      yield page.map(({ _id: key, w: window }) => ({ key, window }));
  }

  async *#quotas(): AsyncGenerator<readonly ClientQuotas[]> {
    const inForce = { endsAt: { $gt: this.#steady } };
    for await (const page of pages(this.#traffic.quotas, inForce, RECORDS))
      yield page.map(({ _id: client, r: record }) => ({ client, record }));
  }

  async *#tokens(): AsyncGenerator<readonly TokenIssue[]> {
    const alive = { expiresAt: { $gt: this.#steady } };
    for await (const page of pages(this.#traffic.issues, alive, RECORDS)) {
      yield page.map(({ _id: { c: clientId, k: kid }, epoch, issuedAt, expiresAt }) => ({
        clientId,
        kid,
        epoch,
        issuedAt,
        expiresAt,
      }));
    }
  }

  async #assertStill(): Promise<void> {
    const { head, seq, pruned } = await readMoment(this.#control, this.#traffic);
    if (head === this.#moment.head && seq === this.#moment.seq && pruned === this.#moment.pruned) return;
    throw new AigwError(
      "changed_meanwhile",
      "The store that is copied was changed meanwhile, or its usage summed up. Stop its gateways, then try again.",
    );
  }
}

const readMoment = ({ changes }: ControlCollections, { usage, state }: TrafficCollections): Promise<Moment> =>
  translated(async () => {
    const newest = { sort: { _id: -1 }, projection: { _id: 1 } } as const;
    const { seq, pruned } = await readFoldState(state);
    const [change, batch] = await Promise.all([changes.findOne({}, newest), usage.findOne({}, newest)]);
    return { head: change?._id ?? 0, batch: batch?._id ?? 0, seq, pruned };
  });

const countFolded = ({ usage }: TrafficCollections, seq: number): Promise<number> =>
  translated(async () => {
    const place = { $add: [{ $multiply: ["$_id", BATCH] }, "$$event.k"] };
    const folded = { $filter: { input: { $ifNull: ["$e", []] }, as: "event", cond: { $lte: [place, seq] } } };
    const [found] = await usage
      .aggregate<{ n: number }>([
        { $match: { _id: { $lte: batchOf(seq) } } },
        { $group: { _id: null, n: { $sum: { $size: folded } } } },
      ])
      .toArray();
    return found?.n ?? 0;
  }, PATIENCE_MS);

/** By `_id`, some at a time: no cursor to lose. */
async function* pages<T extends { readonly _id: unknown }>(
  collection: Collection<T>,
  filter: Record<string, unknown>,
  size: number,
): AsyncGenerator<readonly T[]> {
  for (let after: unknown; ; ) {
    const behind = after === undefined ? [] : [{ _id: { $gt: after } }];
    const query = { $and: [filter, ...behind] } as unknown as Filter<T>;
    const page = await translated(
      () => collection.find<T>(query, { sort: { _id: 1 } as Sort, limit: size }).toArray(),
      PATIENCE_MS,
    );
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last._id;
  }
}
