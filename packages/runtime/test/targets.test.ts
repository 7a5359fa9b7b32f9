import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import type { Upstream } from "../src/proxy/call.ts";
import type { TargetState } from "../src/proxy/target-state.ts";
import {
  answering,
  dial,
  exchange,
  gateway,
  get,
  type Peer,
  scriptedUpstream,
  type TestGateway,
} from "./proxy-fixtures.ts";

const ok = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const targetsAt = (...origins: readonly string[]): Pick<Upstream, "targets"> => ({
  targets: origins.map((origin) => ({ url: origin, origin, basePath: "", weight: 1, isDrained: false })),
});

const weighing = (weights: readonly number[], origins: readonly string[]): Pick<Upstream, "targets"> => ({
  targets: origins.map((origin, index) => ({
    url: origin,
    origin,
    basePath: "",
    weight: weights[index] ?? 1,
    isDrained: false,
  })),
});

const NOBODY = "http://127.0.0.1:1";

/** A clock that stands still until it is told to go on. */
const handClock = (): { now: number; readonly clock: () => number } => {
  const hand = { now: 1_000, clock: () => hand.now };
  return hand;
};

const bodies = async (
  t: TestContext,
  { port }: Pick<TestGateway, "port">,
  times: number,
  request: string = get("/x"),
): Promise<string> => {
  let all = "";
  for (let n = 0; n < times; n += 1) all += (await exchange(t, port, request)).body;
  return all;
};

