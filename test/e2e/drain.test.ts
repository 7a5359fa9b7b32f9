import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { aigwJson, type RunningGateway } from "../support/aigw.ts";
import { drainUnderLoad, openStream, startDraining } from "../support/drained-gateway.ts";
import { send } from "../support/http.ts";
import { until, within } from "../support/until.ts";

const DRAIN_MS = 2_000;

const isListed = async (home: string, { id }: RunningGateway): Promise<boolean> => {
  const { gateways } = await aigwJson<{ gateways: { id: string }[] }>(home, ["status"]);
  return gateways.some((gateway) => gateway.id === id);
};

describe("SIGTERM", { concurrency: true }, () => {
  it("under load: not ready first, no accepted call fails, a stream gets the drain time, usage is stored", async (t) => {
    const draining = await startDraining(t, DRAIN_MS);
    const { home, gateway } = draining;
    assert.equal(await isListed(home, gateway), true);
    const drained = await drainUnderLoad(t, draining);
    assert.equal(drained.readyStatus, 503);
    assert.equal(drained.healthStatus, 200, "alive is alive");
    assert.ok(drained.notReadyAt < drained.refusedAt, "/ready turned before anybody was refused");
    assert.equal(drained.slowStatus, 200, "begun before, ended within the drain time");
    const { how, ms } = drained.stream;
    assert.equal(how, "broken", "a cut stream must not look complete");
    assert.ok(ms >= DRAIN_MS, `the stream got ${ms} ms`);
    assert.equal(drained.code, 0, drained.stderr);
    assert.deepEqual(Object.keys(JSON.parse(drained.stdout).gateway), ["id", "url", "pid"], "one document, to the end");
    for (const line of drained.stderr.trimEnd().split("\n")) assert.equal(typeof JSON.parse(line), "object", line);
    assert.deepEqual(drained.failed, []);
    assert.ok(drained.untaken <= 8, "one a connection at most");
    assert.deepEqual(drained.unrecorded, []);
    t.diagnostic(
      `${drained.served} calls served, ${drained.untaken} reset untaken; the stream got ${Math.round(ms)} ms`,
    );
    assert.equal(await isListed(home, gateway), false);
  });

  it("answers what a client has sent without waiting, and says with the last of it that it closes", async (t) => {
    const { gateway, token, upstream } = await startDraining(t, DRAIN_MS);
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
      const { gateway, token } = await startDraining(t, 120_000);
      const { url, child, done } = gateway;
      const { ended } = await openStream(`${url}/api/live/stream`, token);
      // As a script runner passes on the Ctrl-C that the terminal has delivered already: that is not a second one.
      child.kill(signal);
      child.kill(signal === "SIGINT" ? "SIGTERM" : "SIGINT");
      await until("it to drain", async () => (await send(`${url}/ready`)).status === 503);
      // By then it has seen the first. What comes sooner counts as the same keystroke.
      const seen = performance.now();
      await until("a moment", () => performance.now() - seen > 300);
      child.kill(signal);
      const { code } = await within("the end, long before the drain time is over", done);
      assert.equal(code, 130);
      assert.equal((await within("the stream", ended)).how, "broken");
    });
  }
});
