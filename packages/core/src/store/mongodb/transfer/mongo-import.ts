import { randomUUID } from "node:crypto";
import type { AnyBulkWriteOperation, Collection, Db } from "mongodb";
import type { Change, ChangeDraft } from "../../../changes/change.ts";
import { AigwError } from "../../../errors.ts";
import type { ImportOptions, StoreExport, UsageSums } from "../../../transfer/parts.ts";
import { DAY_MS } from "../../../usage/report-plan.ts";
import type { UsageEvent } from "../../../usage/usage-event.ts";
import { monthOf, ofAllClients, type UsageGroup } from "../../../usage/usage-groups.ts";
import type { StoreLocation } from "../../engine.ts";
import { type ChangeDocument, effectDocument } from "../change-document.ts";
import { connectMongo } from "../connection.ts";
import { controlCollections, SCHEMA_VERSION } from "../control-schema.ts";
import { createIndexes, INDEXES } from "../indexes.ts";
import { insertOnce } from "../insert-once.ts";
import { parseMongoUrl } from "../location.ts";
import { type UsageSums as SumsDocument, trafficCollections, type UsageBatch } from "../traffic/collections.ts";
import { writeWindow } from "../traffic/permits.ts";
import { writeQuotas } from "../traffic/quota-records.ts";
import { CoarseSums } from "../traffic/usage-coarse.ts";
import { BATCH, placeOf } from "../traffic/usage-place.ts";
import { incrementsOf, sumsId } from "../traffic/usage-sums.ts";
import { translated } from "../translate-error.ts";
import { MongoExport } from "./mongo-export.ts";

/** `_id: "import"`: until the document of the store itself is there, everything else is an import's, and may be cut off. */
interface ImportMark {
  readonly _id: "import";
  /** Whose: the latest one's. */
  readonly nonce: string;
}

/** One write of many records. */
const PATIENCE_MS = 60_000;

/**
 * Everything else first, and the document that makes it a store last. What an import that was cut off has left is known
 * by its mark, and taken away by the next. Of two at once, the one that began first ends with an error.
 */
export const importStore = async (
  location: StoreLocation,
  source: StoreExport,
  options: ImportOptions,
): Promise<void> => {
  const connection = await connectMongo(parseMongoUrl(location.url));
  const { db } = connection;
  const marks = db.collection<ImportMark>("meta");
  const nonce = randomUUID();
  let isMarked = false;
  try {
    await assertVacant(db, location);
    await translated(() => marks.replaceOne({ _id: "import" }, { nonce }, { upsert: true }));
    isMarked = true;
    await empty(db);
    await createIndexes(db);
    await fill(db, source, options);
    const { storeId, keyCheck } = source.facts;
    await options.verify(await MongoExport.begin(db, { storeId, keyCheck }, Number.NEGATIVE_INFINITY));
    options.signal?.throwIfAborted();
    if ((await translated(() => marks.findOne({ _id: "import", nonce }))) === null) throw overtaken(location);
    const { meta } = controlCollections(db);
    const store = { _id: "store", storeId, nonce, keyCheck, schema: SCHEMA_VERSION } as const;
    if (!(await insertOnce(meta, store))) throw taken(location);
    isMarked = false;
    await translated(() => marks.deleteOne({ _id: "import" }));
  } catch (error) {
    if (isMarked) await clear(db, marks, nonce);
    throw error;
  } finally {
    await connection.close();
  }
};

/** @throws AigwError `already_exists` */
export const assertVacantAt = async (location: StoreLocation): Promise<void> => {
  const { db, close } = await connectMongo(parseMongoUrl(location.url));
  try {
    await assertVacant(db, location);
  } finally {
    await close();
  }
};

const COLLECTIONS = INDEXES.map(({ collection }) => collection).filter((name) => name !== "meta");

/** @throws AigwError `already_exists` */
const assertVacant = async (db: Db, location: StoreLocation): Promise<void> => {
  const { meta } = controlCollections(db);
  const marks = db.collection<ImportMark>("meta");
  const [store, mark] = await translated(() =>
    Promise.all([meta.findOne({ _id: "store" }), marks.findOne({ _id: "import" })]),
  );
  if (store !== null) throw taken(location);
  if (mark !== null) return;
  const found = await translated(() => Promise.all(COLLECTIONS.map((name) => db.collection(name).findOne({}))));
  if (found.some((document) => document !== null)) throw taken(location);
};

const empty = async (db: Db): Promise<void> => {
  for (const name of COLLECTIONS) await translated(() => db.collection(name).deleteMany({}), PATIENCE_MS);
};

/** Best effort: the mark stays as long as anything does. */
const clear = async (db: Db, marks: Collection<ImportMark>, nonce: string): Promise<void> => {
  try {
    if ((await translated(() => marks.findOne({ _id: "import", nonce }))) === null) return;
    await empty(db);
    await translated(() => marks.deleteOne({ _id: "import", nonce }));
  } catch (error) {
    if (!(error instanceof AigwError)) throw error;
  }
};

