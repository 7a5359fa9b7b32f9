import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttps } from "node:https";
import { connect, createServer, type Server, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import type { TlsOptions } from "node:tls";
import { Worker } from "node:worker_threads";
import type { Fault } from "@aigw/core/services";
import { selfSigned } from "../../../test/support/certificate.ts";
import { Connection } from "../src/proxy/upstream/connection.ts";
import { Connector, type ConnectorOptions, OPEN_TIMEOUT_MS } from "../src/proxy/upstream/connector.ts";
import { faultOf, systemCodeOf } from "../src/proxy/upstream-failure.ts";
import { answering, Peer, portOf, within } from "./proxy-fixtures.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const listen = async (t: TestContext, server: Server, host: string, port = 0): Promise<number> => {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => undefined)));
  server.listen(port, host);
  await within(once(server, "listening"), "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server);
};

interface BlackHole {
  readonly port: number;
  /** From now on it accepts and answers. */
  readonly wake: () => void;
}

/** Listens, accepts nobody, and has its queue full: from then on SYNs stay unanswered, as with a host that is gone. */
const blackHole = async (t: TestContext, host: string): Promise<BlackHole> => {
  const asleep = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     const server = require("node:net").createServer((socket) => {
       socket.on("error", () => undefined).on("data", () => socket.write(workerData.answer));
     });
     server.listen({ host: workerData.host, port: 0, backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       setImmediate(() => Atomics.wait(workerData.asleep, 0, 0));
     });`,
    { eval: true, workerData: { host, asleep, answer: OK } },
  );
  const wake = (): void => {
    Atomics.store(asleep, 0, 1);
    Atomics.notify(asleep, 0);
  };
  t.after(() => worker.terminate());
  const [taken] = (await within(once(worker, "message"), "the black hole")) as [number];
  const fillers: Socket[] = [];
  t.after(() => {
    for (const filler of fillers) filler.destroy();
  });
  for (;;) {
    const filler = connect(taken, host).on("error", () => undefined);
    fillers.push(filler);
    const connected = await Promise.race([
      once(filler, "connect").then(() => true),
      new Promise<false>((late) => setTimeout(late, 200, false)),
    ]);
    if (!connected) return { port: taken, wake };
    assert.ok(fillers.length < 20, "the queue fills");
  }
};

interface Result {
  readonly status?: number;
  readonly fault?: Fault;
  readonly code?: string;
  readonly ms: number;
}

/** One GET over a connection of its own. */
const call = (origin: string, options: ConnectorOptions = {}, content: Buffer | null = null): Promise<Result> => {
  const started = performance.now();
  const ms = (): number => performance.now() - started;
  const connection = new Connection(new Connector(origin, { openTimeoutMs: 1_200, ...options }), {
    release: () => undefined,
    closed: () => undefined,
    sawSurplus: () => undefined,
  });
  const answer = new Promise<Result>((settle) => {
    let status = 0;
    connection.request(content === null ? "GET" : "POST", "/", ["X-A", "b"], content, {
      onHead: (head) => {
        status = head.status;
      },
      onInterim: () => undefined,
      onContent: () => undefined,
      onReadEnd: () => undefined,
      onDrain: () => undefined,
      onEnd: () => settle({ status, ms: ms() }),
      onError: (error) => {
        const fault = faultOf(error, connection, undefined);
        settle({ fault, code: systemCodeOf(error), ms: ms() });
      },
    });
  });
  return within(answer, origin, 15_000).finally(() => connection.destroy());
};

const at = (...all: readonly string[]): ConnectorOptions => ({
  lookup: async () => all.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
});

describe("a name with several addresses", () => {
  test("the first is silent and the second refuses: the first has all of the time, which is 10 s", async (t) => {
    const { port } = await blackHole(t, "127.0.0.2");
    const { fault, ms } = await call(`http://two.test:${port}`, at("127.0.0.2", "127.0.0.3"));
    assert.equal(fault, "connect_timeout");
    assert.ok(ms > 1_150 && ms < 3_000, `${ms} ms`);
    assert.equal(OPEN_TIMEOUT_MS, 10_000);
  });

  test("the first answers late and the second refuses: the first is taken", async (t) => {
    const { port, wake } = await blackHole(t, "127.0.0.2");
    const answer = call(`http://two.test:${port}`, { ...at("127.0.0.2", "127.0.0.3"), openTimeoutMs: 10_000 });
    setTimeout(wake, 500);
    // The system sends its SYN again after a second.
    const { status, ms } = await answer;
    assert.equal(status, 200);
    assert.ok(ms > 500, `${ms} ms`);
  });

  test("the first is silent: the second is tried after 250 ms, and gets what was written meanwhile", async (t) => {
    const { port } = await blackHole(t, "127.0.0.2");
    const peers: Peer[] = [];
    const server = createServer((socket) => {
      const peer = new Peer(socket);
      peers.push(peer);
      answering(OK)(peer);
    });
    await listen(t, server, "127.0.0.3", port);
    const content = Buffer.alloc(100_000, "x");
    const { status, ms } = await call(`http://two.test:${port}`, at("127.0.0.2", "127.0.0.3"), content);
    assert.equal(status, 200);
    assert.ok(ms >= 245 && ms < 1_200, `${ms} ms`);
    assert.equal(peers.length, 1);
    await peers[0]?.until(() => peers[0]?.received.endsWith(content.toString()) === true, "all that was written");
    assert.match(peers[0]?.received ?? "", /^POST \/ HTTP\/1\.1\r\nHost: two\.test:\d+\r\n/);
  });

  test("the first refuses: the second is tried at once", async (t) => {
    const port = await listen(
      t,
      createServer((socket) => answering(OK)(new Peer(socket))),
      "127.0.0.3",
    );
    const { status, ms } = await call(`http://two.test:${port}`, at("127.0.0.2", "127.0.0.3"));
    assert.equal(status, 200);
    assert.ok(ms < 240, `${ms} ms`);
  });

  test("all refuse: that is said at once, with the system's code", async () => {
    // So many that waiting before each would take three seconds, whatever else the machine has to do.
    const all = Array.from({ length: 13 }, (_, index) => `127.0.0.${index + 2}`);
    const { fault, code, ms } = await call("http://many.test:9", at(...all));
    assert.deepEqual([fault, code], ["refused", "ECONNREFUSED"]);
    assert.ok(ms < 1_500, `${ms} ms`);
  });

  test("no address at all, none now, none in time", async () => {
    const failing = (code: string): ConnectorOptions => ({
      lookup: async () => {
        throw Object.assign(new Error("look-up"), { code });
      },
    });
    assert.equal((await call("http://no.test", failing("ENOTFOUND"))).fault, "name_not_found");
    assert.equal((await call("http://no.test", failing("EAI_AGAIN"))).fault, "name_lookup_failed");
    assert.equal((await call("http://no.test", at())).fault, "name_not_found");
    const never = { lookup: () => new Promise<never>(() => undefined), openTimeoutMs: 50 };
    assert.equal((await call("http://no.test", never)).fault, "name_lookup_failed");
  });
});

