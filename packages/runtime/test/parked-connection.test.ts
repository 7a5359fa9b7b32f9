import assert from "node:assert/strict";
import type { Server } from "node:http";
import { describe, type TestContext, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { ParkedConnection } from "../src/proxy/parked-connection.ts";
import {
  dial,
  type GatewayOptions,
  gateway,
  type Peer,
  type ScriptedUpstream,
  scriptedUpstream,
  type TestGateway,
} from "./proxy-fixtures.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlater";
const event = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const END = "0\r\n\r\n";
const ask = (path: string, fields = ""): string => `GET ${path} HTTP/1.1\r\nHost: gw.example\r\n${fields}\r\n`;

/** A client with an open event stream, whose connection is parked. */
const held = async (t: TestContext, request = ask("/stream"), options: GatewayOptions = {}) => {
  const upstream = await scriptedUpstream(t);
  const gw = await gateway(t, upstream.origin, options);
  const client = await dial(t, gw.port, request);
  const service = await upstream.connections.next("the request");
  await service.has("\r\n\r\n");
  service.send(HEAD + event("one"));
  await client.has("one");
  const socket = gw.handled[0]?.socket;
  assert.ok(socket);
  await until("the connection to be parked", () => ParkedConnection.has(socket));
  return { upstream, gw, client, service, socket };
};

/** Answers what a later request brings to the service, on whichever connection. */
const serveLater = async (service: Peer, others: { next(what: string): Promise<Peer> }): Promise<void> => {
  const before = service.received.length;
  const next = await Promise.race([
    others.next("a further connection"),
    service.until(() => service.received.slice(before).includes("\r\n\r\n"), "a further request").then(() => service),
  ]);
  if (next !== service) await next.has("\r\n\r\n");
  next.send(OK);
};

/** When a later stream is parked, those before it have had their turn. */
const parkAnother = async (t: TestContext, { connections }: ScriptedUpstream, gw: TestGateway): Promise<void> => {
  const client = await dial(t, gw.port, ask("/other"));
  const service = await connections.next("the other stream's request");
  await service.has("\r\n\r\n");
  service.send(HEAD + event("one"));
  await client.has("one");
  const socket = gw.handled.at(-1)?.socket;
  assert.ok(socket);
  await until("the other stream to be parked", () => ParkedConnection.has(socket));
};

describe("a connection whose answer goes on is parked", () => {
  test("the stream goes on to its trailers, and the connection serves the next calls, streams and others", async (t) => {
    const { upstream, gw, client, service, socket } = await held(t);
    service.send(`${event("two")}0\r\nX-Sum: 2\r\n\r\n`);
    await client.has("3\r\ntwo\r\n0\r\nX-Sum: 2\r\n\r\n");
    assert.equal((await gw.results.next("the result")).outcome, "ok");
    for (let call = 0; call < 12; call += 1) {
      client.received = "";
      client.send(ask("/later"));
      await serveLater(service, upstream.connections);
      await client.has("\r\n\r\nlater");
      await gw.results.next("its result");
    }
    assert.equal(ParkedConnection.has(socket), false, "a short answer leaves it as it is");
    assert.equal(gw.handled.at(-1)?.socket, socket, "all on one connection");
    assert.ok(socket.listenerCount("close") < 10, "and nothing gathers on it");
  });

  test("again and again", async (t) => {
    const { upstream, client, service, socket } = await held(t);
    service.send(END);
    let last = service;
    for (let call = 0; call < 3; call += 1) {
      await client.has(`\r\n${END}`);
      client.received = "";
      client.send(ask("/stream"));
      const seen = last.received.length;
      const reused = last;
      last = await Promise.race([
        upstream.connections.next("the next request"),
        reused.until(() => reused.received.length > seen, "the next request").then(() => reused),
      ]);
      last.send(HEAD + event("one"));
      await client.has("one");
      await until("the connection to be parked", () => ParkedConnection.has(socket));
      last.send(event("two") + END);
    }
    await client.has("two");
  });

  test("what the client sends on meanwhile is served behind the answer, however it is cut", async (t) => {
    const { upstream, gw, client, service } = await held(t);
    const next = "\r\n".repeat(5) + ask("/a") + ask("/b");
    client.send(next.slice(0, 17));
    service.send(event("two"));
    await client.has("two");
    client.send(next.slice(7));
    service.send(event("three"));
    await client.has("three");
    assert.equal(gw.handled.length, 1, "not before");
    service.send(END);
    for (const name of ["/a", "/b"]) {
      await until(`${name} to be handled`, () => gw.handled.at(-1)?.url === name);
      await serveLater(service, upstream.connections);
    }
    await client.until(() => client.received.split("\r\n\r\nlater").length === 3, "both answers");
    assert.ok(client.received.indexOf(`\r\n${END}HTTP/1.1 200 OK`) > 0, "in their order");
  });

  test("a line end behind the request is no request, and the client is read on", async (t) => {
    const { gw, client, service } = await held(t);
    client.send("\r\n");
    service.send(event("two"));
    await client.has("two");
    client.socket.destroy();
    await service.close();
    assert.equal((await gw.results.next("the result")).outcome, "aborted");
  });

  for (const [how, leave] of [
    ["resets", (client: Peer) => client.socket.resetAndDestroy()],
    ["closes", (client: Peer) => client.socket.destroy()],
    ["closes its half", (client: Peer) => client.socket.end()],
  ] as const) {
    test(`that the client ${how} ends the call at the service, too`, async (t) => {
      const { gw, client, service } = await held(t);
      leave(client);
      await service.close(1_000);
      assert.equal((await gw.results.next("the result")).outcome, "aborted");
    });
  }

  test("where the client asked for it, the answer's end is the connection's; what came behind is not served", async (t) => {
    const { gw, client, service } = await held(t, ask("/stream", "Connection: close\r\n"));
    client.send(ask("/more"));
    service.send(END);
    await client.over();
    assert.ok(client.received.endsWith(`\r\n${END}`));
    assert.equal(gw.handled.length, 1);
  });

  test("one that rests behind its stream is closed after the server's idle time", async (t) => {
    const { client, service } = await held(t, ask("/stream"), { server: { keepAliveTimeout: 100 } });
    service.send(END);
    await client.has(`\r\n${END}`);
    await client.over();
  });

  test("one that rests is closed when idle ones are, and one whose answer goes on is not", async (t) => {
    const { client, service, socket } = await held(t);
    const { server } = socket as unknown as { server: Server };
    server.closeIdleConnections();
    service.send(event("two") + END);
    await client.has(`two\r\n${END}`);
    await until("the connection to rest", () => {
      server.closeIdleConnections();
      return socket.destroyed;
    });
    await client.over();
  });

  test("one on which the next request has begun keeps its parser, and serves it", async (t) => {
    const { upstream, gw } = await held(t);
    const client = await dial(t, gw.port, `${ask("/stream")}GET /la`);
    const service = await upstream.connections.next("the request");
    await service.has("\r\n\r\n");
    service.send(HEAD + event("one"));
    await client.has("one");
    await parkAnother(t, upstream, gw);
    const socket = gw.handled[1]?.socket;
    assert.equal(socket && ParkedConnection.has(socket), false);
    client.send("ter HTTP/1.1\r\nHost: gw.example\r\n\r\n");
    service.send(END);
    await serveLater(service, upstream.connections);
    await client.has("later");
    assert.equal(gw.handled.at(-1)?.url, "/later");
  });

  test("an upload that is still running keeps its parser", async (t) => {
    const { upstream, gw } = await held(t);
    const client = await dial(t, gw.port, `POST /up HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 20000\r\n\r\nabc`);
    const service = await upstream.connections.next("the request");
    await service.has("abc");
    service.send(HEAD + event("one"));
    await client.has("one");
    await parkAnother(t, upstream, gw);
    const socket = gw.handled[1]?.socket;
    assert.equal(socket && ParkedConnection.has(socket), false);
    client.send("x".repeat(19_997));
    await service.until(() => service.received.endsWith("x".repeat(19_997)), "the rest of it");
    service.send(END);
    await client.has(END);
  });
});
