import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { addClient, DAY_MS, initHome, isAigwError, type OpenedHome, openHome, systemClock } from "@aigw/core";
import { anEvent } from "@aigw/core/testing";
import { until } from "../../../test/support/until.ts";
import { UsageKeeper } from "../src/metering/usage-keeper.ts";

const opened = async (t: TestContext): Promise<OpenedHome> => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-keeper-"));
  const home = join(folder, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  const result = await openHome({ home, clock: systemClock, busyTimeoutMs: 50 });
  t.after(async () => {
    await result.store.close();
    rmSync(folder, { recursive: true });
  });
  return result;
};

const NOW = Date.now();
const ACT = { at: NOW, actor: "gateway test" };
const record = async ({ store }: OpenedHome, count: number, at: number): Promise<void> => {
  await store.traffic.recordUsage(Array.from({ length: count }, (_, n) => anEvent({ at: at + n })));
};

test("sums up and prunes in a thread of its own, while this one goes on", async (t) => {
  const home = await opened(t);
  await record(home, 300, NOW - 100 * DAY_MS);
  await record(home, 600, NOW);
  const kept: number[] = [];
  const faults: unknown[] = [];
  const keeper = new UsageKeeper({
    storeUrl: home.storeUrl,
    before: () => NOW - 90 * DAY_MS,
    onKept: (pruned) => kept.push(pruned),
    onFault: (error) => faults.push(error),
  });
  const before = await home.store.traffic.usageReport({ by: ["day"], filter: {} });
  let turns = 0;
  const turning = setInterval(() => {
    turns += 1;
  }, 1);
  await Promise.all([keeper.keep(), keeper.keep()]);
  clearInterval(turning);
  assert.deepEqual([kept, faults], [[300], []]);
  assert.ok(turns > 5, `${turns} turns of the event loop meanwhile`);
  const { events } = await home.store.traffic.latestUsage({}, 10_000);
  assert.equal(events.length, 600);
  assert.deepEqual((await home.store.traffic.foldUsage(10)).events, 0);
  const after = await home.store.traffic.usageReport({ by: ["day"], filter: {} });
  assert.deepEqual(
    new Map(after.rows.map((row) => [row.key[0], row.tally])),
    new Map(before.rows.map((row) => [row.key[0], row.tally])),
  );
  await keeper.close();
});

test("is broken off when the gateway ends, and nothing is lost or counted twice", async (t) => {
  const home = await opened(t);
  for (let day = 0; day < 10; day += 1) await record(home, 400, NOW - (100 + day) * DAY_MS);
  const kept: number[] = [];
  const keeper = new UsageKeeper({
    storeUrl: home.storeUrl,
    before: () => NOW - 90 * DAY_MS,
    onKept: (pruned) => kept.push(pruned),
    onFault: (error) => assert.fail(String(error)),
  });
  const running = keeper.keep();
  await keeper.close();
  await running;
  const [row] = (await home.store.traffic.usageReport({ by: [], filter: {} })).rows;
  assert.equal(row?.tally.requests, 4_000);
  assert.ok((kept[0] ?? 0) < 4_000, String(kept));
});

test("reports a store that it cannot use, and is there for the next time", async (t) => {
  const home = await opened(t);
  const faults: unknown[] = [];
  let storeUrl = `${home.storeUrl}-not-there`;
  const keeper = new UsageKeeper({
    get storeUrl() {
      return storeUrl;
    },
    before: () => undefined,
    onKept: () => undefined,
    onFault: (error) => faults.push(error),
  });
  await keeper.keep();
  assert.ok(isAigwError(faults[0], "store_unavailable"), String(faults[0]));
  storeUrl = home.storeUrl;
  await keeper.keep();
  assert.equal(faults.length, 1);
});

