import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AigwError, initHome, openHome, type Store, systemClock, type TrafficStore, type UsageEvent } from "@aigw/core";
import { type SpoolProblem, UsageSpool } from "@aigw/core/spool";
import { anEvent, HostileStore } from "@aigw/core/testing";
import { mongodUri, startMongod } from "../../../test/support/mongod.ts";
import { MONGOD, mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { until } from "../../../test/support/until.ts";
import { mongoTrafficFixture } from "../../core/test/store-support/mongo-traffic-fixture.ts";
import { UsageRecorder } from "../src/metering/usage-recorder.ts";

/** The promise: what a kill may cost. */
const LOST_AT_MOST_MS = 200;

let folder = "";
let store: Store;
let folders = 0;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "aigw-spool-"));
  const home = join(folder, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  ({ store } = await openHome({ home, clock: systemClock }));
});
after(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const newFolder = (): string => {
  folders += 1;
  return join(folder, `spool-${folders}`);
};

interface Recording {
  readonly recorder: UsageRecorder;
  readonly problems: SpoolProblem[];
}

const recording = (t: TestContext, traffic: TrafficStore, into: string, id = "gw-1", maxBytes?: number): Recording => {
  const problems: SpoolProblem[] = [];
  const spool = new UsageSpool({
    folder: into,
    id,
    ...(maxBytes !== undefined && { maxBytes }),
    onProblem: (problem) => problems.push(problem),
  });
  const recorder = new UsageRecorder({ traffic, spool, onFault: () => undefined, onRecovered: () => undefined });
  t.after(() => recorder.close());
  recorder.start();
  return { recorder, problems };
};

const stored = async (traffic: TrafficStore, client: string): Promise<readonly string[]> =>
  (await traffic.latestUsage({ client }, 100_000)).events.map(({ id }) => id);

describe("usage while the store is away, with a spool", () => {
  it("is all stored afterwards, once, though far more came than memory holds", async (t) => {
    const hostile = new HostileStore(store);
    const [into, client] = [newFolder(), "spooled"];
    const { recorder, problems } = recording(t, hostile.traffic, into);
    hostile.treat("traffic.recordUsage", { kind: "throws", later: 0 });
    const ids: string[] = [];
    for (let n = 0; n < 25_000; n += 1) {
      const event = anEvent({ client });
      ids.push(event.id);
      recorder.record(event);
      if (n % 1_000 === 0) await delay(1);
    }
    await until(
      "all of it on the disk",
      async () => existsSync(join(into, "gw-1.usage")) && recorder.held === ids.length,
      5_000,
    );
    assert.deepEqual([recorder.dropped, statSync(into).mode & 0o777], [0, 0o700]);
    assert.equal(statSync(join(into, "gw-1.usage")).mode & 0o777, 0o600);
    hostile.calm();
    await until("all of it in the store", async () => recorder.held === 0, 10_000);
    assert.equal(await recorder.close(), 0);
    assert.deepEqual((await stored(store.traffic, client)).toSorted(), ids.toSorted());
    assert.deepEqual([problems, readdirSync(into)], [[], []]);
  });

  it("is stored many batches at once, so that a store that takes its time catches up", async (t) => {
    const hostile = new HostileStore(store);
    const client = "small-batches";
    const { recorder } = recording(t, hostile.traffic, newFolder());
    hostile.treat("traffic.recordUsage", { kind: "throws" });
    for (let batch = 0; batch < 10; batch += 1) {
      recorder.record(anEvent({ client }));
      // Each goes to the disk by itself.
      await delay(200);
    }
    const before = hostile.calls("traffic.recordUsage");
    hostile.calm();
    await until("all of it in the store", async () => recorder.held === 0, 5_000);
    assert.equal((await stored(store.traffic, client)).length, 10);
    const calls = hostile.calls("traffic.recordUsage") - before;
    assert.ok(calls <= 2, `${calls} calls for ten batches`);
  });

  it("is stored once when answers are lost, and when they never come", async (t) => {
    const lose = async (kind: "unanswered" | "never"): Promise<void> => {
      const hostile = new HostileStore(store);
      const client = `spooled-${kind}`;
      const { recorder } = recording(t, hostile.traffic, newFolder());
      hostile.treat("traffic.recordUsage", { kind });
      for (let n = 0; n < 700; n += 1) recorder.record(anEvent({ client }));
      await delay(250);
      for (let n = 0; n < 300; n += 1) recorder.record(anEvent({ client }));
      hostile.calm();
      // The call under way is given up after 5 s.
      await until("all of it in the store", async () => recorder.held === 0, 15_000);
      const ids = await stored(store.traffic, client);
      assert.deepEqual([ids.length, new Set(ids).size], [1_000, 1_000], kind);
    };
    await Promise.all([lose("unanswered"), lose("never")]);
  });

  it("survives a kill -9 but for its last moments, and the next gateway stores it", async (t) => {
    const [into, client] = [newFolder(), "killed"];
    const child = spawn(process.execPath, [join(import.meta.dirname, "spool-child.ts"), into, client], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    await until("some calls", async () => printed.split("\n").length > 80, 20_000);
    child.kill("SIGKILL");
    await once(child, "close");
    const lines = printed
      .trim()
      .split("\n")
      .map((line) => line.split(" ").map(Number));
    const end = lines.at(-1)?.[1] ?? 0;
    const due = lines.filter(([, at = 0]) => at < end - LOST_AT_MOST_MS).at(-1)?.[0] ?? 0;
    // Once more, so that it is stored in part by one that is closed, and then again by another.
    const half = new HostileStore(store);
    const { recorder: first } = recording(t, half.traffic, into, "gw-2");
    half.treat("traffic.recordUsage", {
      kind: "instead",
      answer: async (real) => {
        await real();
        throw new AigwError("store_unavailable", "the answer was lost");
      },
    });
    await until("a call", async () => half.calls("traffic.recordUsage") > 1, 5_000);
    await first.close();
    const { recorder, problems } = recording(t, store.traffic, into, "gw-3");
    await until("what was left in the store", async () => readdirSync(into).length === 0, 10_000);
    await recorder.close();
    const numbers = (await stored(store.traffic, client))
      .map((id) => Number(id.split(".")[1]))
      .toSorted((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => index + 1),
      "without gap or repetition",
    );
    assert.ok(due > 0 && numbers.length >= due, `${numbers.length} of ${due} that were due`);
    assert.deepEqual(problems, []);
  });

  it("is not taken from a gateway that lives", async (t) => {
    const [into, client] = [newFolder(), "alive"];
    const hostile = new HostileStore(store);
    hostile.treat("traffic.recordUsage", { kind: "throws" });
    const { recorder } = recording(t, hostile.traffic, into, "gw-alive");
    recorder.record(anEvent({ client }));
    await until("a file", async () => existsSync(join(into, "gw-alive.usage")), 5_000);
    const other = new UsageSpool({ folder: into, id: "gw-other", onProblem: () => undefined });
    other.adopt();
    assert.equal(other.next(), undefined);
    other.close();
    hostile.calm();
    await until("it in the store", async () => (await stored(store.traffic, client)).length === 1, 5_000);
  });

  it("stops at its bound, says so once, and what is beyond is counted", async (t) => {
    const hostile = new HostileStore(store);
    hostile.treat("traffic.recordUsage", { kind: "throws" });
    const { recorder, problems } = recording(t, hostile.traffic, newFolder(), "gw-1", 100_000);
    const client = "too-much";
    for (let n = 0; n < 12_000; n += 1) recorder.record(anEvent({ client }));
    await delay(250);
    for (let n = 0; n < 12_000; n += 1) recorder.record(anEvent({ client }));
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ["full"],
    );
    assert.ok(
      recorder.dropped > 0 && recorder.held + recorder.dropped === 24_000,
      `${recorder.held} + ${recorder.dropped}`,
    );
    hostile.calm();
    await until("the rest in the store", async () => recorder.held === 0, 10_000);
    assert.equal((await stored(store.traffic, client)).length, 24_000 - recorder.dropped);
  });

  it("waits in memory where the folder cannot be used, and says so", async (t) => {
    const into = newFolder();
    writeFileSync(into, "");
    const hostile = new HostileStore(store);
    hostile.treat("traffic.recordUsage", { kind: "throws" });
    const { recorder, problems } = recording(t, hostile.traffic, into);
    for (let n = 0; n < 10_010; n += 1) recorder.record(anEvent({ client: "memory" }));
    await delay(250);
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ["unusable"],
    );
    assert.deepEqual([recorder.held, recorder.dropped], [10_000, 10]);
    hostile.calm();
    await until("it in the store", async () => recorder.held === 0, 10_000);
    const open = newFolder();
    const ready = new UsageSpool({ folder: open, id: "gw-1", onProblem: () => undefined });
    assert.ok(ready.append([anEvent()]));
    ready.close();
    chmodSync(open, 0o755);
    const said: SpoolProblem[] = [];
    const strict = new UsageSpool({ folder: open, id: "gw-2", onProblem: (problem) => said.push(problem) });
    strict.adopt();
    assert.deepEqual([said.map(({ kind }) => kind), strict.append([anEvent()])], [["unusable"], false]);
  });

  it("puts aside what cannot be read, and delivers what was written before it", () => {
    const batches = [1, 2, 3].map(() => [anEvent(), anEvent()]);
    for (const [damage, readable] of [
      [(path: string) => truncateSync(path, statSync(path).size - 3), 2],
      [(path: string) => appendFileSync(path, "x"), 3],
      [(path: string) => writeFileSync(path, readFileSync(path).fill(0, 40, 60)), 0],
    ] as const) {
      const into = newFolder();
      const spool = new UsageSpool({ folder: into, id: "gw-dead", onProblem: () => assert.fail() });
      for (const batch of batches) assert.ok(spool.append(batch));
      spool.close();
      damage(join(into, "gw-dead.usage"));
      const said: SpoolProblem[] = [];
      const next = new UsageSpool({ folder: into, id: "gw-next", onProblem: (problem) => said.push(problem) });
      next.adopt();
      const found: UsageEvent[] = [];
      for (let batch = next.next(); batch !== undefined; batch = next.next()) {
        found.push(...batch.events);
        batch.done();
      }
      assert.deepEqual(found, batches.slice(0, readable).flat());
      assert.deepEqual(
        said.map(({ kind }) => kind),
        ["damaged"],
      );
      assert.deepEqual(readdirSync(into), ["gw-dead.usage.damaged"]);
      next.close();
    }
  });
});

