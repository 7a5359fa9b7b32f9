import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ChangeDraft } from "../src/changes/change.ts";
import { type ErrorCode, isAigwError } from "../src/errors.ts";
import type { OpenedStore, StoreEngine } from "../src/store/engine.ts";
import { locateStore, type StorePlace } from "../src/store/engines.ts";
import { aClient, anEvent, aService, aSigningKey, type FixedClock } from "../src/testing/index.ts";
import { copyStore, type PartName, type StoreCopy, type StoreExport } from "../src/transfer/index.ts";
import { DAY_MS } from "../src/usage/report-plan.ts";
import { OUTCOMES, type UsageEvent } from "../src/usage/usage-event.ts";
import { runChild } from "./store-support/children.ts";
import { temporaryFolder } from "./store-support/folders.ts";
import { type SqliteFixture, sqliteFixture } from "./store-support/sqlite-fixture.ts";

const ACT = { at: 5, actor: "test" };
const QUERIES = [
  { by: ["client", "service"], filter: {} },
  { by: ["day"], filter: {} },
  { by: ["hour"], filter: { client: "john" } },
  { by: [], filter: {} },
] as const;

const fault =
  (code: ErrorCode, ...names: readonly string[]) =>
  (error: unknown): boolean => {
    assert.ok(isAigwError(error, code), String(error));
    for (const name of names) assert.ok(error.message.includes(name), error.message);
    return true;
  };

/** A life's worth of everything: erased and purged effects, several at once, folded, pruned and fresh events, permits. */
const lived = async (): Promise<SqliteFixture> => {
  const fixture = sqliteFixture();
  const { clock } = fixture;
  const store = fixture.open();
  const [john, ann] = [aClient({ name: "john", note: "läuft" }), aClient({ name: "ann", email: "ann@example.com" })];
  const ocr = aService({ name: "ocr", headers: [{ name: "X-Api-Key", sealedValue: "v1.one" }] });
  const key = aSigningKey();
  const changes: readonly (readonly ChangeDraft[])[] = [
    [{ action: "secret.create", subject: key.kid, after: [key] }],
    [
      { action: "client.add", subject: "john", after: john },
      { action: "client.add", subject: "ann", after: ann },
      { action: "service.add", subject: "john", after: aService({ name: "john" }) },
    ],
    [{ action: "service.add", subject: "ocr", after: ocr }],
    [{ action: "client.passwd", subject: "john", after: { ...john, epoch: 2, passwordHash: "$argon2id$new" } }],
    [{ action: "client.remove", subject: "ann", after: null }],
    [
      {
        action: "service.set",
        subject: "ocr",
        after: { ...ocr, headers: [{ name: "X-Api-Key", sealedValue: "v1.two" }] },
      },
      { action: "config.set", subject: "public-url", after: "https://ai.example.com" },
    ],
    [{ action: "service.remove", subject: "john", after: null }],
  ];
  for (const [rev, drafts] of changes.entries()) store.control.append(rev, drafts, ACT);
  const events = Array.from({ length: 2_500 }, (_, n) =>
    anEvent({
      at: clock.now() - (n % 9) * DAY_MS - n * 1_000,
      client: n % 3 === 0 ? "ann" : "john",
      service: n % 5 === 0 ? "" : "ocr",
      status: n % 7 === 0 ? 429 : 200,
      outcome: OUTCOMES[n % OUTCOMES.length] ?? "ok",
      latencyMs: n / 7,
      ...(n % 11 === 0 && { count: 3, reason: "token_expired" }),
    }),
  );
  store.traffic.recordUsage(events.slice(0, 2_000));
  for (let more = true; more; ) ({ more } = store.traffic.foldUsage(2_000));
  for (let more = true; more; ) ({ more } = store.traffic.pruneUsage(clock.now() - 5 * DAY_MS, 1_000));
  // Of neither is anything in the sums yet.
  store.traffic.recordUsage(events.slice(2_000));
  store.traffic.recordUsage([anEvent({ client: "zoe", at: clock.now() })]);
  const now = store.traffic.steadyNow();
  store.traffic.setPermitWindow("c_over", 0, { spent: [[now - 700_000, 1]], leases: [] });
  store.traffic.setPermitWindow("c_john", 0, {
    spent: [[now, 7]],
    leases: [{ holder: "gw", count: 3, until: now + 9 }],
  });
  store.traffic.recordTokens([
    { clientId: "c_john", kid: key.kid, epoch: 2, issuedAt: now, expiresAt: now + 3_600_000 },
    { clientId: "c_old", kid: key.kid, epoch: 1, issuedAt: now - 10, expiresAt: now + 1_000 },
  ]);
  // The wall clock was set meanwhile: the store's time is not the wall clock's.
  clock.setWall(clock.now() + 86_400_000);
  clock.advance(2_000);
  await store.close();
  return fixture;
};