const fill = async (db: Db, source: StoreExport, { signal, steadyNow }: ImportOptions): Promise<void> => {
  const { changes, time } = controlCollections(db);
  const traffic = trafficCollections(db);
  const { foldedEvents, prunedBefore } = source.facts;
  for await (const page of source.read("changes")) {
    signal?.throwIfAborted();
    await translated(() => changes.insertMany(page.map(changeDocument)), PATIENCE_MS);
  }
  for await (const batch of numbered(source.read("usage"))) {
    signal?.throwIfAborted();
    await translated(() => traffic.usage.insertOne(batch), PATIENCE_MS);
  }
  const seq = foldedEvents === 0 ? -1 : placeOf(Math.ceil(foldedEvents / BATCH), (foldedEvents - 1) % BATCH);
  for await (const page of source.read("hours")) {
    signal?.throwIfAborted();
    await translated(() => traffic.hours.bulkWrite(page.map((sums) => addSums(sums, seq))), PATIENCE_MS);
    await translated(() => traffic.totals.bulkWrite(page.map((sums) => addToTotal(sums, seq))), PATIENCE_MS);
  }
  let [coarse, month] = [new CoarseSums(), 0];
  for await (const page of source.read("days")) {
    signal?.throwIfAborted();
    await translated(() => traffic.days.bulkWrite(page.map((sums) => addSums(sums, seq))), PATIENCE_MS);
    for (const sums of page) {
      // They come in the order of time.
      const its = monthOf(sums.key[0] * DAY_MS);
      if (its !== month) {
        const done = coarse;
        await translated(() => done.write(traffic, seq), PATIENCE_MS);
        [coarse, month] = [new CoarseSums(), its];
      }
      coarse.add(groupOf(sums));
    }
  }
  await translated(() => coarse.write(traffic, seq), PATIENCE_MS);
  for await (const page of source.read("lastCalls"))
    await translated(
      () => traffic.last.insertMany(page.map(({ client, ...last }) => ({ _id: client, ...last }))),
      PATIENCE_MS,
    );
  for await (const page of source.read("permits"))
    for (const { key, window } of page)
      await translated(() => writeWindow(traffic.permits, key, 0, window, steadyNow()));
  for await (const page of source.read("quotas"))
    for (const { client, record } of page)
      await translated(() => writeQuotas(traffic.quotas, client, 0, record, steadyNow()));
  for await (const page of source.read("tokens")) {
    const issues = page.map(({ clientId: c, kid: k, ...issue }) => ({ _id: { c, k }, ...issue }));
    await translated(() => traffic.issues.insertMany(issues), PATIENCE_MS);
  }
  await translated(async () => {
    await traffic.state.insertOne({ _id: "usage", seq, to: null, pruned: prunedBefore });
    await traffic.coarse.insertOne({ _id: "coarse", seq, to: null });
    // The servers' clock goes on from here if it is behind.
    await time.updateOne({ _id: "time" }, { $max: { seen: steadyNow() } }, { upsert: true });
  });
};

const changeDocument = ({ rev, at, actor, effects }: Change): ChangeDocument => ({
  _id: rev,
  at,
  actor,
  nonce: `import ${rev}`,
  effects: effects.map((effect) => ({
    ...effectDocument(effect as ChangeDraft),
    ...("superseded" in effect && { erased: true }),
  })),
});

/** Full batches, numbered from 1: the place of the n-th event follows from n. */
async function* numbered(pages: AsyncIterable<readonly UsageEvent[]>): AsyncGenerator<UsageBatch> {
  let number = 0;
  let held: UsageEvent[] = [];
  const next = (): UsageBatch => {
    number += 1;
    return { _id: number, e: held.splice(0, BATCH).map((event, k) => ({ ...event, k })) };
  };
  for await (const page of pages) {
    held = held.concat(page);
    while (held.length >= BATCH) yield next();
  }
  if (held.length > 0) yield next();
}

/** Into collections that are empty but for what an earlier page added. */
const addSums = (record: UsageSums, seq: number): AnyBulkWriteOperation<SumsDocument> => ({
  updateOne: {
    filter: { _id: sumsId(record.key) },
    update: { $set: { cur: seq }, $inc: incrementsOf(groupOf(record)) },
    upsert: true,
  },
});

const groupOf = ({ key, sums, worth }: UsageSums): UsageGroup => ({
  key,
  lastAt: 0,
  sums: [...sums],
  worth: new Map(worth.map(([unit, sum]) => [unit, BigInt(sum)])),
});

const addToTotal = (record: UsageSums, seq: number): AnyBulkWriteOperation<SumsDocument> =>
  addSums({ ...record, key: ofAllClients(record.key) }, seq);

const taken = ({ shown }: StoreLocation): AigwError =>
  new AigwError(
    "already_exists",
    `${shown} holds something already, and nothing is written over it. Name another database.`,
  );

const overtaken = ({ shown }: StoreLocation): AigwError =>
  new AigwError(
    "changed_meanwhile",
    `Somebody else began to copy a store to ${shown} meanwhile. Nothing was made of this.`,
  );