const post = (body: string, method = "POST"): string =>
  `${method} /x HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe("which target takes a call", () => {
  test("those that are equally free take turns, by weight and smoothly", async (t) => {
    const [a, b] = [await scriptedUpstream(t, answering(ok("a"))), await scriptedUpstream(t, answering(ok("b")))];
    const even = await gateway(t, a.origin, targetsAt(a.origin, b.origin));
    assert.equal(await bodies(t, even, 6), "ababab");
    const uneven = await gateway(t, a.origin, weighing([2, 1], [a.origin, b.origin]));
    assert.equal(await bodies(t, uneven, 6), "abaaba");
  });

  test("the one with the fewest open calls for its weight", async (t) => {
    const silent = (peer: Peer): unknown => peer;
    const [a, b] = [await scriptedUpstream(t, silent), await scriptedUpstream(t, silent)];
    const { port } = await gateway(t, a.origin, weighing([2, 1], [a.origin, b.origin]));
    for (let n = 0; n < 9; n += 1) await dial(t, port, get("/x"));
    for (let n = 0; n < 6; n += 1) await a.connections.next("a call of a's");
    for (let n = 0; n < 3; n += 1) await b.connections.next("a call of b's");
    assert.deepEqual([a.connections.all.length, b.connections.all.length], [6, 3]);
  });

  test("none that is drained, also when the others fail", async (t) => {
    const a = await scriptedUpstream(t, answering(ok("a")));
    const targets = [
      { url: NOBODY, origin: NOBODY, basePath: "", weight: 1, isDrained: false },
      { url: a.origin, origin: a.origin, basePath: "", weight: 1, isDrained: true },
    ];
    const { port } = await gateway(t, NOBODY, { targets });
    assert.equal((await exchange(t, port, get("/x"))).status, 502);
    assert.equal(a.connections.all.length, 0);
  });
});

describe("another try", () => {
  test("refused connections: every method, with its whole body, whatever way it comes", async (t) => {
    const a = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", () => {
        if (/\r\n\r\n.*!|0\r\n\r\n$/s.test(peer.received)) peer.send(ok(String(peer.received.length)));
      });
    });
    const { port, results } = await gateway(t, NOBODY, targetsAt(NOBODY, a.origin));
    const { status } = await exchange(t, port, post("hello!"));
    assert.equal(status, 200);
    assert.match(a.connections.all[0]?.received ?? "", /^POST \/x [\s\S]*\r\nContent-Length: 6\r\n\r\nhello!$/);
    assert.equal((await results.next("the result")).outcome, "ok");

    // The turn is the dead one's again.
    await exchange(t, port, get("/x"));
    const large = `${"x".repeat(40_000)}!`;
    assert.equal((await exchange(t, port, post(large))).status, 200);
    assert.ok(a.connections.all.at(-1)?.received.endsWith(`\r\n\r\n${large}`), "the body arrived once and whole");
  });

  test("a chunked body in pieces is sent again from its beginning", async (t) => {
    const a = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", () => {
        if (peer.received.endsWith("0\r\n\r\n")) peer.send(ok("a"));
      });
    });
    const dead = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", () => {
        if (peer.received.includes("two")) peer.socket.destroy();
      });
    });
    const { port } = await gateway(t, dead.origin, targetsAt(dead.origin, a.origin));
    const peer = await dial(
      t,
      port,
      "PUT /x HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
    );
    await (await dead.connections.next("the first try")).has("one");
    peer.send("3\r\ntwo\r\n");
    await (await a.connections.next("the second try")).has("two");
    peer.send("5\r\nthree\r\n0\r\n\r\n");
    await peer.has("200 OK");
    const sent = (a.connections.all[0]?.received ?? "").split("\r\n\r\n").slice(1).join("\r\n\r\n");
    assert.equal(sent, "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
  });

  test("a request that was sent: only where it may be carried out twice, and nothing of an answer came", async (t) => {
    const closing = (peer: Peer): void => void peer.socket.once("data", () => peer.socket.end());
    const dead = await scriptedUpstream(t, closing);
    const a = await scriptedUpstream(t, answering(ok("a")));
    const statusOf = async (text: string): Promise<number> => {
      const { port } = await gateway(t, dead.origin, targetsAt(dead.origin, a.origin));
      return (await exchange(t, port, text)).status;
    };
    assert.equal(await statusOf(get("/x")), 200);
    assert.equal(await statusOf(post("x", "PUT")), 200);
    assert.equal(await statusOf(get("/x").replace("GET", "DELETE")), 200);
    const before = a.connections.all.length;
    assert.equal(await statusOf(post("x")), 502);
    assert.equal(await statusOf(post("x", "PATCH")), 502);
    assert.equal(a.connections.all.length, before, "what may have been carried out is not sent again");

    const begun = await scriptedUpstream(t, (peer) => {
      peer.socket.once("data", () => peer.socket.end("HTTP/1.1 200 OK\r\nCont"));
    });
    const { port } = await gateway(t, begun.origin, targetsAt(begun.origin, a.origin));
    assert.equal((await exchange(t, port, get("/x"))).status, 502);
    assert.equal(a.connections.all.length, before);
  });

  test("a body of which more than 64 KiB were taken is not sent again", async (t) => {
    const dead = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", () => {
        if (peer.received.length > 200_000) peer.socket.destroy();
      });
    });
    const a = await scriptedUpstream(t, answering(ok("a")));
    const { port } = await gateway(t, dead.origin, targetsAt(dead.origin, a.origin));
    assert.equal((await exchange(t, port, post("x".repeat(300_000), "PUT"))).status, 502);
    assert.equal(a.connections.all.length, 0);
  });

  test("a handshake that comes to no end within the connect timeout: nothing was sent, so every method goes on", async (t) => {
    const hung = await scriptedUpstream(t);
    const a = await scriptedUpstream(t, answering(ok("a")));
    const { port } = await gateway(t, hung.origin, {
      ...targetsAt(hung.origin.replace("http:", "https:"), a.origin),
      connection: { openTimeoutMs: 150 },
    });
    assert.equal((await exchange(t, port, post("x"))).body, "a");
    assert.equal(hung.connections.all.length, 1);
    assert.doesNotMatch(hung.connections.all[0]?.received ?? "", /POST/);
  });

  test("once: with two that fail of three the call fails", async (t) => {
    const a = await scriptedUpstream(t, answering(ok("a")));
    const { port } = await gateway(t, NOBODY, targetsAt(NOBODY, "http://127.0.0.2:1", a.origin));
    assert.equal((await exchange(t, port, get("/x"))).status, 502);
    assert.equal(a.connections.all.length, 0);
  });

  test("the second target has what is left of the same timeout", async (t) => {
    const hand = handClock();
    const slow = await scriptedUpstream(t, (peer) => {
      peer.socket.once("data", () => {
        hand.now += 900;
        peer.socket.destroy();
      });
    });
    const silent = await scriptedUpstream(t);
    const { port } = await gateway(t, slow.origin, {
      ...targetsAt(slow.origin, silent.origin),
      timeoutMs: 1_000,
      clock: hand.clock,
    });
    const peer = await dial(t, port, get("/x"));
    await (await silent.connections.next("the second try")).has("GET");
    hand.now += 150;
    await peer.has("504");
  });
});

describe("a target that fails rests", () => {
  test("after three failures in a row; one call looks whether it works again; the rest doubles, to 30 s", async (t) => {
    const hand = handClock();
    let works = false;
    const a = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", () => {
        if (works) peer.send(ok("a"));
        else peer.socket.end();
      });
    });
    const changes: string[] = [];
    const { port } = await gateway(t, a.origin, {
      targets: [a.origin, NOBODY].map((origin) => ({
        url: origin,
        origin,
        basePath: "",
        weight: 1,
        isDrained: origin === NOBODY,
      })),
      clock: hand.clock,
      onTargetChange: ({ isDown, fault }: TargetState) => {
        changes.push(`${isDown ? "down" : "up"} ${fault ?? ""}`.trim());
      },
    });
    const call = async (): Promise<string> => {
      const { status, head } = await exchange(t, port, post("x"));
      return `${status}${status === 503 ? ` ${/Retry-After: (\d+)/.exec(head)?.[1]}` : ""}`;
    };
    for (let n = 0; n < 3; n += 1) assert.equal(await call(), "502");
    assert.deepEqual(changes, ["down closed"]);
    assert.equal(await call(), "503 1");
    const asked = a.connections.all.length;
    for (const rest of [1, 2, 4, 8, 16, 30, 30]) {
      hand.now += rest * 1_000 - 1;
      assert.equal(await call(), "503 1", `${rest} s are not over`);
      hand.now += 1;
      assert.equal(await call(), "502");
      assert.equal(await call(), `503 ${Math.min(30, rest * 2)}`);
    }
    assert.equal(a.connections.all.length, asked + 7, "one call after each rest");
    works = true;
    hand.now += 30_000;
    assert.equal(await call(), "200");
    assert.deepEqual(changes, ["down closed", "up"]);
  });

  test("with nobody who could take its calls it is tried all the same", async (t) => {
    const { port } = await gateway(t, NOBODY);
    for (let n = 0; n < 6; n += 1) assert.equal((await exchange(t, port, get("/x"))).status, 502);
  });

  test("one that answers 200 with nothing, and one that breaks its framing, are out after three calls", async (t) => {
    for (const answer of [
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
      "",
    ]) {
      const bad = await scriptedUpstream(t, (peer) => void peer.socket.once("data", () => peer.socket.end(answer)));
      const a = await scriptedUpstream(t, answering(ok("a")));
      const { port } = await gateway(t, bad.origin, targetsAt(bad.origin, a.origin));
      assert.match(await bodies(t, { port }, 12, post("x")), /(?:a[^a]*){9}$/, JSON.stringify(answer));
      assert.equal(bad.connections.all.length, 3);
    }
  });

  test("one that accepts and hangs is out after three calls timed out", async (t) => {
    const hand = handClock();
    const hung = await scriptedUpstream(t);
    const a = await scriptedUpstream(t, answering(ok("a")));
    const { port } = await gateway(t, hung.origin, {
      ...targetsAt(hung.origin, a.origin),
      timeoutMs: 1_000,
      // It goes on by itself, too: a connection has to rest before it is used again.
      clock: () => (hand.now += 1),
    });
    let hanging = 0;
    for (let n = 0; n < 6; n += 1) {
      const peer = await dial(t, port, get("/x"));
      const isAnswered = (): boolean => peer.received.includes("200 OK");
      // Once it is there its time runs, which is that of the hand's clock.
      const isSent = (): boolean => hung.connections.all[hanging]?.received.includes("\r\n\r\n") === true;
      await until("the call to arrive", () => isAnswered() || isSent());
      if (isAnswered()) continue;
      hanging += 1;
      hand.now += 1_100;
      await peer.has("504");
    }
    assert.equal(hanging, 3);
    for (let n = 0; n < 4; n += 1) assert.equal((await exchange(t, port, get("/x"))).body, "a");
  });

  test("calls that the client breaks off say nothing of a target", async (t) => {
    const hung = await scriptedUpstream(t);
    const { port } = await gateway(t, hung.origin, targetsAt(hung.origin, NOBODY));
    for (let n = 0; n < 8; n += 1) {
      const peer = await dial(t, port, get("/x"));
      const seen = await hung.connections.next("the call");
      peer.socket.destroy();
      await seen.close();
    }
    assert.equal(hung.connections.all.length, 8);
  });
});

test("a target that no service has any more: kept connections are closed, a stream goes on and its connection is not kept", async (t) => {
  const a = await scriptedUpstream(t, (peer) => {
    peer.socket.on("data", () => {
      if (peer.received.includes("GET /stream")) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun");
      else peer.send(ok("a"));
    });
  });
  const { port, proxy } = await gateway(t, a.origin);
  const stream = await dial(t, port, get("/stream"));
  await stream.has("begun");
  const [streaming] = a.connections.all;
  await exchange(t, port, get("/x"));
  const kept = a.connections.all.at(-1);
  assert.notEqual(kept, streaming);
  proxy.follow([]);
  await kept?.close(1_000);
  assert.equal(streaming?.closed, false);
  streaming?.send(" end");
  await stream.over();
  assert.match(stream.received, /begun end$/);
  await streaming?.close(1_000);
});

describe("a fallback", () => {
  test("takes the calls while all targets are down, under the same prefix and with its own headers", async (t) => {
    const cloud = await scriptedUpstream(
      t,
      answering("HTTP/1.1 302 Found\r\nLocation: /base/y\r\nContent-Length: 0\r\n\r\n"),
    );
    const upstream: Upstream = {
      service: "cloud",
      origin: cloud.origin,
      basePath: "/base",
      prefix: "/api/cloud",
      headers: [["X-Api-Key", "of the cloud"]],
      timeoutMs: 5_000,
      idleTimeoutMs: 5_000,
    };
    const { port, results } = await gateway(t, NOBODY, {
      headers: [["X-Api-Key", "of the service"]],
      fallback: () => upstream,
    });
    // Refused, and so the first call goes there already.
    for (let n = 0; n < 5; n += 1) {
      const { status, head } = await exchange(t, port, get("/x"));
      assert.equal(status, 302);
      assert.match(head, /\r\nLocation: \/api\/svc\/y\r\n/);
      assert.equal((await results.next("the result")).fallback, "cloud");
    }
    const { received = "" } = cloud.connections.all[0] ?? {};
    assert.match(received, /^GET \/base\/x HTTP\/1\.1\r\n/);
    assert.match(received, /X-Api-Key: of the cloud\r\n/);
    assert.doesNotMatch(received, /of the service/);
    assert.match(received, /X-Client-ID: alice\r\n/);
    assert.match(received, /X-Forwarded-Prefix: \/api\/svc\r\n/);
  });

  test("one that is gone, down or out of use is none: 503, at once", async (t) => {
    const down: Upstream = {
      service: "cloud",
      origin: "http://127.0.0.1:2",
      basePath: "",
      prefix: "/api/cloud",
      headers: [],
      timeoutMs: 5_000,
      idleTimeoutMs: 5_000,
    };
    for (const fallback of [() => undefined, () => ({ ...down, disabled: "" })]) {
      const { port } = await gateway(t, NOBODY, { fallback });
      const statuses = [];
      for (let n = 0; n < 4; n += 1) statuses.push((await exchange(t, port, get("/x"))).status);
      assert.deepEqual(statuses, [502, 502, 502, 503]);
    }
  });
});
