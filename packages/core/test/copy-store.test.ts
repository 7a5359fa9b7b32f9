import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type ErrorCode, isAigwError } from "../src/errors.ts";
import type { StoreEngine } from "../src/store/engine.ts";
import { locateStore, type StorePlace } from "../src/store/engines.ts";
import { anEvent, type FixedClock } from "../src/testing/index.ts";
import { copyStore, type PartName, type StoreCopy, type StoreExport } from "../src/transfer/index.ts";
import { DAY_MS } from "../src/usage/report-plan.ts";
import type { UsageEvent } from "../src/usage/usage-event.ts";
import { runChild } from "./store-support/children.ts";
import { temporaryFolder } from "./store-support/folders.ts";
import { ACT, everythingOf, lived } from "./store-support/lived-store.ts";
import type { SqliteFixture } from "./store-support/sqlite-fixture.ts";

const fault =
  (code: ErrorCode, ...names: readonly string[]) =>
  (error: unknown): boolean => {
    assert.ok(isAigwError(error, code), String(error));
    for (const name of names) assert.ok(error.message.includes(name), error.message);
    return true;
  };

const emptyPlace = async (): Promise<StorePlace & { readonly folder: string; readonly path: string }> => {
  const folder = temporaryFolder();
  const path = join(folder, "aigw.db");
  return { ...(await locateStore(`sqlite:${path}`)), folder, path };
};

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
    const { changes, usage, lastCalls, permits, quotas, tokens } = records as Record<PartName, number>;
    assert.deepEqual([changes, lastCalls, permits, quotas, tokens], [7, 2, 1, 1, 1]);
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

  it("has each event in the sums once, whether folding was half done or is begun again meanwhile", async () => {
    const fixture = await lived();
    const [source, folder] = [fixture.open(), fixture.open()];
    const isHalfDone = (): boolean =>
      folder.traffic.database().get("SELECT 1 FROM usage_folding WHERE one = 1") !== undefined;
    const begin = (clients: number): void => {
      folder.traffic.recordUsage(
        Array.from({ length: 2 * clients }, (_, n) => anEvent({ client: `c${n % clients}`, at: fixture.clock.now() })),
      );
      while (!isHalfDone()) folder.traffic.foldUsage(1_000);
    };
    begin(60);
    const before = await everythingOf(source);
    const to = await emptyPlace();
    await copyStore(source, to, { clock: fixture.clock, onRecords: () => isHalfDone() || begin(30) });
    const target = await to.engine.open(to.location, { clock: fixture.clock });
    assert.deepEqual(await everythingOf(target), before);
    for (let more = true; more; ) ({ more } = await target.traffic.foldUsage(2_000));
    assert.deepEqual(await everythingOf(target), before);
    await target.close();
    await source.close();
    await folder.close();
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
