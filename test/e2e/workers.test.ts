import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { aigw, aigwJson } from "../../packages/cli/test/support/harness.ts";
import { aigw as aigwProcess, temporaryHome } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { startNumberedLoad } from "../support/numbered-load.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { ONLY_AT_FULL_SIZE } from "../support/rounds.ts";
import { until, within } from "../support/until.ts";
import { spawnWorkers, startWorkers, type Workers } from "../support/workers.ts";

interface StatusJson {
  readonly gateways: readonly {
    readonly id: string;
    readonly address: string;
    readonly hostname: string;
    readonly worker: number;
    readonly pid: number;
    readonly state: string;
  }[];
}

interface ReceiptJson {
  readonly receipt: {
    readonly complete: boolean;
    readonly gateways: readonly { readonly id: string; readonly worker: number }[];
  };
}

const setUp = async (t: TestContext, workers: number, client: { limit?: number } = UNLIMITED) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: client } });
  const gateway = await startWorkers(t, home, workers);
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  const call = (): Promise<number> =>
    send(`${gateway.url}/api/echo`, { headers: bearer(token) }).then(({ status }) => status);
  return { home, gateway, token, echo, call };
};

const statusOf = async (home: string): Promise<StatusJson["gateways"]> =>
  (await aigwJson<StatusJson>(home, ["status"])).gateways;

/** The ids of the gateways that took the calls on record. */
const takers = (home: string): Promise<Set<string>> =>
  withHome(home, async ({ store }) => new Set((await allUsage(store)).map(({ id }) => id.split(".")[0] ?? "")));

const idsOf = ({ workers }: Workers): string[] => workers.map(({ id }) => id).sort();

