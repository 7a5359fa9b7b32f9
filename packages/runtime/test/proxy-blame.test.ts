import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answering, dial, gateway, get, type Peer, scriptedUpstream, within } from "./proxy-fixtures.ts";

const MIB = 1024 * 1024;
const post = (fields: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const pause = (ms: number): Promise<void> =>
  within(new Promise((resolve) => setTimeout(resolve, ms)), "a while", ms + 5_000);

/** So that what takes seconds is seen in one. */
const fastClock = (): number => 3 * performance.now();

/** Writes without end, as fast as it is taken. */
const pour = ({ socket }: Peer): void => {
  const block = Buffer.alloc(64 * 1024, "x");
  const on = (): void => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on("drain", on);
  on();
};
const pouring = (peer: Peer): void => {
  peer.socket.once("data", () => {
    peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    pour(peer);
  });
};

/** Reads 400 kB a second, in a steady flow: what the gateway writes finds room every 3 s or so. */
const readSlowly = ({ socket }: Peer): NodeJS.Timeout => {
  socket.pause();
  // A look a little later takes what has come, 64 KiB at most.
  return setInterval(() => {
    socket.once("data", () => socket.pause());
    socket.resume();
  }, 160);
};

describe("who stands still", { concurrency: true }, () => {
  describe("a client that stalls its upload is answered 408, and the service is not blamed", {
    concurrency: true,
  }, () => {
    for (const [what, text] of [
      ["a small body", `${post("Content-Length: 10\r\n")}abc`],
      ["a large one", `${post("Content-Length: 100000\r\n")}abc`],
      ["one in chunks", `${post("Transfer-Encoding: chunked\r\n")}3\r\nabc\r\n`],
      ["one that waits for nothing", post("Content-Length: 3\r\nExpect: 100-continue\r\n")],
    ] as const) {
      test(what, async (t) => {
        const upstream = await scriptedUpstream(t);
        const gw = await gateway(t, upstream.origin, { timeoutMs: 60_000, idleTimeoutMs: 300 });
        const client = await dial(t, gw.port, text);
        await client.has('"code":"request_timeout"', 1_500);
        assert.match(client.received, /^(?:HTTP\/1.1 100 Continue\r\n\r\n)?HTTP\/1.1 408 .*\r\nConnection: close\r\n/s);
        const { outcome, status, fault, error } = await gw.results.next("the result");
        assert.deepEqual([outcome, status, fault, error], ["aborted", 408, undefined, undefined]);
        await (await upstream.connections.next("a connection")).close(1_000);
        await client.over(2_000);
        assert.equal(gw.proxy.open, 0);
      });
    }

    test("when the answer has begun: it is cut", async (t) => {
      const upstream = await scriptedUpstream(
        t,
        (peer) =>
          void peer.socket.once("data", () =>
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
          ),
      );
      const gw = await gateway(t, upstream.origin, { idleTimeoutMs: 300 });
      const client = await dial(t, gw.port, `${post("Content-Length: 100000\r\n")}abc`);
      await client.has("ok");
      await client.over(2_000);
      assert.doesNotMatch(client.received, /\r\n0\r\n/);
      const { outcome, status } = await gw.results.next("the result");
      assert.deepEqual({ outcome, status }, { outcome: "aborted", status: 200 });
    });
  });

  describe("a service that stalls is blamed", { concurrency: true }, () => {
    test("it does not read the upload: 504", async (t) => {
      const upstream = await scriptedUpstream(t, (peer) => void peer.socket.pause());
      const gw = await gateway(t, upstream.origin, {
        timeoutMs: 60_000,
        idleTimeoutMs: 1_000,
        clock: fastClock,
      });
      const client = await dial(t, gw.port, post(`Content-Length: ${256 * MIB}\r\n`));
      pour(client);
      await client.has("upstream_timeout", 5_000);
      const { outcome, status, fault } = await gw.results.next("the result");
      assert.deepEqual([outcome, status, fault], ["timeout", 504, "upload_stalled"]);
    });

    test("it stops in the middle of its answer, which the client reads: incomplete", async (t) => {
      const upstream = await scriptedUpstream(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
      const gw = await gateway(t, upstream.origin, { idleTimeoutMs: 300 });
      const client = await dial(t, gw.port, get("/"));
      await client.over(2_000);
      assert.equal((await gw.results.next("the result")).outcome, "incomplete");
    });
  });

  describe("slow is not still", { concurrency: true }, () => {
    const skip = process.platform === "linux" ? false : "only Linux tells what a peer has taken";

    test("a steady slow reader is never cut; one that stops is, and is the one to blame", { skip }, async (t) => {
      const upstream = await scriptedUpstream(t, pouring);
      const gw = await gateway(t, upstream.origin, { idleTimeoutMs: 1_000, clock: fastClock });
      const client = await dial(t, gw.port);
      // From the beginning: the system gives a fast reader so much room that it says nothing for seconds.
      const reading = readSlowly(client);
      t.after(() => clearInterval(reading));
      client.send(get("/"));
      const outgoing = gw.handled[0]?.socket;
      for (let i = 0; i < 8; i++) {
        await pause(500);
        assert.equal(gw.proxy.open, 1, `cut after ${(i + 1) * 500} ms`);
        assert.ok((outgoing?.writableLength ?? 0) <= MIB, `${outgoing?.writableLength} bytes held`);
      }
      clearInterval(reading);
      client.socket.pause();
      const { outcome, status } = await gw.results.next("the result", 10_000);
      assert.deepEqual({ outcome, status }, { outcome: "aborted", status: 200 });
      await (await upstream.connections.next("a connection")).close(1_000);
    });

    test("nor is an upload to a service that reads slowly", { skip }, async (t) => {
      let reading: NodeJS.Timeout | undefined;
      const upstream = await scriptedUpstream(t, (peer) => {
        reading = readSlowly(peer);
      });
      const gw = await gateway(t, upstream.origin, { timeoutMs: 60_000, idleTimeoutMs: 1_000, clock: fastClock });
      t.after(() => clearInterval(reading));
      const client = await dial(t, gw.port, post(`Content-Length: ${256 * MIB}\r\n`));
      pour(client);
      const peer = await upstream.connections.next("a connection");
      for (let i = 0; i < 8; i++) {
        await pause(500);
        assert.equal(gw.proxy.open, 1, `cut after ${(i + 1) * 500} ms`);
      }
      clearInterval(reading);
      peer.socket.pause();
      assert.equal((await gw.results.next("the result", 10_000)).outcome, "timeout");
    });

    test("nor a call that waits for its turn behind a slow one", async (t) => {
      const large = `HTTP/1.1 200 OK\r\nContent-Length: ${2 * MIB}\r\n\r\n${"y".repeat(2 * MIB)}`;
      const upstream = await scriptedUpstream(t, (peer) => {
        peer.socket.on("data", (head: Buffer) => {
          if (head.toString().startsWith("GET /large")) peer.send(large);
          else setTimeout(() => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"), 1_200);
        });
      });
      const gw = await gateway(t, upstream.origin, { idleTimeoutMs: 300 });
      const client = await dial(t, gw.port, `GET / HTTP/1.1\r\nHost: a\r\n\r\n${get("/large")}`);
      await client.over(8_000);
      assert.match(client.received, /first.*\r\n\r\ny/s);
      assert.equal(client.received.split("y").length - 1, 2 * MIB);
      assert.deepEqual([(await gw.results.next("one")).outcome, (await gw.results.next("two")).outcome], ["ok", "ok"]);
    });
  });
});