test("has what gateways retire leave the files", async (t) => {
  const { store, sealer, storeUrl, home } = await opened(t);
  const { result } = await addClient({ store, sealer, clock: systemClock, actor: "test" }, { name: "john" });
  const { client } = result;
  // As after a login with a hash of older parameters: a request must not wait until the database is written anew.
  const after = { ...client, passwordHash: `${client.passwordHash}-other` };
  await store.control.append(await store.control.head(), [{ action: "client.rehash", subject: "john", after }], ACT);
  const old = `${client.passwordHash}"`;
  const holding = (): readonly string[] =>
    readdirSync(home).filter((name) => name.startsWith("aigw.db") && readFileSync(join(home, name)).includes(old));
  assert.notDeepEqual(holding(), []);
  const faults: unknown[] = [];
  const onFault = (error: unknown): unknown => faults.push(error);
  const keeper = new UsageKeeper({ storeUrl, before: () => undefined, onKept: () => undefined, onFault });
  await keeper.keep();
  assert.deepEqual([holding(), faults], [[], []]);
  await keeper.close();
});

test("moves what many calls commit to its place, and ends once there are few", {
  skip: process.platform !== "linux",
}, async (t) => {
  const home = await opened(t);
  const faults: unknown[] = [];
  const keeper = new UsageKeeper({
    storeUrl: home.storeUrl,
    before: () => undefined,
    onKept: () => undefined,
    onFault: (error) => faults.push(error),
    // Longer than summing up takes on a busy machine, or that would end the thread.
    calmMs: 1_500,
  });
  keeper.start();
  t.after(() => keeper.close());
  const threads = (): number => {
    const names = readdirSync("/proc/self/task").map((id) => readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim());
    return names.filter((name) => name === "usage-keeper").length;
  };
  await record(home, 1, NOW);
  const looker = new DatabaseSync(join(home.home, "aigw.usage.db"));
  t.after(() => looker.close());
  const pages = () => looker.prepare("PRAGMA wal_checkpoint(NOOP)").get() as { log: number; checkpointed: number };
  const call = (): void => {
    for (let one = 0; one < 100; one += 1) keeper.countCall();
  };
  assert.equal(threads(), 0, "nothing to do");
  await until("its thread", () => {
    call();
    return threads() === 1;
  });
  while (pages().log < 2_100) await record(home, 100, NOW);
  await until("the log to be moved, although nobody commits any more", () => {
    call();
    return pages().log === pages().checkpointed;
  });
  assert.equal(threads(), 1);
  await until("its end", () => threads() === 0);
  assert.deepEqual(faults, []);
});

test("rests the longer the longer it took, however many calls come meanwhile, but for very many", async (t) => {
  const home = await opened(t);
  await record(home, 100, NOW);
  t.mock.timers.enable({ apis: ["setInterval"] });
  let times = 0;
  const onFault = (error: unknown): void => assert.fail(String(error));
  const keeper = new UsageKeeper({
    storeUrl: home.storeUrl,
    before: () => {
      times += 1;
      return undefined;
    },
    onKept: () => undefined,
    onFault,
  });
  keeper.start();
  t.after(() => keeper.close());
  const look = (calls: number): void => {
    for (let one = 0; one < calls; one += 1) keeper.countCall();
    t.mock.timers.tick(1_000);
  };
  const writer = new DatabaseSync(join(home.home, "aigw.usage.db"));
  t.after(() => writer.close());
  writer.exec("BEGIN IMMEDIATE");
  look(100);
  assert.equal(times, 1);
  const pause = (): Promise<unknown> => {
    const from = performance.now();
    return until("a tenth of a second", () => performance.now() - from >= 100);
  };
  await pause();
  writer.exec("ROLLBACK");
  await keeper.keep();
  await pause();
  for (let looks = 0; looks < 10; looks += 1) look(100);
  assert.equal(times, 1, "it rests");
  look(50_000);
  assert.equal(times, 2, "a report would be slow");
  await keeper.keep();
  await until("the next time", () => {
    look(100);
    return times === 3;
  });
});
