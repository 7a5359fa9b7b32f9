import assert from "node:assert/strict";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { connect as connectPlain } from "node:net";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { connect } from "node:tls";
import { selfSigned } from "../support/certificate.ts";
import { bearer, send, startUpstream, tokenFor } from "../support/http.ts";
import { type NumberedCall, startNumberedLoad } from "../support/numbered-load.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";
import { isAlive, startWorkers, type Workers } from "../support/workers.ts";

const DRAIN_MS = 1_500;

const setUp = async (t: TestContext, drainMs = DRAIN_MS) => {
  const upstream = await startUpstream(t, (incoming, outgoing) => {
    if (incoming.url === "/quick") {
      outgoing.end("ok");
      return;
    }
    outgoing.writeHead(200, { "Content-Type": "text/event-stream" });
    const timer = setInterval(() => outgoing.write("data: tick\n\n"), 20);
    outgoing.on("close", () => clearInterval(timer));
  });
  const { home, passwords } = await prepareHome(t, { services: { live: upstream.url }, clients: { john: UNLIMITED } });
  const gateway = await startWorkers(t, home, 2, ["--drain", `${drainMs}ms`]);
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  return { home, gateway, token, upstream };
};

/** As many streams as workers, so that each has one. @returns once they flow; `ended` says how and when each ended */
const openStreams = (url: string, token: string): Promise<{ ended: Promise<{ how: string; at: number }> }[]> =>
  Promise.all(
    [1, 2].map(async (n) => {
      const response = await within(
        "the stream to open",
        new Promise<IncomingMessage>((settle, reject) => {
          const headers = { ...bearer(token), "X-Request-ID": `stream-${n}` };
          get(`${url}/api/live/stream`, { headers, agent: false }, settle).on("error", reject);
        }),
      );
      const ended = new Promise<{ how: string; at: number }>((settle) => {
        response.on("error", () => settle({ how: "broken", at: performance.now() }));
        response.on("end", () => settle({ how: "complete", at: performance.now() }));
      });
      await within("the first event", new Promise((settle) => response.once("data", settle)));
      return { ended };
    }),
  );

const assertNoneLeft = async ({ pid, workers }: Workers): Promise<void> => {
  for (const one of [pid, ...workers.map((worker) => worker.pid)]) {
    assert.equal(isAlive(one), false, `process ${one} is still there`);
  }
};

/** Every served call is on record once, and nobody waits for a gateway that is gone. */
const assertAccounted = (home: string, calls: readonly NumberedCall[], others: readonly string[]): Promise<void> =>
  withHome(home, async ({ store }) => {
    const ids = (await allUsage(store)).map(({ requestId }) => requestId);
    assert.equal(new Set(ids).size, ids.length, "none twice");
    const stored = new Set(ids);
    const served = calls.filter(({ result }) => result === 200).map(({ id }) => id);
    assert.deepEqual(
      [...served, ...others].filter((id) => !stored.has(id)),
      [],
      "none is missing",
    );
    assert.deepEqual(await store.traffic.instances(60_000), []);
  });