const emptyPlace = async (): Promise<StorePlace & { readonly folder: string; readonly path: string }> => {
  const folder = temporaryFolder();
  const path = join(folder, "aigw.db");
  return { ...(await locateStore(`sqlite:${path}`)), folder, path };
};

/** All that the port says of a store. */
const everythingOf = async ({ control, traffic }: OpenedStore): Promise<unknown> => ({
  id: control.storeId,
  changes: await control.changesAfter(0, 1_000),
  state: await control.snapshot(),
  clients: await control.clients(),
  usage: (await traffic.latestUsage({}, 10_000)).events,
  reports: await Promise.all(QUERIES.map(async (query) => traffic.usageReport(query))),
  last: await traffic.lastUsage(["john", "ann", "zoe", "nobody"]),
  lastLetIn: await traffic.lastUsage(["john", "ann", "zoe"], { letIn: true }),
  tokens: await traffic.liveTokens(traffic.steadyNow()),
  permits: (await traffic.permitWindow("c_john"))?.window,
  steady: traffic.steadyNow(),
});

const bytesOf = (folder: string): ReadonlyMap<string, Buffer> =>
  new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));

const copied = async (
  fixture: SqliteFixture,
  to: StorePlace,
  clock: FixedClock = fixture.clock,
): Promise<StoreCopy> => {
  const source = fixture.open();
  try {
    return await copyStore(source, to, { clock });
  } finally {
    await source.close();
  }
};

