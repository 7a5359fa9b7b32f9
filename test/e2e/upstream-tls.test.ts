import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { startGatewayProcess } from "../support/aigw.ts";
import { selfSigned } from "../support/certificate.ts";
import { bearer, send, tokenFor } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";

/** A service in HTTPS with a certificate of its own, and how many handshakes it resumed. */
const startService = async (t: TestContext) => {
  const pair = selfSigned("service");
  let connections = 0;
  let resumed = 0;
  const server = createServer(pair, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      if (incoming.url === "/base/last") outgoing.setHeader("Connection", "close");
      const answer = Buffer.concat([Buffer.from(`${incoming.method} ${incoming.url} `), ...chunks]);
      // A connection whose answer is there before the gateway has heard that its request is gone is not used again.
      setTimeout(() => outgoing.end(answer), 50);
    });
  });
  server.on("secureConnection", (socket) => {
    connections += 1;
    if (socket.isSessionReused()) resumed += 1;
  });
  // Else the gateway leaves a connection alone that has rested for 3 s, which a busy machine may take for a call.
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `https://localhost:${(server.address() as AddressInfo).port}/base`;
  return { url, cert: pair.cert, connections: () => connections, resumed: () => resumed };
};

const setUp = async (t: TestContext, trusted: boolean) => {
  const service = await startService(t);
  const { home, passwords } = await prepareHome(t, { services: { safe: service.url }, clients: { john: {} } });
  const authority = join(home, "service.pem");
  writeFileSync(authority, service.cert, { mode: 0o600 });
  const { url } = await startGatewayProcess(t, home, [], trusted ? { NODE_EXTRA_CA_CERTS: authority } : {});
  const token = await tokenFor(url, "john", passwords["john"] ?? "");
  const call = (path: string, body?: string) =>
    send(`${url}/api/safe${path}`, { headers: bearer(token), ...(body !== undefined && { method: "POST", body }) });
  return { service, call };
};

describe("a service in HTTPS", () => {
  it("is called over connections that are kept, with small and large bodies; a new one resumes the session", async (t) => {
    const { service, call } = await setUp(t, true);
    assert.equal((await call("/a?b=c")).body, "GET /base/a?b=c ");
    assert.equal((await call("/x", "hello")).body, "POST /base/x hello");
    const large = "0123456789".repeat(100_000);
    assert.equal((await call("/x", large)).body, `POST /base/x ${large}`);
    assert.equal(service.connections(), 1);
    await call("/last");
    assert.equal((await call("/after")).body, "GET /base/after ");
    assert.deepEqual([service.connections(), service.resumed()], [2, 1]);
  });

  it("whose certificate nobody vouches for is not called", async (t) => {
    const { service, call } = await setUp(t, false);
    const { status, body } = await call("/a", "hello");
    assert.equal(status, 502);
    assert.equal((JSON.parse(body) as { code: string }).code, "upstream_unreachable");
    assert.match(body, /could not be reached: its certificate is not valid\./);
    assert.doesNotMatch(body, /self|authority|localhost/i, "details are for the log");
    assert.equal(service.resumed(), 0);
  });
});
