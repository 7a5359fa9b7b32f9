import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer, Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { addService, removeService, revokeClient, rotateSecret, setClient, setService } from "@aigw/core";
import type WebSocket from "ws";
import { JumpingClock, startTestGateway, type TestGateway } from "../support/gateway.ts";
import { bearer, send, sendRaw } from "../support/http.ts";
import { allUsage, UNLIMITED } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";
import {
  handshake,
  openSocket,
  refusedSocket,
  type SocketService,
  startSocketService,
  switched,
} from "../support/websocket.ts";

interface Scene {
  readonly gateway: TestGateway;
  readonly service: SocketService;
  readonly token: string;
  readonly headers: Record<string, string>;
  readonly url: string;
}

const MIB = 1024 * 1024;

const scene = async (t: TestContext, service?: SocketService): Promise<Scene> => {
  const own = service ?? (await startSocketService(t, { perMessageDeflate: true }));
  const gateway = await startTestGateway(t);
  const { rev } = await addService(gateway.deps, {
    name: "live",
    url: own.url,
    headers: [{ name: "X-API-Key", value: "sesame" }],
    idleTimeoutMs: 60_000,
  });
  await gateway.applied(rev);
  const token = await gateway.tokenFor("john", UNLIMITED);
  return { gateway, service: own, token, headers: bearer(token), url: `${gateway.url}/api/live` };
};

const usage = ({ gateway }: Scene, count: number) =>
  until("the usage", async () => {
    const events = (await allUsage(gateway.store)).filter(({ status }) => status === 101);
    return events.length >= count && events;
  });

/** A service that is a script: it gets the connection, with what it has read. */
const rawService = async (
  t: TestContext,
  onHead: (socket: Socket, head: string) => void,
): Promise<{ url: string; received: () => string }> => {
  let all = "";
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let head = "";
    let isOpen = false;
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      all += bytes.toString("latin1");
      head += bytes.toString("latin1");
      if (isOpen || !head.includes("\r\n\r\n")) return;
      isOpen = true;
      onHead(socket, head);
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received: () => all };
};

const withService = async (t: TestContext, url: string) => {
  const gateway = await startTestGateway(t, { services: { live: url } });
  const token = await gateway.tokenFor("john", UNLIMITED);
  return { gateway, token, authorization: `Authorization: Bearer ${token}` };
};

const dial = (t: TestContext, url: string): { socket: Socket; received: () => string } => {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  socket.on("error", () => undefined);
  socket.on("data", (bytes) => {
    text += bytes.toString("latin1");
  });
  t.after(() => socket.destroy());
  return { socket, received: () => text };
};