describe("TLS", () => {
  const secure = async (t: TestContext, options: TlsOptions): Promise<string> => {
    const server = createHttps(options, (_incoming, outgoing) => outgoing.end("ok"));
    return `https://localhost:${await listen(t, server, "127.0.0.1")}`;
  };
  const plain = (t: TestContext, script: (peer: Peer) => void): Promise<number> =>
    listen(
      t,
      createServer((socket) => script(new Peer(socket))),
      "127.0.0.1",
    );

  test("a certificate that nobody vouches for, one of another name, one that has ended", async (t) => {
    const self = await call(await secure(t, selfSigned("self")));
    assert.deepEqual([self.fault, self.code], ["certificate_self_signed", "DEPTH_ZERO_SELF_SIGNED_CERT"]);
    const ended = await call(await secure(t, selfSigned("ended", { endsInDays: -1 })));
    assert.equal(ended.fault, "certificate_expired");
  });

  test("no TLS there: plain HTTP, something that hangs up, something that waits", async (t) => {
    const http = await plain(t, (peer) => peer.socket.once("data", () => peer.socket.end("HTTP/1.1 400 Bad\r\n\r\n")));
    assert.equal((await call(`https://localhost:${http}`)).fault, "not_tls");
    const closing = await plain(t, (peer) => peer.socket.once("data", () => peer.socket.end()));
    assert.equal((await call(`https://localhost:${closing}`)).fault, "tls_closed");
    const resetting = await plain(t, (peer) => peer.socket.once("data", () => peer.socket.resetAndDestroy()));
    assert.equal((await call(`https://localhost:${resetting}`)).fault, "tls_closed");
    // The first that takes the connection is the one: what it does then is an answer.
    const other = createServer();
    await listen(t, other, "127.0.0.3", resetting);
    const second = once(other, "connection").then(() => "called");
    const two = await call(`https://two.test:${resetting}`, at("127.0.0.1", "127.0.0.3"));
    assert.deepEqual([two.fault, await Promise.race([second, "not called"])], ["tls_closed", "not called"]);
    const waiting = await plain(t, () => undefined);
    const { fault, ms } = await call(`https://localhost:${waiting}`);
    assert.equal(fault, "tls_timeout");
    assert.ok(ms > 1_150 && ms < 3_000, `${ms} ms`);
  });

  test("no version in common; a certificate wanted of us; HTTP/2 alone", async (t) => {
    const pair = selfSigned("strict");
    const old = await call(await secure(t, { ...pair, maxVersion: "TLSv1.1", minVersion: "TLSv1" }));
    assert.deepEqual([old.fault, old.code?.startsWith("ERR_SSL_")], ["tls_failed", true]);
    const h2 = await call(await secure(t, { ...pair, ALPNProtocols: ["h2"] }));
    assert.equal(h2.fault, "http2_only");
    const wants = { ...pair, requestCert: true, rejectUnauthorized: true };
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    t.after(() => delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);
    const [v13, v12] = [await secure(t, wants), await secure(t, { ...wants, maxVersion: "TLSv1.2" })];
    assert.deepEqual(
      [await call(v13), await call(v12)].map(({ fault }) => fault),
      ["certificate_wanted", "tls_failed"],
    );
  });
});
