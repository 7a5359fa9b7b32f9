import assert from "node:assert/strict";
import { readdirSync, readlinkSync, renameSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { cancelledJob } from "@aigw/core/jobs";
import { aJob, HostileStore } from "@aigw/core/testing";
import { JumpingClock } from "../support/gateway.ts";
import { called, codeOf, filesOf, halfOf, type JobScene, startJobScene as scene } from "../support/job-scene.ts";
import { allUsage } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

describe("a store whose head comes late", () => {
  it("leaves what is due to be done, and only what needs the head waits for it", async (t) => {
    let hostile: HostileStore | undefined;
    const { service, john, gateway } = await scene(
      t,
      { keepMs: 1_000 },
      { through: (store) => (hostile = new HostileStore(store)) },
    );
    assert.ok(hostile);
    const id = await john.submit("/api/whisper/x");
    const { response } = await called(service);
    // Behind a fault it is to be looked whose right is gone.
    hostile.treat("traffic.dueJobs", { kind: "throws" });
    const looks = hostile.calls("traffic.dueJobs");
    await until("a fault", () => (hostile?.calls("traffic.dueJobs") ?? 0) > looks);
    hostile.treat("control.head", { kind: "late", ms: 400 });
    hostile.treat("traffic.dueJobs", { kind: "promise" });
    response.end("x");
    await john.becomes(id, "done");
    await until("it to be forgotten", async () => (await gateway.store.traffic.job(id)) === undefined, 3_000);
    assert.deepEqual(filesOf(gateway), []);
  });
});

/** Of these jobs, the answers that are open here, be they removed or not. */
const openAnswers = (...ids: readonly string[]): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.includes(".answer") && ids.some((id) => path.includes(id));
    } catch {
      return false;
    }
  }).length;

