import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { addService, setService } from "@aigw/core";
import { WebSocketServer } from "ws";
import { aigwJson, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { selfSigned } from "../support/certificate.ts";
import { startTestGateway } from "../support/gateway.ts";
import { bearer } from "../support/http.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";
import { echo, openSocket, refusedSocket, startSocketService } from "../support/websocket.ts";

const MIB = 1024 * 1024;

/** @param where a port of the loopback, or a path */
const serveOn = async (t: TestContext, server: Server, where: 0 | string): Promise<void> => {
  const sockets = new WebSocketServer({ server, maxPayload: 64 * MIB });
  sockets.on("connection", (socket) => {
    socket.on("error", () => undefined);
    echo(socket);
  });
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  await new Promise<void>((ready) => {
    if (where === 0) server.listen(0, "127.0.0.1", ready);
    else server.listen(where, ready);
  });
};

interface ServiceList {
  readonly services: readonly { readonly targets: readonly { readonly openCalls: number }[] }[];
}

const secureTokenFor = async (url: string, ca: string, password: string): Promise<string> => {
  const answer = await new Promise<string>((settle, reject) => {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const login = request(`${url}/auth/token`, { method: "POST", headers, ca, servername: "localhost" }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => settle(text));
    });
    login.on("error", reject);
    login.end(new URLSearchParams({ username: "john", password }).toString());
  });
  return (JSON.parse(answer) as { access_token: string }).access_token;
};

/** Many small and one large message there and back, and an orderly end. */
const talk = async (url: string, options: Parameters<typeof openSocket>[1]): Promise<void> => {
  const { socket, closed, next } = await openSocket(url, options);
  for (let i = 0; i < 100; i += 1) socket.send(String(i));
  for (let i = 0; i < 100; i += 1) assert.equal(await next(), String(i));
  const large = randomBytes(4 * MIB);
  socket.send(large);
  assert.ok(large.equals((await next()) as Buffer));
  socket.close(1000);
  assert.equal((await within("the end", closed)).code, 1000);
};

describe("the ways of a WebSocket", { concurrency: true }, () => {
  it("to a service in TLS with an authority of its own, and to one at a Unix socket", async (t) => {
    const pair = selfSigned("service");
    const secure = createTlsServer(pair);
    await serveOn(t, secure, 0);
    const plain = createServer();
    const path = join(dirname(temporaryHome(t)), "s.sock");
    await serveOn(t, plain, path);
    const gateway = await startTestGateway(t);
    const port = (secure.address() as AddressInfo).port;
    await addService(gateway.deps, { name: "safe", url: `https://localhost:${port}`, ca: pair.cert });
    const { rev } = await addService(gateway.deps, { name: "near", url: `unix:${path}` });
    await gateway.applied(rev);
    const headers = bearer(await gateway.tokenFor("john", UNLIMITED));
    for (const name of ["safe", "near"]) await talk(`${gateway.url}/api/${name}`, { headers });
    await until("the records", async () => (await allUsage(gateway.store)).length === 2);
    assert.ok((await allUsage(gateway.store)).every(({ outcome, status }) => outcome === "ok" && status === 101));
  });

  it("past a target that refuses to one that works, and to the fallback", async (t) => {
    const service = await startSocketService(t);
    const gateway = await startTestGateway(t);
    const dead = "http://127.0.0.1:9";
    await addService(gateway.deps, { name: "spare", url: service.url });
    await addService(gateway.deps, { name: "two", url: dead, addTargets: [service.url] });
    const { rev } = await addService(gateway.deps, { name: "down", url: dead, fallback: "spare" });
    await gateway.applied(rev);
    const headers = bearer(await gateway.tokenFor("john", UNLIMITED));
    for (let i = 0; i < 4; i += 1) await talk(`${gateway.url}/api/two`, { headers });
    await talk(`${gateway.url}/api/down`, { headers });
    await until("the records", async () => (await allUsage(gateway.store)).length === 5);
    const events = await allUsage(gateway.store);
    assert.equal(events.find(({ service: name }) => name === "down")?.fallback, "spare");

    const { socket, next } = await openSocket(`${gateway.url}/api/two`, { headers });
    const { rev: later } = await setService(gateway.deps, "two", { drain: [service.url], disabled: "" });
    await gateway.applied(later);
    socket.send("still here");
    assert.equal(await next(), "still here", "maintenance lets it go on");
    assert.equal((await refusedSocket(`${gateway.url}/api/two`, headers)).status, 503);
  });

  it("over HTTPS to several workers, which end with 1001 at once, and not after their time to drain", async (t) => {
    const service = await startSocketService(t);
    const { home, passwords } = await prepareHome(t, { services: { live: service.url }, clients: { john: UNLIMITED } });
    const pair = selfSigned("gateway");
    const cert = join(dirname(home), "cert.pem");
    const key = join(dirname(home), "key.pem");
    writeFileSync(cert, pair.cert);
    writeFileSync(key, pair.key, { mode: 0o600 });
    const flags = ["--workers", "2", "--tls-cert", cert, "--tls-key", key];
    const { url, child, done } = await startGatewayProcess(t, home, flags);
    const token = await secureTokenFor(url, pair.cert, passwords["john"] ?? "");
    const options = { headers: bearer(token), ca: pair.cert, servername: "localhost" };
    await talk(`${url}/api/live`, options);
    const sockets = await Promise.all(Array.from({ length: 8 }, () => openSocket(`${url}/api/live`, options)));
    const openCalls = async (): Promise<number> => {
      const { services } = await aigwJson<ServiceList>(home, ["service", "list"]);
      return services.flatMap(({ targets }) => targets).reduce((sum, target) => sum + target.openCalls, 0);
    };
    await until("the list to know", async () => (await openCalls()) === 8);
    const at = performance.now();
    child.kill("SIGTERM");
    for (const { closed } of sockets) {
      const end = await within("the end", closed);
      assert.equal(end.code, 1001);
      assert.ok(end.at - at < 2_000, `${end.at - at} ms`);
    }
    assert.equal((await within("the gateway's end", done)).code, 0);
    assert.ok(performance.now() - at < 10_000, "the time to drain is 30 s");
    await until("the service to know", () => service.closed.length === 9);
    assert.ok(service.closed.slice(1).every(({ code }) => code === 1001));
    const events = await withHome(home, ({ store }) => allUsage(store));
    assert.equal(events.filter(({ outcome, status }) => status === 101 && outcome === "ok").length, 9);
  });
});