describe("the end of aigw serve --workers", { concurrency: 2 }, () => {
  it("SIGTERM under load: not ready first, no accepted call fails, usage is complete, nothing is left", async (t) => {
    const { home, gateway, token, upstream } = await setUp(t);
    const { url, child, done, workers } = gateway;
    const streams = await openStreams(url, token);
    const load = startNumberedLoad(t, { url: `${url}/api/live/quick`, token, prefix: "q", connections: 8 });
    await until("calls", () => load.calls.length > 100);
    const start = performance.now();
    child.kill("SIGTERM");
    // On connections of their own, which go to the workers in turn.
    const ready = () => Promise.all(workers.map(() => send(`${url}/ready`).then(({ status }) => status)));
    await until("no worker to be ready", async () => (await ready()).every((status) => status === 503));
    const notReadyAt = performance.now();
    await until("nobody to listen", () => load.calls.some(({ result }) => result === "ECONNREFUSED"));
    await load.stop();
    for (const { ended } of streams) {
      const { how, at } = await within("the stream to be cut", ended);
      assert.equal(how, "broken", "a cut stream must not look complete");
      assert.ok(at - start >= DRAIN_MS, `the stream got ${at - start} ms`);
    }
    const { code, stderr } = await within("the end", done);
    assert.equal(code, 0, stderr);
    await assertNoneLeft(gateway);

    const refused = load.calls.filter(({ result }) => result === "ECONNREFUSED");
    assert.ok(
      refused.every(({ endedAt }) => endedAt > notReadyAt),
      "/ready turned before anybody was refused",
    );
    const failed = load.calls.filter(({ result }) => result !== 200 && result !== "ECONNREFUSED");
    // Whose connection no worker had taken yet: nobody but the client saw those.
    const reached = upstream.seen.flatMap(({ rawHeaders }) => rawHeaders);
    for (const { id, result, reused } of failed) {
      assert.deepEqual([result, reused, reached.includes(id)], ["ECONNRESET", false, false], id);
    }
    assert.ok(failed.length <= 8, "one a connection at most");
    await assertAccounted(home, load.calls, ["stream-1", "stream-2"]);
    // On a slow disk one worker may wait for the other's write: its events are held, and none is missing above.
    assert.deepEqual(
      gateway.log().filter(({ level, code }) => level === "error" && code !== "store_locked"),
      [],
    );
    t.diagnostic(`${load.calls.length} calls, ${failed.length} reset untaken`);
  });

  it("SIGTERM: what was accepted by then is answered, and nothing more is accepted, whatever the workers do", async (t) => {
    const { gateway } = await setUp(t);
    const health = (): Promise<number | string> =>
      send(`${gateway.url}/health`).then(
        ({ status }) => status,
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
    for (const { pid } of gateway.workers) process.kill(pid, "SIGSTOP");
    // Two are handed out and not taken, the others wait in the primary.
    const waiting = Array.from({ length: 6 }, health);
    const { port } = new URL(gateway.url);
    const probe = (): Promise<boolean> =>
      new Promise((settle) => {
        const socket = connectPlain(Number(port), "127.0.0.1");
        socket.once("connect", () => settle(false)).once("error", () => settle(true));
        t.after(() => socket.destroy());
      });
    assert.equal(await probe(), false, "it listens");
    gateway.child.kill("SIGTERM");
    await until("nobody to listen", probe);
    for (const { pid } of gateway.workers) process.kill(pid, "SIGCONT");
    assert.deepEqual(await within("all answers", Promise.all(waiting)), Array(6).fill(200));
    const { code, stderr } = await within("the end", gateway.done);
    assert.equal(code, 0, stderr);
    await assertNoneLeft(gateway);
  });

  it("Ctrl-C, which goes to all of them, is one signal; the second one ends all at once with 130", async (t) => {
    const { gateway, token } = await setUp(t, 120_000);
    const { url, done } = gateway;
    const streams = await openStreams(url, token);
    gateway.signalAll("SIGINT");
    const stopped = () => gateway.log().filter(({ msg }) => msg === "draining");
    await until("all to drain", () => stopped().length === 3);
    assert.ok(gateway.workers.every(({ pid }) => isAlive(pid)));
    // By then they have seen the first. What comes sooner counts as the same keystroke.
    const seen = performance.now();
    await until("a moment", () => performance.now() - seen > 300);
    gateway.signalAll("SIGINT");
    const { code } = await within("the end, long before the drain time is over", done, 15_000);
    assert.equal(code, 130);
    for (const { ended } of streams) assert.equal((await within("the stream", ended)).how, "broken");
    await until("nobody to be left", () => gateway.workers.every(({ pid }) => !isAlive(pid)));
  });

  it("SIGINT to all of them ends in good order", async (t) => {
    const { home, gateway, token } = await setUp(t);
    assert.equal((await send(`${gateway.url}/api/live/quick`, { headers: bearer(token) })).status, 200);
    gateway.signalAll("SIGINT");
    const { code, stderr } = await within("the end", gateway.done);
    assert.equal(code, 0, stderr);
    await assertNoneLeft(gateway);
    await assertAccounted(home, [], []);
  });

  it("kill -9 of the primary ends the workers soon, and their usage is stored", async (t) => {
    const { home, gateway, token } = await setUp(t);
    const { url, child, workers } = gateway;
    const streams = await openStreams(url, token);
    const load = startNumberedLoad(t, { url: `${url}/api/live/quick`, token, prefix: "p", connections: 8 });
    await until("calls", () => load.calls.length > 100);
    child.kill("SIGKILL");
    const start = performance.now();
    await until("the workers to end", () => workers.every(({ pid }) => !isAlive(pid)));
    const took = performance.now() - start;
    await load.stop();
    for (const { ended } of streams) assert.equal((await within("the stream", ended)).how, "broken");
    await assertAccounted(home, load.calls, ["stream-1", "stream-2"]);
    t.diagnostic(`gone after ${Math.round(took)} ms`);
  });

  it("SIGHUP to the primary renews the certificate in every worker", async (t) => {
    const { home } = await prepareHome(t);
    const folder = join(dirname(home), "tls");
    mkdirSync(folder);
    const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
    const [one, two] = [selfSigned("one"), selfSigned("two")];
    const put = ({ cert, key }: typeof one): void => {
      writeFileSync(`${files.key}.new`, key, { mode: 0o600 });
      writeFileSync(`${files.cert}.new`, cert);
      renameSync(`${files.key}.new`, files.key);
      renameSync(`${files.cert}.new`, files.cert);
    };
    put(one);
    const gateway = await startWorkers(t, home, 2, ["--tls-cert", files.cert, "--tls-key", files.key]);
    const { port } = new URL(gateway.url);
    const served = (): Promise<string> =>
      within(
        "a handshake",
        new Promise((settle, reject) => {
          const socket = connect({ host: "127.0.0.1", port: Number(port), rejectUnauthorized: false }, () => {
            settle(String(socket.getPeerCertificate().subject.CN));
            socket.destroy();
          });
          socket.once("error", reject);
        }),
      );
    assert.deepEqual(await Promise.all([served(), served()]), ["one", "one"]);
    put(two);
    gateway.signalAll("SIGHUP");
    await until("both to say so", () => gateway.log().filter(({ msg }) => msg === "certificate renewed").length === 2);
    assert.deepEqual(await Promise.all([served(), served(), served(), served()]), Array(4).fill("two"));
    assert.ok(isAlive(gateway.pid) && gateway.workers.every(({ pid }) => isAlive(pid)), "nobody dies of it");
  });
});