/** A client that asks for a result, and does not read it. */
const unread = async (t: TestContext, { gateway, token }: JobScene, id: string): Promise<void> => {
  const { hostname, port, host } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.write(`GET /jobs/${id}/result HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  await new Promise((some) => socket.once("readable", some));
};

describe("a result that is not read", () => {
  it("is cut when its job is deleted, here or elsewhere, and when nothing of it was taken for the idle time", async (t) => {
    const clock = new JumpingClock();
    const it = await scene(t, {}, { clock });
    const { service, john, gateway } = it;
    const ids: string[] = [];
    for (const path of ["1", "2", "3"]) {
      const id = await john.submit(`/api/whisper/${path}`);
      (await called(service)).response.end(Buffer.alloc(24 * 2 ** 20));
      await john.becomes(id, "done");
      ids.push(id);
    }
    const [here = "", elsewhere = "", kept = ""] = ids;
    const cut = (...of: readonly string[]) => until("the answer to be cut", () => openAnswers(...of) === 0, 3_000);
    await unread(t, it, here);
    assert.equal(openAnswers(here), 1);
    assert.equal((await john.cancel(here)).status, 204);
    await cut(here);
    await unread(t, it, elsewhere);
    const { traffic } = gateway.store;
    const known = await traffic.job(elsewhere);
    assert.equal(await traffic.removeJob(known?.version ?? 0, elsewhere), true);
    await cut(elsewhere);
    // As many at once as one client may have.
    for (let index = 0; index < 16; index += 1) await unread(t, it, kept);
    const over = await john.get(`/jobs/${kept}/result`);
    assert.deepEqual([over.status, codeOf(over)], [429, "rate_limited"]);
    // The system takes for its readers what it has room for, and that may still go on.
    let jumps = 0;
    await until("all to be cut", () => {
      if (jumps < 8 && openAnswers(kept) > 0) clock.advance(310_000);
      jumps += 1;
      return delay(300).then(() => openAnswers(kept) === 0);
    });
    assert.equal((await john.get(`/jobs/${kept}/result`, { Range: "bytes=0-9" })).status, 206);
  });
});

describe("a folder of jobs", () => {
  it("that is away for a moment keeps what waits waiting; a request that is missing in it fails its job", async (t) => {
    const { service, john, gateway } = await scene(t);
    for (const path of ["1", "2"]) await john.submit(`/api/whisper/${path}`);
    await called(service, 2);
    const waiting = await john.submit("/api/whisper/3", { body: "x" });
    const lost = await john.submit("/api/whisper/4", { body: "x" });
    const [folder, away] = [join(gateway.home, "jobs"), join(gateway.home, "away")];
    rmSync(join(folder, filesOf(gateway).find((name) => name.includes(lost)) ?? ""));
    renameSync(folder, away);
    const faults = gateway.log.length;
    for (const { response } of [...service.open]) response.end("x");
    await until("it to be tried", () => gateway.log.slice(faults).some((line) => line.includes(waiting)));
    assert.equal((await john.show(waiting)).state, "queued");
    renameSync(away, folder);
    const { request, response } = await called(service);
    assert.equal(request.url, "/3");
    response.end("x");
    await john.becomes(waiting, "done");
    await john.becomes(lost, "failed");
  });
});

describe("a request that is on its way", () => {
  it("is read no further when its job is cancelled or taken by others, with an answer that says so, and is one usage event", async (t) => {
    const it = await scene(t);
    const { traffic } = it.gateway.store;
    for (const [status, code] of [
      [409, "no_result"],
      [503, "unavailable"],
    ] as const) {
      const { received } = halfOf(t, it);
      const known = await until("it to be received", async () => {
        const [found] = await traffic.jobs({ state: "receiving" }, { limit: 1 });
        return found !== undefined && filesOf(it.gateway).length === 1 && found;
      });
      const since = performance.now();
      if (status === 409) await traffic.setJob(known.version, cancelledJob(known.job, traffic.steadyNow()));
      else await traffic.removeJob(known.version, known.job.id);
      await until("the answer", () => received().includes(`"code":"${code}"`), 3_000);
      assert.match(received(), new RegExp(`^HTTP/1.1 ${status} `));
      assert.ok(performance.now() - since < 2_000);
      await until("nothing to be kept", async () => {
        const left = await traffic.jobs({}, { limit: 1 });
        return left.length === 0 && filesOf(it.gateway).length === 0;
      });
    }
    const events = await until("the usage", async () => {
      const all = await allUsage(it.gateway.store);
      return all.reduce((sum, { count = 1 }) => sum + count, 0) >= 2 && all;
    });
    assert.deepEqual(events.map(({ outcome, status, count = 1 }) => `${outcome} ${status} ${count}`).toSorted(), [
      "denied 409 1",
      "denied 503 1",
    ]);
    assert.equal(it.service.seen.length, 0);
  });
});

describe("a job's record that others write, too", () => {
  it("is removed with its files however that ends, and not before its usage is on record", async (t) => {
    let hostile: HostileStore | undefined;
    const { service, john, gateway } = await scene(t, {}, { through: (store) => (hostile = new HostileStore(store)) });
    const id = await john.submit("/api/whisper/x");
    const { request, response } = await called(service);
    // As a call without content has it.
    assert.deepEqual([request.headers["content-length"], request.headers["transfer-encoding"]], ["0", undefined]);
    const { traffic } = gateway.store;
    const sizes = (): readonly number[] =>
      filesOf(gateway).map((name) => statSync(join(gateway.home, "jobs", name)).size);
    // What counts is what lies on the disk: heads and tags, too.
    assert.deepEqual(sizes(), [(await traffic.job(id))?.job.storedBytes]);
    response.end();
    await john.becomes(id, "done");
    await until("the request to be gone", () => sizes().length === 1, 1_000);
    assert.deepEqual(sizes(), [(await traffic.job(id))?.job.storedBytes]);
    const { client, place, at } = (await traffic.job(id))?.job ?? {};
    assert.ok(client !== undefined && place !== undefined && at !== undefined);
    // A call-back's write came first.
    let refused = 0;
    hostile?.treat("traffic.removeJob", { kind: "instead", answer: (real) => (refused++ === 0 ? false : real()) });
    assert.equal((await john.cancel(id)).status, 204);
    assert.deepEqual([refused, (await john.get(`/jobs/${id}`)).status, filesOf(gateway)], [2, 404, []]);
    const cancelled = aJob({ client, place, at, state: "cancelled", endedAt: at, keepMs: 60_000, wakeAt: at + 60_000 });
    await traffic.setJob(0, cancelled);
    assert.equal((await john.cancel(cancelled.id)).status, 204);
    assert.equal((await john.show(cancelled.id)).state, "cancelled");
  });
});