describe("a WebSocket through the gateway", { concurrency: true }, () => {
  it("refuses before any upgrade, with the ordinary problem and status", async (t) => {
    const { gateway, service, headers, url } = await scene(t);
    const poor = bearer(await gateway.tokenFor("poor", { limit: 1, services: ["live"] }));
    const other = bearer(await gateway.tokenFor("other", { services: [] }));
    const cases: [string, Record<string, string>, number, string][] = [
      [url, {}, 401, "missing_token"],
      [url, bearer("nonsense"), 401, "invalid_token"],
      [url, other, 403, "insufficient_scope"],
      [`${gateway.url}/api/nothing`, headers, 404, "unknown_service"],
      [`${gateway.url}/api/live/%2F`, headers, 400, "invalid_path"],
    ];
    for (const [address, fields, status, code] of cases) {
      const refusal = await refusedSocket(address, fields);
      assert.equal(refusal.status, status, code);
      assert.equal(refusal.headers["content-type"], "application/problem+json");
      assert.equal(JSON.parse(refusal.body).code, code);
      assert.equal(refusal.headers.connection, "close");
    }
    await openSocket(url, { headers: poor }).then(({ socket }) => socket.close());
    const limited = await refusedSocket(url, poor);
    assert.equal(limited.status, 429);
    assert.ok(Number(limited.headers["retry-after"]) > 0);
    assert.equal(service.seen.length, 1, "none but the one that was let in reached the service");
  });

  it("passes on any other answer, and 502 for a 101 that is none to this handshake", async (t) => {
    const answers: Record<string, string> = {
      no: "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 4\r\n\r\nnope",
      wrong: switched().replace("s3pP", "s3pX"),
      twice: switched([`Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`]),
      other: switched().replace("Upgrade: websocket", "Upgrade: h2c"),
      none: "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    };
    const { url } = await rawService(t, (socket, head) => {
      socket.write(answers[/GET \/(\w+)/.exec(head)?.[1] ?? ""] ?? "");
    });
    const { gateway, token } = await withService(t, url);
    const no = await refusedSocket(`${gateway.url}/api/live/no`, bearer(token));
    assert.deepEqual([no.status, no.body, no.headers["sec-websocket-version"]], [426, "nope", "13"]);
    for (const path of ["wrong", "twice", "other", "none"]) {
      const bad = await refusedSocket(`${gateway.url}/api/live/${path}`, bearer(token));
      assert.equal(bad.status, 502, path);
      assert.equal(JSON.parse(bad.body).code, "upstream_invalid");
    }
    await until("the usage", async () => {
      const events = await allUsage(gateway.store);
      const bad = events.filter(({ reason }) => reason === "switched_protocols");
      return bad.length === 4 && events.length === 5;
    });
  });

  it("does not wait for a service that does not answer, and ends a handshake whose right ends", async (t) => {
    let waiting = 0;
    const { url } = await rawService(t, (socket) => {
      waiting += 1;
      socket.on("end", () => socket.destroy());
      socket.on("close", () => {
        waiting -= 1;
      });
    });
    const { gateway, token } = await withService(t, url);
    const { rev } = await setService(gateway.deps, "live", { timeoutMs: 300 });
    await gateway.applied(rev);
    const late = await refusedSocket(`${gateway.url}/api/live/a`, bearer(token));
    assert.deepEqual([late.status, JSON.parse(late.body).code], [504, "upstream_timeout"]);
    const { rev: patient } = await setService(gateway.deps, "live", { timeoutMs: 60_000 });
    await gateway.applied(patient);
    const leaving = dial(t, gateway.url);
    leaving.socket.write(handshake("/api/live/c", [`Authorization: Bearer ${token}`]));
    await until("the handshake", () => waiting === 1);
    leaving.socket.destroy();
    await until("the service to be left", () => waiting === 0, 2_000);
    const asked = refusedSocket(`${gateway.url}/api/live/b`, bearer(token));
    await until("the handshake", () => waiting === 1);
    await revokeClient(gateway.deps, "john");
    const at = performance.now();
    const refused = await asked;
    assert.deepEqual([refused.status, JSON.parse(refused.body).code], [401, "invalid_token"]);
    assert.ok(performance.now() - at < 1_000);
    await until("the service to be left", () => waiting === 0);
  });

  it("answers other upgrades without one", async (t) => {
    const { gateway, service, token } = await scene(t);
    const refused = [
      ["no key", "GET", ["Upgrade: websocket", "Sec-WebSocket-Version: 13"]],
      ["a short key", "GET", ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: abc"]],
      ["another method", "POST", ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Content-Length: 0"]],
      ["another protocol", "GET", ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]],
    ] as const;
    for (const [what, method, fields] of refused) {
      const head = [`${method} /api/live/x HTTP/1.1`, "Host: a", "Connection: Upgrade", ...fields];
      const text = await sendRaw(gateway.url, `${[...head, `Authorization: Bearer ${token}`].join("\r\n")}\r\n\r\n`);
      assert.match(text, /^HTTP\/1\.1 426 /, what);
      assert.match(text, /\r\nConnection: close\r\n/, what);
    }
    const authorization = `Authorization: Bearer ${await gateway.tokenFor("jane")}`;
    const call = `GET /api/live/x HTTP/1.1\r\nHost: a\r\n${authorization}\r\n\r\n`;
    const behind = await sendRaw(gateway.url, call + handshake("/api/live/x", [authorization]));
    assert.equal(behind.split("HTTP/1.1 426 ").length, 3, "behind an answer that is outstanding it is a plain request");
    const page = await sendRaw(gateway.url, handshake("/health"));
    assert.match(page, /^HTTP\/1\.1 200 OK\r\n/);
    assert.equal(service.seen.length, 0);
  });

  it("runs nothing that is pipelined behind a handshake, and hands bytes on only behind the 101", async (t) => {
    let accept: ((socket: Socket) => void) | undefined;
    const { url, received } = await rawService(t, (socket) => accept?.(socket));
    const { gateway, authorization } = await withService(t, url);
    const smuggled = `GET /api/live/smuggled HTTP/1.1\r\nHost: a\r\n${authorization}\r\n\r\n`;
    const refused = await sendRaw(gateway.url, handshake("/api/live/x") + smuggled);
    assert.match(refused, /^HTTP\/1\.1 401 /);
    assert.equal(refused.split("HTTP/1.1 ").length, 2, "one answer");
    assert.equal(received(), "");

    const held = new Promise<Socket>((settle) => {
      accept = settle;
    });
    const { socket, received: answered } = dial(t, gateway.url);
    socket.write(handshake("/api/live/x", [authorization]) + smuggled);
    const peer = await within("the handshake", held);
    // More than is read ahead.
    const more = "more".repeat(100_000);
    socket.write(more);
    // A whole other call goes by meanwhile: nothing is left that could still bring the bytes.
    await send(`${gateway.url}/health`);
    assert.equal(received().includes("smuggled"), false);
    assert.equal(received().split("\r\n\r\n")[1], "");
    peer.write(`${switched()}first words`);
    await until("both sides' first bytes", () => {
      return answered().endsWith("\r\n\r\nfirst words") && received().endsWith(smuggled + more);
    });
    assert.equal(answered().split("HTTP/1.1 ").length, 2);
    assert.match(received(), /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);

    const again = new Promise<Socket>((settle) => {
      accept = settle;
    });
    const other = dial(t, gateway.url);
    other.socket.write(handshake("/api/live/y", [authorization]) + smuggled);
    (await within("the handshake", again)).write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    await until("the refusal", () => other.received().endsWith("no"));
    assert.equal(received().split("smuggled").length, 2, "that was the first one's");
  });

  it("keeps a half-closed side open in the other direction", async (t) => {
    const peers: Socket[] = [];
    const { url, received } = await rawService(t, (socket) => {
      peers.push(socket);
      socket.write(switched());
    });
    const { gateway, authorization } = await withService(t, url);
    const { socket, received: answered } = dial(t, gateway.url);
    socket.write(handshake("/api/live/a", [authorization]));
    await until("the switch", () => answered().includes("101"));
    const [peer] = peers;
    const ended = new Promise((settle) => peer?.once("end", settle));
    socket.end("last");
    await within("the end at the service", ended);
    assert.ok(received().endsWith("last"));
    peer?.end("still here");
    await until("the answer", () => answered().endsWith("still here"));

    const other = dial(t, gateway.url);
    other.socket.write(handshake("/api/live/b", [authorization]));
    await until("the switch", () => other.received().includes("101"));
    const closing = new Promise((settle) => other.socket.once("end", settle));
    peers[1]?.end("bye");
    await within("the end at the client", closing);
    assert.ok(other.received().endsWith("bye"));
    other.socket.end("and this");
    await until("the rest", () => received().endsWith("and this"));
    await until("no open call", async () => {
      const events = await allUsage(gateway.store);
      return events.length === 2 && events.every(({ status }) => status === 101);
    });
  });

  it("takes the token out of the subprotocols", async (t) => {
    const protocols: Set<string>[] = [];
    const service = await startSocketService(t, {
      handleProtocols: (offered) => {
        protocols.push(offered);
        return offered.has("chat") ? "chat" : false;
      },
    });
    const { token, url, headers } = await scene(t, service);
    const both = await openSocket(url, { protocols: ["chat", `bearer.${token}`, "more"] });
    assert.deepEqual([...(protocols[0] ?? [])], ["chat", "more"]);
    assert.equal(both.socket.protocol, "chat");
    const alone = await openSocket(url, { protocols: [`bearer.${token}`] });
    assert.equal(protocols.length, 1, "nothing was offered");
    assert.equal(service.seen[1]?.headers["sec-websocket-protocol"], undefined);
    assert.equal(alone.socket.protocol, `bearer.${token}`, "what a browser must see");
    for (const { rawHeaders } of service.seen) assert.equal(rawHeaders.join("\n").includes(token), false);
    const first = await openSocket(url, { headers, protocols: ["bearer.nonsense"] });
    assert.equal(first.socket.protocol, "bearer.nonsense");
    const refusal = await refusedSocket(url, { "Sec-WebSocket-Protocol": "bearer.nonsense, chat" });
    assert.equal(refusal.status, 401);
  });

  it("cuts those whose right ends, within a second at both ends, with 1008", async (t) => {
    const here = await scene(t);
    const { gateway, service, token } = here;
    const { rev } = await addService(gateway.deps, { name: "gone", url: service.url });
    await gateway.applied(rev);
    const url = `${gateway.url}/api`;
    const open = async (name: string, fields: Record<string, string>, count = 1) =>
      Promise.all(Array.from({ length: count }, () => openSocket(`${url}/${name}`, { headers: fields })));
    const jane = bearer(await gateway.tokenFor("jane", UNLIMITED));
    const stays = await open("live", jane);
    const expectCut = async (what: string, sockets: Awaited<ReturnType<typeof open>>, act: () => Promise<unknown>) => {
      const before = service.closed.length;
      await act();
      const at = performance.now();
      const ends = await within(what, Promise.all(sockets.map(({ closed }) => closed)));
      for (const end of ends) {
        assert.equal(end.code, 1008, what);
        assert.ok(end.at - at < 1_000, `${what}: ${end.at - at} ms`);
      }
      await until("the service to know", () => service.closed.length === before + sockets.length, 1_000);
      assert.ok(
        service.closed.slice(before).every(({ code }) => code === 1008),
        what,
      );
    };
    await expectCut("the service removed", await open("gone", bearer(token)), () =>
      removeService(gateway.deps, "gone"),
    );
    const kim = bearer(await gateway.tokenFor("kim", UNLIMITED));
    await expectCut("the permission taken", await open("live", kim), () =>
      setClient(gateway.deps, "kim", { services: [] }),
    );
    await expectCut("50 revoked", await open("live", bearer(token), 50), () => revokeClient(gateway.deps, "john"));
    assert.equal(stays[0]?.socket.readyState, stays[0]?.socket.OPEN);
    stays[0]?.socket.send("still");
    assert.equal(await stays[0]?.next(), "still");
    await expectCut("the secret rotated", stays, () => rotateSecret(gateway.deps));
    const events = await usage(here, 53);
    assert.deepEqual([...new Set(events.map(({ outcome }) => outcome))], ["revoked"]);
  });

  it("is over when its token is", async (t) => {
    const clock = new JumpingClock();
    const service = await startSocketService(t);
    const gateway = await startTestGateway(t, { clock });
    const { rev } = await addService(gateway.deps, { name: "live", url: service.url, idleTimeoutMs: 86_400_000 });
    await gateway.applied(rev);
    const headers = bearer(await gateway.tokenFor("john", UNLIMITED));
    const { socket, closed } = await openSocket(`${gateway.url}/api/live`, { headers });
    clock.advance(3_590_000);
    await send(`${gateway.url}/health`);
    assert.equal(socket.readyState, socket.OPEN);
    clock.advance(11_000);
    const at = performance.now();
    const end = await within("the end", closed);
    assert.equal(end.code, 1008);
    assert.ok(end.at - at < 1_000);
    await until("the service to know", () => service.closed.length === 1);
    assert.equal(service.closed[0]?.code, 1008);
  });

  it("puts no Close frame into another frame", async (t) => {
    const peers: Socket[] = [];
    const { url, received } = await rawService(t, (socket) => {
      peers.push(socket);
      socket.write(Buffer.concat([Buffer.from(switched(), "latin1"), Buffer.of(0x82, 126, 1, 0, 7)]));
    });
    const { gateway, authorization } = await withService(t, url);
    const { socket, received: answered } = dial(t, gateway.url);
    socket.write(handshake("/api/live/a", [authorization]));
    await until("the half frame", () => answered().endsWith("\x82\x7e\x01\x00\x07"));
    socket.write(Buffer.of(0x81, 0x85, 0, 0, 0, 0, 0x68));
    await until("the other half", () => received().endsWith("\x81\x85\0\0\0\0h"));
    const over = Promise.all(
      [socket, peers[0] as Socket].map((side) => new Promise<void>((settle) => side.once("close", () => settle()))),
    );
    socket.once("end", () => socket.destroy());
    peers[0]?.once("end", () => peers[0]?.destroy());
    await revokeClient(gateway.deps, "john");
    await within("both ends", over, 1_500);
    await until("the record", async () => (await allUsage(gateway.store))[0]?.outcome === "revoked");
    assert.ok(answered().endsWith("\x82\x7e\x01\x00\x07"));
    assert.ok(received().endsWith("\x81\x85\0\0\0\0h"));
  });

  it("does not wait for a peer that does not close", async (t) => {
    const peers: Socket[] = [];
    const { url } = await rawService(t, (socket) => {
      peers.push(socket);
      socket.write(switched());
    });
    const { gateway, authorization } = await withService(t, url);
    const { socket, received } = dial(t, gateway.url);
    socket.write(handshake("/api/live/a", [authorization]));
    await until("the switch", () => received().includes("101"));
    await revokeClient(gateway.deps, "john");
    const at = performance.now();
    await until("the record", async () => (await allUsage(gateway.store)).length === 1, 2_000);
    assert.ok(performance.now() - at < 1_500);
    assert.ok(received().endsWith("\r\n\r\n\x88\x12\x03\xf0access has ended"));
  });

  it("ends a silent one by the service's idle timeout, and keeps one that is pinged", async (t) => {
    const here = await scene(t);
    const { gateway, headers, url, service } = here;
    const { rev } = await setService(gateway.deps, "live", { idleTimeoutMs: 600 });
    await gateway.applied(rev);
    const silent = await openSocket(url, { headers });
    const pinged = await openSocket(url, { headers });
    const timer = setInterval(() => pinged.socket.ping(), 100);
    t.after(() => clearInterval(timer));
    assert.equal((await within("the silent one", silent.closed)).code, 1001);
    await until("the service to know", () => service.closed.length === 1);
    assert.equal(service.closed[0]?.code, 1001);
    assert.equal(pinged.socket.readyState, pinged.socket.OPEN);
    const [event] = await usage(here, 1);
    assert.equal(event?.outcome, "ok", "nobody has failed");
  });

  it("ends with 1001 when the gateway does, long before its time to drain", async (t) => {
    const here = await scene(t);
    const { gateway, headers, url, service } = here;
    const sockets = await Promise.all([openSocket(url, { headers }), openSocket(url, { headers })]);
    const at = performance.now();
    const ended = gateway.gateway.close();
    for (const { closed } of sockets) {
      const end = await within("the end", closed);
      assert.equal(end.code, 1001);
      assert.ok(end.at - at < 1_000, `${end.at - at} ms`);
    }
    await until("the service to know", () => service.closed.length === 2, 1_000);
    assert.deepEqual(
      service.closed.map(({ code }) => code),
      [1001, 1001],
    );
    await ended;
    const events = await usage(here, 2);
    assert.ok(events.every(({ outcome }) => outcome === "ok"));
  });

  it("says who left without a word", async (t) => {
    const here = await scene(t);
    const { headers, url, service } = here;
    const one = await openSocket(url, { headers });
    one.socket.terminate();
    await until("the service to know", () => service.closed.length === 1);
    const other = await openSocket(url, { headers });
    service.sockets[1]?.terminate();
    assert.equal((await within("the end", other.closed)).code, 1006);
    const events = await usage(here, 2);
    assert.deepEqual(
      events.map(({ outcome }) => outcome),
      ["aborted", "incomplete"],
    );
  });
});

/** What all sockets of this process hold: those of client, gateway and service. */
const heldBytes = (): number => {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles: () => unknown[] };
  return handles()
    .filter((handle) => handle instanceof Socket)
    .reduce((sum, { readableLength, writableLength }) => sum + readableLength + writableLength, 0);
};

describe("large messages", () => {
  it("carries text, binary, 16 MiB, ping and pong, and is one call in the records", async (t) => {
    const here = await scene(t);
    const { service, headers, url, gateway } = here;
    const { socket, answer, closed, next } = await openSocket(`${url}/room?x=1`, { headers, protocols: ["chat"] });
    const [seen] = service.seen;
    assert.equal(seen?.url, "/room?x=1");
    assert.equal(seen?.headers["x-client-id"], "john");
    assert.equal(seen?.headers["x-api-key"], "sesame");
    assert.equal(seen?.headers["x-request-id"], answer.headers["x-request-id"]);
    assert.equal(seen?.headers["x-forwarded-prefix"], "/api/live");
    assert.equal(seen?.headers.authorization, undefined);
    assert.equal(answer.headers["x-client-id"], "john");
    assert.ok(Number(answer.headers["x-ratelimit-remaining"]) > 0);
    assert.equal(socket.protocol, "chat");
    assert.match(socket.extensions, /permessage-deflate/, "compression is agreed on by the two ends");
    const [instance] = await until("the open call", async () => {
      const found = (await gateway.store.traffic.instances(60_000)).filter(({ targets = [] }) =>
        targets.some(({ openCalls }) => openCalls === 1),
      );
      return found.length > 0 && found;
    });
    assert.ok(instance);

    socket.send("grüße");
    assert.equal(await next(), "grüße");
    const large = randomBytes(16 * MIB);
    socket.send(large);
    assert.ok(large.equals((await next()) as Buffer));
    socket.send("a".repeat(16 * MIB));
    assert.equal(((await next()) as string).length, 16 * MIB);
    const pong = new Promise<string>((settle) => socket.once("pong", (data) => settle(data.toString())));
    socket.ping("are you there");
    assert.equal(await within("the pong", pong), "are you there");
    socket.close(4001, "enough");
    const end = await within("the end", closed);
    assert.deepEqual([end.code, end.reason], [4001, "enough"]);
    await until("the service to know", () => service.closed.length === 1);
    assert.deepEqual(service.closed, [{ code: 4001, reason: "enough" }]);
    const [event] = await usage(here, 1);
    assert.equal(event?.outcome, "ok");
    assert.equal(event?.client, "john");
    assert.equal(event?.path, "/api/live/room");
    assert.ok((event?.bytesIn ?? 0) > 16 * MIB && (event?.bytesOut ?? 0) > 16 * MIB, JSON.stringify(event));
    assert.ok((event?.latencyMs ?? 0) > (event?.upstreamMs ?? 0));
    assert.equal((await allUsage(gateway.store)).length, 1);
  });
});

describe("a side that does not read", () => {
  /** Sends until all was taken. */
  const pour = (socket: WebSocket, total: number): { sent: () => number } => {
    const chunk = Buffer.alloc(64 * 1024);
    let sent = 0;
    const pump = (): void => {
      if (sent >= total) return;
      sent += chunk.length;
      socket.send(chunk, pump);
    };
    pump();
    return { sent: () => sent };
  };
  const TOTAL = 48 * MIB;

  for (const slow of ["client", "service"] as const) {
    it(`has no more than 1 MiB held for it, and gets all when it reads: the ${slow}`, async (t) => {
      const service = await startSocketService(t, {}, () => undefined);
      const { headers, url } = await scene(t, service);
      const { socket, closed } = await openSocket(url, { headers });
      const peer = await until("the service's end", () => service.sockets[0]);
      const [reader, writer] = slow === "client" ? [socket, peer] : [peer, socket];
      let got = 0;
      reader.on("message", (data: Buffer) => {
        got += data.length;
      });
      reader.pause();
      const { sent } = pour(writer, TOTAL);
      let last = -1;
      let stillFor = 0;
      await until("the sender to stand still", () => {
        stillFor = sent() === last ? stillFor + 1 : 0;
        last = sent();
        return stillFor === 50;
      });
      assert.ok(sent() < TOTAL, "it was held back");
      const held = heldBytes();
      assert.ok(held < MIB, `${held} B`);
      reader.resume();
      await until("all of it", () => got === TOTAL, 20_000);
      socket.close();
      await within("the end", closed);
    });
  }
});
