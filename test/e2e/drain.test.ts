import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { aigwJson, type RunningGateway, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startUpstream, tokenFor } from "../support/http.ts";
import { startNumberedLoad } from "../support/numbered-load.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";

const DRAIN_MS = 2_000;

const setUp = async (t: TestContext) => {
  const upstream = await startUpstream(t, (incoming, outgoing) => {
    if (incoming.url === "/quick") {
      outgoing.end("ok");
    } else if (incoming.url === "/slow") {
      setTimeout(() => outgoing.end("ok"), 1_200);
    } else {
      outgoing.writeHead(200, { "Content-Type": "text/event-stream" });
      const timer = setInterval(() => outgoing.write("data: tick\n\n"), 20);
      outgoing.on("close", () => clearInterval(timer));
    }
  });
  const { home, passwords } = await prepareHome(t, { services: { live: upstream.url }, clients: { john: UNLIMITED } });
  const gateway = await startGatewayProcess(t, home, ["--drain", `${DRAIN_MS}ms`]);
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  return { home, gateway, token, upstream };
};

/** @returns once it flows; `ended` says how and when it ended */
const openStream = async (url: string, token: string): Promise<{ ended: Promise<{ how: string; at: number }> }> => {
  const response = await within(
    "the stream to open",
    new Promise<IncomingMessage>((settle, reject) => {
      get(url, { headers: { ...bearer(token), "X-Request-ID": "the-stream" }, agent: false }, settle).on(
        "error",
        reject,
      );
    }),
  );
  const ended = new Promise<{ how: string; at: number }>((settle) => {
    response.on("error", () => settle({ how: "broken", at: performance.now() }));
    response.on("end", () => settle({ how: "complete", at: performance.now() }));
  });
  await within("the first event", new Promise((settle) => response.once("data", settle)));
  return { ended };
};

const isListed = async (home: string, { id }: RunningGateway): Promise<boolean> => {
  const { gateways } = await aigwJson<{ gateways: { id: string }[] }>(home, ["status"]);
  return gateways.some((gateway) => gateway.id === id);
};

describe("SIGTERM", { concurrency: true }, () => {
  it("under load: not ready first, no accepted call fails, a stream gets the drain time, usage is stored", async (t) => {
    const { home, gateway, token, upstream } = await setUp(t);
    const { url, child, done } = gateway;
    assert.equal(await isListed(home, gateway), true);
    const stream = await openStream(`${url}/api/live/stream`, token);
    const load = startNumberedLoad(t, { url: `${url}/api/live/quick`, token, prefix: "q", connections: 8 });
    await until("calls", () => load.calls.length > 100);
    const slow = send(`${url}/api/live/slow`, { headers: { ...bearer(token), "X-Request-ID": "the-slow-one" } });
    assert.equal((await send(`${url}/ready`)).status, 200);

    const start = performance.now();
    child.kill("SIGTERM");
    const notReady = await until("the gateway not to be ready", async () => {
      const answer = await send(`${url}/ready`);
      return answer.status !== 200 && { answer, at: performance.now() };
    });
    assert.equal(notReady.answer.status, 503);
    assert.equal((await send(`${url}/health`)).status, 200, "alive is alive");
    await until("nobody to listen", () => load.calls.some(({ result }) => result === "ECONNREFUSED"));
    await load.stop();
    assert.equal((await slow).status, 200, "begun before, ended within the drain time");

    const end = await within("the stream to be cut", stream.ended);
    assert.equal(end.how, "broken", "a cut stream must not look complete");
    const streamed = end.at - start;
    assert.ok(streamed >= DRAIN_MS && streamed < DRAIN_MS + 2_000, `the stream got ${streamed} ms`);
    const { code, stderr } = await within("the end", done);
    assert.equal(code, 0, stderr);

    const failed = load.calls.filter(({ result }) => result !== 200 && result !== "ECONNREFUSED");
    // Closing a listener resets what the system took after the gateway's last accept: nobody but the client saw those.
    const reached = upstream.seen.flatMap(({ rawHeaders }) => rawHeaders);
    for (const { id, result, reused } of failed) {
      assert.deepEqual([result, reused, reached.includes(id)], ["ECONNRESET", false, false], id);
    }
    assert.ok(failed.length <= 8, "one a connection at most");
    const refusedAt = load.calls.find(({ result }) => result === "ECONNREFUSED")?.endedAt ?? 0;
    assert.ok(notReady.at < refusedAt, "/ready turned before anybody was refused");
    await withHome(home, async ({ store }) => {
      const events = new Map((await allUsage(store)).map((event) => [event.requestId, event.outcome]));
      const served = load.calls.filter(({ result }) => result === 200);
      for (const { id } of served) assert.equal(events.get(id), "ok", id);
      assert.equal(events.get("the-slow-one"), "ok");
      assert.equal(events.get("the-stream"), "incomplete");
      assert.equal(events.size, served.length + 2);
      t.diagnostic(
        `${served.length} calls served, ${failed.length} reset untaken; the stream got ${Math.round(streamed)} ms`,
      );
    });
    assert.equal(await isListed(home, gateway), false);
  });

  it("answers what a client has sent without waiting, and says with the last of it that it closes", async (t) => {
    const { gateway, token, upstream } = await setUp(t);
    const { url, child, done } = gateway;
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    t.after(() => socket.destroy());
    let text = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      text += part;
    });
    const call = (path: string): string =>
      `GET /api/live/${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    socket.write(call("slow") + call("quick").repeat(20));
    await until("the first call", () => upstream.seen.length === 1);
    child.kill("SIGTERM");
    await within("the connection's end", once(socket, "close"));
    assert.equal(text.split("HTTP/1.1 200 OK").length - 1, 21);
    assert.equal(text.split("Connection: close").length - 1, 1);
    assert.match(text, /Connection: close\r\n.{0,300}\r\nok$/s);
    assert.equal((await within("the end", done)).code, 0);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`${signal} a second time ends it at once, with 130`, async (t) => {
      const { gateway, token } = await setUp(t);
      const { url, child, done } = gateway;
      const { ended } = await openStream(`${url}/api/live/stream`, token);
      child.kill(signal);
      const first = performance.now();
      await until("it to drain", async () => (await send(`${url}/ready`)).status === 503);
      // What comes sooner counts as the same keystroke.
      await until("a moment", () => performance.now() - first > 300);
      child.kill(signal);
      const second = performance.now();
      const { code } = await within("the end", done);
      assert.equal(code, 130);
      assert.ok(performance.now() - second < 1_000, "at once");
      assert.equal((await within("the stream", ended)).how, "broken");
    });
  }
});
