import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { describe, type TestContext, test } from "node:test";
import {
  answering,
  exchange,
  gateway,
  get,
  type Peer,
  type ScriptedUpstream,
  scriptedUpstream,
  within,
} from "./proxy-fixtures.ts";

/** What comes behind a complete answer: an answer of its own, which the next client would take for its own, or none. */
const FORGED = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL";
const GARBAGE = "<html>a body that nobody may send here</html>\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const answerTo = (method: string, path: string): string => {
  if (path.includes("204")) return "HTTP/1.1 204 No Content\r\n\r\n";
  if (path.includes("304")) return 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n';
  if (path.includes("chunked")) return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
  return `HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${method === "HEAD" ? "" : path}`;
};

/** Answers each request; one whose path says `/late` gets more than its answer, in a write of its own and a little later. */
const sloppyUpstream = (t: TestContext, surplus: string, lateMs: number): Promise<ScriptedUpstream> =>
  scriptedUpstream(t, (peer) => {
    let read = 0;
    peer.socket.setNoDelay(true);
    peer.socket.on("data", () => {
      for (let end = peer.received.indexOf("\r\n\r\n", read); end >= 0; end = peer.received.indexOf("\r\n\r\n", read)) {
        const [method = "", path = ""] = peer.received.slice(read, end).split(" ");
        read = end + 4;
        peer.send(answerTo(method, path));
        if (!path.startsWith("/late")) continue;
        const send = (): void => {
          if (!peer.socket.destroyed) peer.send(surplus);
        };
        setTimeout(send, lateMs);
      }
    });
  });

/** Calls one after the other on one connection. @returns how many were not answered as they should be */
const callAgain = async (port: number, method: string, path: string, times: number): Promise<number> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let wrong = 0;
  for (let i = 0; i < times; i++) {
    const answer = await new Promise<string>((settle) => {
      const call = request({ port, host: "127.0.0.1", method, path, agent });
      call.on("error", (error) => settle(String(error)));
      call.on("response", (response) => {
        let text = `${response.statusCode} `;
        response.setEncoding("latin1").on("data", (part: string) => {
          text += part;
        });
        response.on("close", () => settle(text));
      });
      call.end();
    });
    if (answer !== `200 ${path}`) wrong += 1;
  }
  agent.destroy();
  return wrong;
};

describe("bytes behind an answer never reach another client", { concurrency: true }, () => {
  for (const [what, method, path, surplus, lateMs] of [
    ["an answer", "HEAD", "/late", FORGED, 5],
    ["an answer", "GET", "/late/204", FORGED, 5],
    ["an answer", "GET", "/late/304", FORGED, 5],
    ["an answer", "GET", "/late/chunked", FORGED, 5],
    ["an answer", "GET", "/late/length", FORGED, 2],
    ["an answer", "GET", "/late/length", FORGED, 20],
    ["a page", "HEAD", "/late", GARBAGE, 5],
    ["a page", "GET", "/late/length", GARBAGE, 5],
  ] as const) {
    test(`${what}, ${lateMs} ms behind the answer to ${method} ${path}`, async (t) => {
      const upstream = await sloppyUpstream(t, surplus, lateMs);
      const gw = await gateway(t, upstream.origin);
      const late = Array.from({ length: 4 }, () => callAgain(gw.port, method, path, 20));
      const clean = Array.from({ length: 4 }, (_, i) => callAgain(gw.port, "GET", `/mine/${i}`, 30));
      await Promise.all(late);
      const wrong = (await Promise.all(clean)).reduce((sum, count) => sum + count, 0);
      assert.equal(wrong, 0, `${wrong} of 120 calls got what was not theirs`);
    });
  }
});

describe("a connection", { concurrency: true }, () => {
  for (const [what, method, answer] of [
    ["HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"],
    ["GET, 204", "GET", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["GET, 304", "GET", "HTTP/1.1 304 Not Modified\r\n\r\n"],
  ] as const) {
    test(`is closed behind the answer to ${what}`, async (t) => {
      const upstream = await scriptedUpstream(t, answering(answer));
      const gw = await gateway(t, upstream.origin);
      await exchange(t, gw.port, get("/").replace("GET", method));
      await (await upstream.connections.next("a connection")).close(1_000);
    });
  }

  test("of an upstream that has never sent too much is used at once, over and over", async (t) => {
    const upstream = await sloppyUpstream(t, "", 0);
    const gw = await gateway(t, upstream.origin);
    assert.equal(await callAgain(gw.port, "GET", "/mine", 10), 0);
    const started = performance.now();
    assert.equal(await callAgain(gw.port, "GET", "/mine", 100), 0);
    assert.ok(performance.now() - started < 2_500, "as fast as without a wait for each, 5 s");
    assert.equal(upstream.connections.all.length, 1);
  });

  test("is not used twice once the upstream has sent too much, on whichever of them", async (t) => {
    const upstream = await sloppyUpstream(t, GARBAGE, 5);
    const gw = await gateway(t, upstream.origin);
    assert.equal((await exchange(t, gw.port, get("/late"))).body, "/late");
    await (await upstream.connections.next("a connection")).close(1_000);
    for (let i = 0; i < 3; i++) assert.equal((await exchange(t, gw.port, get("/mine"))).body, "/mine");
    assert.equal(upstream.connections.all.length, 4);
    await Promise.all(upstream.connections.all.map((peer) => peer.close(1_000)));
  });

  test("that is given up with a 408 after a rest tells nothing against the others", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    await exchange(t, gw.port, get("/"));
    const first = await upstream.connections.next("a connection");
    await within(new Promise((resolve) => setTimeout(resolve, 1_200)), "a rest");
    first.socket.end("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
    await first.close(1_000);
    for (let i = 0; i < 3; i++) assert.equal((await exchange(t, gw.port, get("/"))).status, 200);
    assert.equal(upstream.connections.all.length, 2);
  });
});

describe("what is left of an earlier answer, in place of the answer", { concurrency: true }, () => {
  /** Answers its first request, and sends something else when the second one comes on the same connection. */
  const leftovers = (peer: Peer, nth: number): void => {
    let requests = 0;
    peer.socket.on("data", () => {
      requests += 1;
      peer.send(nth === 1 && requests === 2 ? GARBAGE : OK);
    });
  };

  for (const [method, status, connections] of [
    ["GET", 200, 2],
    ["OPTIONS", 200, 2],
    ["POST", 502, 1],
  ] as const) {
    test(`${method}: ${status === 200 ? "asked again on a new connection" : "not sent twice"}`, async (t) => {
      const upstream = await scriptedUpstream(t, leftovers);
      const gw = await gateway(t, upstream.origin);
      assert.equal((await exchange(t, gw.port, get("/"))).status, 200);
      const answer = await exchange(t, gw.port, get("/").replace("GET", method));
      assert.equal(answer.status, status);
      assert.doesNotMatch(answer.body, /html/);
      assert.equal(upstream.connections.all.length, connections);
      const faults = [await gw.results.next("the first result"), await gw.results.next("the second")];
      assert.deepEqual(
        faults.map(({ fault }) => fault),
        [undefined, status === 200 ? undefined : "leftover_bytes"],
      );
    });
  }

  test("on a new connection it is an upstream that does not speak HTTP: 502, not asked again", async (t) => {
    const upstream = await scriptedUpstream(t, answering(GARBAGE));
    const gw = await gateway(t, upstream.origin);
    assert.equal((await exchange(t, gw.port, get("/"))).status, 502);
    assert.equal(upstream.connections.all.length, 1);
    assert.equal((await gw.results.next("the result")).fault, "not_http");
  });
});