/** What is behind a socket that has sent a request: the first line of the answer, or how it ended. */
const firstLine = (socket: Socket): Promise<string> =>
  new Promise((settle) => {
    socket.once("data", (data: Buffer) => settle(data.toString("latin1").split("\r\n")[0] ?? ""));
    socket.once("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "broken"));
    socket.once("close", () => settle("closed"));
  });

describe("aigw serve --workers", { concurrency: 2 }, () => {
  it("answers on one port from every worker, and status shows each of them", async (t) => {
    const { home, gateway, call } = await setUp(t, 2);
    const { url, pid, workers } = gateway;
    assert.deepEqual(
      workers.map(({ worker }) => worker),
      [1, 2],
    );
    assert.equal(new Set([pid, ...workers.map((worker) => worker.pid)]).size, 3, "three processes");
    const before = await statusOf(home);
    assert.deepEqual(
      before.map(({ id, worker, address, state, ...gw }) => ({ id, worker, pid: gw.pid, address, state })),
      workers.map((worker) => ({ ...worker, address: url, state: "ready" })),
    );
    assert.ok(before.every(({ hostname }) => hostname !== ""));
    for (let i = 0; i < 8; i += 1) assert.equal(await call(), 200);
    await until("usage of both", async () => (await takers(home)).size === 2);
    assert.deepEqual([...(await takers(home))].sort(), idsOf(gateway));

    const table = await aigw(home, ["status"]);
    assert.match(table.stdout, /GATEWAY +WORKER +STATE/);
    assert.match(table.stdout, new RegExp(`${url} +2 +ready`));
    assert.equal((await aigw(home, ["status", "-q"])).stdout, `${url}\n`);
    const doctor = await aigw(home, ["doctor", "--json"]);
    const about = (JSON.parse(doctor.stdout) as { findings: { code: string; about: string }[] }).findings
      .filter(({ code }) => /^(gateway|port)_/.test(code))
      .map((finding) => finding.about);
    assert.deepEqual(about, [`port ${new URL(url).port}`, `gateway ${url} worker 1`, `gateway ${url} worker 2`]);

    gateway.child.kill("SIGTERM");
    const { code, stdout, stderr } = await within("the end", gateway.done);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trimEnd().split("\n").length, 1, "the answer and nothing else");
    const started = gateway.log().filter(({ msg }) => msg === "gateway started");
    assert.deepEqual(started.map(({ worker }) => worker).sort(), [1, 2, "primary"]);
    assert.deepEqual(await statusOf(home), []);
  });

  it("admits exactly 60 of 600 calls at once over three workers", ONLY_AT_FULL_SIZE, async (t) => {
    const { home, gateway, echo, call } = await setUp(t, 3, {});
    const statuses = await Promise.all(Array.from({ length: 600 }, call));
    const count = (status: number): number => statuses.filter((got) => got === status).length;
    assert.deepEqual({ ok: count(200), limited: count(429) }, { ok: 60, limited: 540 });
    assert.equal(echo.seen.length, 60);
    const usage = await until("the usage of 600 calls", () =>
      withHome(home, async ({ store }) => {
        const events = await allUsage(store);
        return events.reduce((sum, { count = 1 }) => sum + count, 0) === 600 && events;
      }),
    );
    assert.deepEqual([...new Set(usage.map(({ id }) => id.split(".")[0]))].sort(), idsOf(gateway), "all took part");
  });

  it("kill -9 of a worker under load: nobody new is refused, another takes its place, receipts are complete", async (t) => {
    const { home, gateway, token, echo, call } = await setUp(t, 2);
    const { url, workers } = gateway;
    const [victim, survivor] = workers;
    assert.ok(victim && survivor);
    const load = startNumberedLoad(t, { url: `${url}/api/echo`, token, prefix: "k", connections: 8 });
    await until("calls", () => load.calls.length > 100);
    process.kill(victim.pid, "SIGKILL");
    // One after the other, each on a connection of its own, from the moment of the kill until it is replaced.
    const news: number[] = [];
    const replaced = await until("the replacement", async () => {
      for (let i = 0; i < 5; i += 1) news.push(await call());
      const [one] = await statusOf(home);
      return one !== undefined && one.worker === 1 && one.id !== victim.id && one;
    });
    assert.ok(news.length > 0 && news.every((status) => status === 200), `${news}`);
    assert.equal(replaced.address, url, "the same port");
    assert.notEqual(replaced.pid, victim.pid);
    await until("its calls", async () => (await call()) === 200 && (await takers(home)).has(replaced.id));
    await load.stop();
    const failed = load.calls.filter(({ result }) => result !== 200);
    // What the dead worker held is lost: a call on each of its connections, at most.
    assert.ok(failed.length <= 8, `${failed.length} failed`);
    assert.ok(failed.every(({ result }) => result === "ECONNRESET"));
    assert.equal(gateway.log().filter(({ msg }) => msg.startsWith("a worker ended")).length, 1);

    const { receipt } = await aigwJson<ReceiptJson>(home, ["client", "revoke", "john", "--yes"]);
    assert.equal(receipt.complete, true, "nobody waits for the dead");
    assert.deepEqual(receipt.gateways.map(({ id }) => id).sort(), [replaced.id, survivor.id].sort());
    assert.deepEqual(receipt.gateways.map(({ worker }) => worker).sort(), [1, 2]);
    const served = echo.seen.length;
    const after = await Promise.all(Array.from({ length: 20 }, call));
    assert.ok(after.every((status) => status === 401));
    assert.equal(echo.seen.length, served, "nothing is served afterwards");
    t.diagnostic(`${load.calls.length} calls, ${failed.length} lost with the worker, ${news.length} new ones served`);
  });

  it(
    "a connection that a worker did not take before it was killed goes to another one",
    ONLY_AT_FULL_SIZE,
    async (t) => {
      const { gateway } = await setUp(t, 2);
      const [victim] = gateway.workers;
      assert.ok(victim);
      process.kill(victim.pid, "SIGSTOP");
      const { hostname, port } = new URL(gateway.url);
      const sockets = Array.from({ length: 4 }, () => connect(Number(port), hostname));
      t.after(() => {
        for (const socket of sockets) socket.destroy();
      });
      const answers = sockets.map(firstLine);
      let answered = 0;
      for (const answer of answers) void answer.then(() => (answered += 1));
      for (const socket of sockets) socket.write("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      await until("the others to be answered", () => answered === 3);
      process.kill(victim.pid, "SIGKILL");
      assert.deepEqual(await within("all answers", Promise.all(answers)), Array(4).fill("HTTP/1.1 200 OK"));
    },
  );

  it("a port in use is one error and exit code 1, and nothing is left running", async (t) => {
    const home = temporaryHome(t);
    await prepareHome(t, { home });
    const holder = createServer();
    await new Promise<void>((ready) => holder.listen(0, "127.0.0.1", ready));
    t.after(() => holder.close());
    const { port } = holder.address() as { port: number };
    const { done, signalAll, pid } = spawnWorkers(t, home, ["--workers", "3", "--port", String(port)]);
    const { code, stdout, stderr } = await within("the failure", done);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
    assert.equal(error.code, "failed");
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1 port ${port} is in use already`));
    assert.throws(() => process.kill(-pid, 0), { code: "ESRCH" });
    signalAll("SIGKILL");

    const admin = spawnWorkers(t, home, ["--workers", "2", "--port", "0", "--admin-port", String(port)]);
    const refused = await within("the failure", admin.done);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(JSON.parse(refused.stderr).error.message, /--admin-port/);
    assert.deepEqual(await statusOf(home), []);
  });

  it("takes 1 to 256; one is a process as ever", async (t) => {
    const home = temporaryHome(t);
    for (const value of ["0", "x", "257"]) {
      const { code, stdout, stderr } = await aigwProcess(home, ["serve", `--workers=${value}`, "--port", "0"]);
      assert.deepEqual([code, stdout], [2, ""], value);
      assert.ok(
        stderr.includes(`--workers: number '${value}' is not valid: use a whole number from 1 to 256.`),
        stderr,
      );
    }
    const { child, done, log } = spawnWorkers(t, home, ["--workers", "1", "--port", "0"]);
    await until("it to start", () => log().some(({ msg }) => msg === "gateway started"));
    child.kill("SIGTERM");
    const { code, stdout } = await within("the end", done);
    assert.equal(code, 0);
    assert.deepEqual(Object.keys(JSON.parse(stdout).gateway), ["id", "url", "pid"]);
    assert.ok(log().every((line) => !("worker" in line)));
  });

  it(
    "a worker that dies again soon is replaced more and more slowly, while the others serve",
    ONLY_AT_FULL_SIZE,
    async (t) => {
      const { gateway, call } = await setUp(t, 2);
      const logged = (what: string) => gateway.log().filter(({ msg }) => msg.startsWith(what));
      let pid = gateway.workers[0]?.pid;
      for (let death = 1; death <= 3; death += 1) {
        assert.ok(pid);
        process.kill(pid, "SIGKILL");
        await until("the next one", () => logged("a worker has taken").length === death);
        assert.equal(await call(), 200);
        pid = logged("a worker has taken").at(-1)?.pid;
      }
      assert.deepEqual(
        logged("a worker ended").map((line) => line.restartInMs),
        [0, 100, 200],
      );
    },
  );
});