describe("a copy of a store", () => {
  it("is the same in everything that the port says, and its source is as it was", async () => {
    const fixture = await lived();
    const { clock } = fixture;
    const before = bytesOf(fixture.folder);
    const to = await emptyPlace();
    const copy = await copied(fixture, to);
    assert.deepEqual(bytesOf(fixture.folder), before);
    assert.deepEqual(readdirSync(to.folder).sort(), ["aigw.db", "aigw.usage.db"]);
    const records = Object.fromEntries(copy.parts.map((part) => [part.part, part.records]));
    const { changes, usage, lastCalls, permits, tokens } = records as Record<PartName, number>;
    assert.deepEqual([changes, lastCalls, permits, tokens], [7, 2, 1, 1]);
    assert.ok(usage > 1_000 && usage < 2_500, `${usage} events`);
    for (const { sha256 } of copy.parts) assert.match(sha256, /^[0-9a-f]{64}$/);

    const source = fixture.open();
    const target = await to.engine.open(to.location, { clock });
    assert.deepEqual(await everythingOf(target), await everythingOf(source));
    assert.deepEqual(await target.integrityCheck(), []);
    // Both go on alike: what was not in the sums is counted once, and no more than its limit is admitted.
    const later = anEvent({ client: "john", at: clock.now() });
    for (const store of [source, target]) {
      for (let more = true; more; ) ({ more } = await store.traffic.foldUsage(2_000));
      await store.control.append(7, [{ action: "config.set", subject: "sender-name", after: "x" }], ACT);
      await store.traffic.recordUsage([later]);
      await store.traffic.pruneUsage(clock.now() - 2 * DAY_MS, 10_000);
    }
    assert.deepEqual(await everythingOf(target), await everythingOf(source));
    await source.close();
    await target.close();
    // And back: what is exported of it is what was.
    const back = await emptyPlace();
    const reopened = await to.engine.open(to.location, { clock });
    await copyStore(reopened, back, { clock });
    await reopened.close();
    const again = await back.engine.open(back.location, { clock });
    const original = fixture.open();
    assert.deepEqual(await everythingOf(again), await everythingOf(original));
    await again.close();
    await original.close();
  });

  it("is of one moment, whatever is written meanwhile", async () => {
    const fixture = await lived();
    const source = fixture.open();
    const writer = fixture.open();
    const to = await emptyPlace();
    let written = 0;
    const { parts } = await copyStore(source, to, {
      clock: fixture.clock,
      onRecords: () => {
        written += 1;
        writer.traffic.recordUsage([anEvent({ client: "john" })]);
        writer.control.append(
          6 + written,
          [{ action: "config.set", subject: "sender-name", after: `${written}` }],
          ACT,
        );
        writer.traffic.foldUsage(100);
      },
    });
    assert.ok(written > 5);
    assert.equal(parts.find(({ part }) => part === "changes")?.records, 7);
    const target = await to.engine.open(to.location, { clock: fixture.clock });
    assert.equal(await target.control.head(), 7);
    await target.close();
    await source.close();
    await writer.close();
  });

  it("is made where nothing is, and nowhere else", async () => {
    const fixture = await lived();
    const other = await lived();
    const before = bytesOf(other.folder);
    await assert.rejects(copied(fixture, await locateStore(other.url)), fault("already_exists", other.path));
    await assert.rejects(copied(fixture, await locateStore(fixture.url)), fault("already_exists", fixture.path));
    assert.deepEqual(bytesOf(other.folder), before);
    const to = await emptyPlace();
    writeFileSync(join(to.folder, "aigw.usage.db"), before.get("aigw.usage.db") ?? "", { mode: 0o600 });
    await assert.rejects(copied(fixture, to), fault("already_exists", "aigw.usage.db"));
    assert.deepEqual(readdirSync(to.folder), ["aigw.usage.db"]);
    const nowhere = await locateStore("sqlite:/nowhere/at/all/aigw.db");
    await assert.rejects(copied(fixture, nowhere), fault("store_unavailable", "/nowhere/at/all"));
  });

  it("that differs, or is given up, is not kept", async () => {
    const fixture = await lived();
    const source = fixture.open();
    // As an engine that drops an event, or takes a number for another.
    for (const lie of [
      (events: readonly UsageEvent[]) => events.slice(1),
      (events: readonly UsageEvent[]) => events.map((event) => ({ ...event, bytesIn: event.bytesIn + 1 })),
    ]) {
      const to = await emptyPlace();
      const engine: StoreEngine = {
        ...to.engine,
        importAll: async (location, given, options) => {
          const altered: StoreExport = {
            facts: given.facts,
            close: () => given.close(),
            async *read<P extends PartName>(part: P) {
              for await (const records of given.read(part))
                yield part === "usage"
                  ? (lie(records as unknown as UsageEvent[]) as unknown as typeof records)
                  : records;
            },
          };
          await to.engine.importAll?.(location, altered, options);
        },
      };
      const copy = copyStore(source, { engine, location: to.location }, { clock: fixture.clock });
      await assert.rejects(copy, fault("store_corrupt", "usage", "1835 records"));
      assert.deepEqual(readdirSync(to.folder), []);
    }
    const stop = new AbortController();
    const given = await emptyPlace();
    const ended = copyStore(source, given, {
      clock: fixture.clock,
      signal: stop.signal,
      onRecords: (part) => part === "usage" && stop.abort(),
    });
    await assert.rejects(ended, { name: "AbortError" });
    assert.deepEqual(readdirSync(given.folder), []);
    assert.equal(await given.engine.state(given.location), "absent");
    await source.close();
  });

  it("killed before any step on the disk: no store or a whole one, and it can be made again", async () => {
    const fixture = await lived();
    const states = new Set<string>();
    const child = join(import.meta.dirname, "store-support", "copy-child.ts");
    const reference = (await copied(fixture, await emptyPlace())).parts;
    let finished = false;
    // A process for each step is what takes the time; with AIGW_TEST_ROUNDS every step is tried. The last ones matter.
    const every = process.env["AIGW_TEST_ROUNDS"] !== undefined;
    for (let step = 1; !finished; step += every ? 1 : step < 22 ? 21 : 3) {
      assert.ok(step < 100);
      const to = await emptyPlace();
      const exit = await runChild(child, [String(step), fixture.path, to.location.url]);
      finished = exit.code === 0;
      if (!finished) assert.equal(exit.signal, "SIGKILL", exit.err);
      const state = await to.engine.state(to.location);
      states.add(typeof state === "string" ? state : "remains");
      if (state === "present") await assert.rejects(copied(fixture, to), fault("already_exists"));
      else assert.deepEqual((await copied(fixture, to)).parts, reference);
      const target = await to.engine.open(to.location, { clock: fixture.clock });
      assert.equal(await target.control.head(), 7);
      assert.deepEqual(await target.integrityCheck(), []);
      await target.close();
      assert.ok(existsSync(join(to.folder, "aigw.usage.db")));
    }
    // Three steps lie between the two files.
    assert.deepEqual([...states].sort(), ["absent", "present", "remains"]);
  });
});