describe("usage while MongoDB is away, with a spool", {
  skip: MONGOD === "" && (mongodbMissing || "needs a mongod of its own: AIGW_TEST_MONGOD"),
}, () => {
  it("is stored once when the server was killed and is back, over a restart of the gateway", {
    timeout: 60_000,
  }, async (t) => {
    const mongod = await startMongod(MONGOD);
    t.after(() => mongod.stop());
    const fixture = await mongoTrafficFixture("standalone", mongodUri(mongod.port, "aigw"));
    const [before, afterwards] = [await fixture.open(), await fixture.open()];
    await Promise.all([before, afterwards].map((traffic) => traffic.latestUsage({}, 1)));
    const [into, client] = [newFolder(), "mongo"];
    const ids: string[] = [];
    const callInto = async (recorder: UsageRecorder, count: number): Promise<void> => {
      for (let n = 0; n < count; n += 1) {
        const event = anEvent({ client });
        ids.push(event.id);
        recorder.record(event);
        if (n % 50 === 0) await delay(5);
      }
    };
    const { recorder: first } = recording(t, before, into, "gw-1");
    await callInto(first, 500);
    await mongod.kill();
    await callInto(first, 2_000);
    assert.equal(await first.close(), 0);
    const { recorder: second, problems } = recording(t, afterwards, into, "gw-2");
    await callInto(second, 2_000);
    await mongod.restart();
    await callInto(second, 500);
    await until(
      "all of it in the store",
      async () => second.held === 0 && !existsSync(join(into, "gw-1.usage")),
      30_000,
    );
    assert.deepEqual((await stored(afterwards, client)).toSorted(), ids.toSorted());
    assert.deepEqual([first.dropped, second.dropped, problems], [0, 0, []]);
    await second.close();
    await fixture.dispose();
    mongodbRan();
  });
});
