import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttps, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { addService, type ServicePatch, setService } from "@aigw/core";
import { aigw } from "../support/aigw.ts";
import { certificateAuthority, selfSigned, signedBy } from "../support/certificate.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { bearer, send, startEcho, startUpstream, tokenFor } from "../support/http.ts";
import { allUsage, UNLIMITED } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

interface Scene extends TestGateway {
  readonly call: (path: string, options?: Parameters<typeof send>[1]) => ReturnType<typeof send>;
  readonly set: (name: string, patch: ServicePatch) => Promise<void>;
}

const scene = async (t: TestContext, services: Record<string, string>): Promise<Scene> => {
  const gateway = await startTestGateway(t, { services, admin: true });
  const headers = bearer(await gateway.tokenFor("john", UNLIMITED));
  return {
    ...gateway,
    call: (path, options = {}) =>
      send(`${gateway.url}/api/${path}`, { ...options, headers: { ...headers, ...options.headers } }),
    set: async (name, patch) => gateway.applied((await setService(gateway.deps, name, patch)).rev),
  };
};

const codeOf = ({ body }: { readonly body: string }): string => (JSON.parse(body) as { code: string }).code;

const headersOf = ({ body }: { readonly body: string }): Record<string, string | undefined> =>
  (JSON.parse(body) as { headers: Record<string, string> }).headers;

const listening = async (t: TestContext, server: Server | ReturnType<typeof createHttps>, path?: string) => {
  await new Promise<void>((ready) =>
    path === undefined ? server.listen(0, "127.0.0.1", ready) : server.listen(path, ready),
  );
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return path ?? (server.address() as AddressInfo).port;
};

describe("a service out of use", () => {
  it("answers 503 with the admin's message, takes no permit, and lets calls under way end", async (t) => {
    let finish = (): void => undefined;
    const slow = await startUpstream(t, (_, response) => {
      response.write("begun");
      finish = () => response.end();
    });
    const { call, set } = await scene(t, { ocr: slow.url });
    const open = call("ocr/x");
    await until("the call to arrive", () => slow.seen.length === 1);
    await set("ocr", { disabled: "Back at 14:00." });
    const refused = await call("ocr/x");
    assert.equal(refused.status, 503);
    assert.equal(codeOf(refused), "service_disabled");
    assert.match(refused.body, /"detail":"The service is out of use. Back at 14:00\."/);
    assert.equal(refused.headers["retry-after"], "60");
    const left = ({ headers }: typeof refused): string => String(headers["x-ratelimit-remaining"]);
    assert.match(left(refused), /^\d+$/);
    assert.equal(left(await call("ocr/x")), left(refused), "no permit was taken");
    assert.equal(slow.seen.length, 1, "nothing was forwarded");
    finish();
    assert.equal((await open).body, "begun");
    await set("ocr", { disabled: null });
    const again = call("ocr/x");
    await until("it to be called", () => slow.seen.length === 2);
    finish();
    assert.equal((await again).status, 200);
  });
});

describe("health that is asked for", () => {
  it("takes a target out, at its root, with the service's own headers, and brings it back; nothing else does", async (t) => {
    let status = 200;
    const asked: string[] = [];
    const answer: RequestListener = (request, response) => {
      if (request.url !== "/health") return void response.end("one");
      asked.push(String(request.headers["x-api-key"]));
      response.writeHead(status).end();
    };
    const one = await startUpstream(t, answer);
    const other = await startUpstream(t, (_, response) => response.end("other"));
    const { call, deps, applied, log, home, gateway } = await scene(t, {});
    const { rev } = await addService(deps, {
      name: "ocr",
      url: `${one.url}/v1`,
      addTargets: [other.url],
      headers: [{ name: "X-Api-Key", value: "key" }],
      health: { path: "/health", everyMs: 100, status: "200" },
    });
    await applied(rev);
    await until("it to be asked", () => asked.length > 1);
    assert.deepEqual([...new Set(asked)], ["key"]);
    const bodies = async (): Promise<string> =>
      [...new Set((await Promise.all([call("ocr"), call("ocr")])).map(({ body }) => body))].sort().join();
    assert.equal(await bodies(), "one,other");
    status = 204;
    await until("it to be out", () => log.some((line) => line.includes('"target down"') && line.includes("unhealthy")));
    assert.equal(await bodies(), "other");
    const shown = await until("the report", async () => {
      const { stdout } = await aigw(home, ["status", "--json"]);
      const { targetsDown } = JSON.parse(stdout) as { targetsDown: { url: string; reason: string }[] };
      return targetsDown.length > 0 && targetsDown;
    });
    assert.deepEqual(
      shown.map(({ url, reason }) => [url, reason]),
      [[`${one.url}/v1`, "unhealthy"]],
    );
    const top = await aigw(home, ["top", "--once"]);
    assert.match(top.stdout, /ocr \S+\/v1 is down since \S+: its health check got another status/);
    const doctor = await aigw(home, ["doctor"]);
    assert.match(doctor.stdout, /\/v1 is down since .*, as 1 gateway sees it/s);
    const metrics = (await send(`${gateway.adminUrl}/metrics`)).body;
    assert.match(metrics, /aigw_target_up\{service="ocr",target="1"\} 0\n/);
    assert.match(metrics, /aigw_target_up\{service="ocr",target="2"\} 1\n/);
    assert.doesNotMatch(metrics, /127\.0\.0\.1/);
    status = 200;
    await until("it to be back", () => log.some((line) => line.includes('"target up"')));
    assert.equal(await bodies(), "one,other");
  });

  it("a single target that is down is not called at all: 503 at once", async (t) => {
    const one = await startUpstream(t, (request, response) =>
      response.writeHead(request.url === "/health" ? 500 : 200).end(),
    );
    const { call, set, log } = await scene(t, { ocr: one.url });
    await set("ocr", { health: { path: "/health", everyMs: 100 } });
    await until("it to be out", () => log.some((line) => line.includes('"target down"')));
    const seen = one.seen.filter(({ url }) => url === "/x").length;
    assert.equal(codeOf(await call("ocr/x")), "service_down");
    assert.equal(one.seen.filter(({ url }) => url === "/x").length, seen);
    await set("ocr", { health: null });
    assert.equal((await call("ocr/x")).status, 200, "nobody asks for its health any more");
  });
});

describe("a fallback", () => {
  it("takes the calls of who may only call the first, and the usage event names both", async (t) => {
    const cloud = await startEcho(t);
    const { deps, add, url, applied, store } = await startTestGateway(t, { services: { cloud: cloud.url } });
    const { rev } = await addService(deps, { name: "ocr", url: "http://127.0.0.1:1", fallback: "cloud" });
    await applied(rev);
    const { name, password } = await add("mary", { services: ["ocr"] });
    const token = await tokenFor(url, name, password);
    const answer = await send(`${url}/api/ocr/x`, { method: "POST", body: "hello", headers: bearer(token) });
    assert.equal(answer.status, 200);
    assert.equal(headersOf(answer)["x-client-id"], "mary");
    assert.equal((await send(`${url}/api/cloud/x`, { headers: bearer(token) })).status, 403);
    const event = await until("the event", async () =>
      (await allUsage(store)).find(({ path }) => path === "/api/ocr/x"),
    );
    assert.deepEqual([event.service, event.fallback], ["ocr", "cloud"]);
  });

  it("gets no preflight, which anybody can send: its key would go with it", async (t) => {
    const cloud = await startEcho(t);
    const { deps, url, applied } = await startTestGateway(t, { services: { cloud: cloud.url } });
    const { rev } = await addService(deps, {
      name: "ocr",
      url: "http://127.0.0.1:1",
      fallback: "cloud",
      corsOrigins: "upstream",
    });
    await applied(rev);
    const headers = { Origin: "https://app.example.com", "Access-Control-Request-Method": "POST" };
    for (let n = 0; n < 5; n += 1) {
      const { status } = await send(`${url}/api/ocr/x`, { method: "OPTIONS", headers });
      assert.ok(status >= 500, String(status));
    }
    assert.equal(cloud.seen.length, 0);
  });

  it("must be another service that there is", async (t) => {
    const { deps } = await startTestGateway(t, { services: { ocr: "http://127.0.0.1:1" } });
    await assert.rejects(setService(deps, "ocr", { fallback: "ocr" }), /its own fallback/);
    await assert.rejects(setService(deps, "ocr", { fallback: "cloud" }), /There is no service 'cloud'/);
  });
});

describe("a target behind a socket", () => {
  it("is called with its base path; Host is localhost; nobody there is a refused connection", async (t) => {
    const { call, deps, applied, home, set } = await scene(t, {});
    const path = join(home, "ocr.sock");
    const { rev } = await addService(deps, { name: "ocr", url: `unix:${path}:/base` });
    await applied(rev);
    const missing = await call("ocr/x?y=1");
    assert.deepEqual([missing.status, codeOf(missing)], [502, "upstream_unreachable"]);
    const server = createServer((request, response) => {
      response.setHeader("Location", "http://localhost/base/there");
      response.writeHead(302).end(`${request.method} ${request.url} ${request.headers.host}`);
    });
    await listening(t, server, path);
    const answer = await call("ocr/x?y=1");
    assert.equal(answer.body, "GET /base/x?y=1 localhost");
    assert.equal(answer.headers.location, "/api/ocr/there");
    await set("ocr", { hostHeader: "ocr.internal" });
    assert.equal((await call("ocr/x")).body, "GET /base/x ocr.internal");
  });
});

describe("switches", () => {
  it("Host: the target's own, the client's, or a name; redirects to any of them stay below the gateway", async (t) => {
    const echo = await startUpstream(t, (request, response) => {
      response.setHeader("Location", `http://${request.headers.host}/there`);
      response.writeHead(302).end(String(request.headers.host));
    });
    const { call, set, url } = await scene(t, { ocr: echo.url });
    const seen = async (): Promise<string> => {
      const { body, headers } = await call("ocr/x");
      assert.equal(headers.location, "/api/ocr/there");
      return body;
    };
    assert.equal(await seen(), new URL(echo.url).host);
    await set("ocr", { hostHeader: "client" });
    assert.equal(await seen(), new URL(url).host);
    await set("ocr", { hostHeader: "ocr.internal:8443" });
    assert.equal(await seen(), "ocr.internal:8443");
  });

  it("Via is left out, and what the client's proxies said stays", async (t) => {
    const echo = await startEcho(t);
    const { call, set } = await scene(t, { ocr: echo.url });
    assert.equal(headersOf(await call("ocr/x"))["via"], "1.1 aigw");
    await set("ocr", { noVia: true });
    assert.equal(headersOf(await call("ocr/x"))["via"], undefined);
    assert.equal(headersOf(await call("ocr/x", { headers: { Via: "1.1 edge" } }))["via"], "1.1 edge");
  });

  it("an encoded slash passes where it is wanted, and leads nowhere else", async (t) => {
    const echo = await startEcho(t);
    const { call, set } = await scene(t, { chat: echo.url, ocr: echo.url });
    assert.equal((await call("chat/v1/models/org%2Fname")).status, 400);
    await set("chat", { encodedSlash: "pass" });
    const { body } = await call("chat/v1/models/org%2Fname?x=%2F");
    assert.equal((JSON.parse(body) as { url: string }).url, "/v1/models/org%2Fname?x=%2F");
    for (const path of ["..%2f..%2fadmin", "x%2F..", "%2e%2e%2fx", "a%5Cb", "x%2f..;a%2f", "a//b"]) {
      assert.equal((await call(`chat/${path}`)).status, 400, path);
    }
    assert.equal((await call("ocr/v1/models/org%2Fname")).status, 400, "another service");
    assert.equal((await call("chat%2Fx")).status, 400);
  });

  it("a larger head is taken, up to the bound", async (t) => {
    const fat = await startUpstream(t, (_, response) => response.setHeader("X-Fat", "x".repeat(20_000)).end("ok"));
    const { call, set } = await scene(t, { ocr: fat.url });
    assert.equal((await call("ocr/x")).status, 502);
    await set("ocr", { maxHeadBytes: 32 * 1024 });
    // Node's own reader takes 16 KiB: what counts is that the gateway passed it on.
    await assert.rejects(call("ocr/x"), /HPE_HEADER_OVERFLOW|Header overflow/);
  });
});

interface Secure {
  readonly url: string;
  readonly cert: string;
}

const secure = async (t: TestContext, options: ServerOptions & { readonly cert: string }): Promise<Secure> => {
  const server = createHttps(options, (_, response) => response.end("secure"));
  const port = await listening(t, server);
  return { url: `https://localhost:${port}`, cert: options.cert };
};

describe("TLS to a target", () => {
  it("trusts the authority that it is given, and no other; the store keeps it", async (t) => {
    const { url, cert } = await secure(t, selfSigned("service"));
    const { call, set, log } = await scene(t, { ocr: url });
    assert.equal((await call("ocr/x")).status, 502);
    await until("the reason", () => log.some((line) => line.includes("certificate_self_signed")));
    await set("ocr", { ca: cert });
    assert.equal((await call("ocr/x")).body, "secure");
    await set("ocr", { ca: selfSigned("other").cert });
    assert.equal((await call("ocr/x")).status, 502);
    await set("ocr", { ca: null });
    assert.equal((await call("ocr/x")).status, 502);
  });

  it("a private authority: its services are trusted, others' are not, and each fault has its name", async (t) => {
    const ours = certificateAuthority("our authority");
    const theirs = certificateAuthority("their authority");
    const [good, expired, wrong, foreign] = await Promise.all([
      secure(t, signedBy(ours, "good")),
      secure(t, signedBy(ours, "expired", { endsInDays: -1 })),
      secure(t, signedBy(ours, "wrong", { host: "ocr.internal" })),
      secure(t, signedBy(theirs, "foreign")),
    ]);
    const services = { good: good.url, expired: expired.url, wrong: wrong.url, foreign: foreign.url };
    const { call, set, log } = await scene(t, services);
    for (const name of Object.keys(services)) await set(name, { ca: ours.cert });
    const reasons: Record<string, string> = {};
    for (const name of Object.keys(services)) {
      const { status } = await call(`${name}/x`);
      const line = await until("the line of the log", () => {
        const lines = log.map((text) => JSON.parse(text) as Record<string, string>);
        return status === 200 ? { reason: "none" } : lines.find(({ service, reason }) => service === name && reason);
      });
      reasons[name] = String(line["reason"]);
    }
    assert.deepEqual(reasons, {
      good: "none",
      expired: "certificate_expired",
      wrong: "certificate_wrong_name",
      foreign: "certificate_unknown_authority",
    });
    // Two authorities in one file, as while one takes over from the other.
    await set("foreign", { ca: ours.cert + theirs.cert });
    assert.equal((await call("foreign/x")).status, 200);
  });

  it("a wrong name and an expired certificate are told apart; the name can be given", async (t) => {
    const wrong = await secure(t, selfSigned("service", { host: "ocr.internal" }));
    const old = await secure(t, selfSigned("service", { endsInDays: -1 }));
    const { call, set, log } = await scene(t, { ocr: wrong.url, tts: old.url });
    await set("ocr", { ca: wrong.cert });
    await set("tts", { ca: old.cert });
    assert.equal((await call("ocr/x")).status, 502);
    assert.equal((await call("tts/x")).status, 502);
    await until(
      "the reasons",
      () =>
        log.some((line) => line.includes("certificate_wrong_name")) &&
        log.some((line) => line.includes("certificate_expired")),
    );
    await set("ocr", { serverName: "ocr.internal" });
    assert.equal((await call("ocr/x")).body, "secure");
  });

  it("shows a certificate of its own, whose key is sealed in the store and nowhere in the log", async (t) => {
    const client = selfSigned("gateway");
    const pair = selfSigned("service");
    const { url } = await secure(t, { ...pair, ca: client.cert, requestCert: true, rejectUnauthorized: true });
    const { call, set, deps, store, log } = await scene(t, { ocr: url });
    await set("ocr", { ca: pair.cert });
    assert.equal((await call("ocr/x")).status, 502);
    await until("the reason", () => log.some((line) => line.includes("certificate_wanted")));
    await assert.rejects(
      setService(deps, "ocr", { clientCertificate: { cert: client.cert, key: pair.key } }),
      /not the one of the client's certificate/,
    );
    await set("ocr", { clientCertificate: client });
    assert.equal((await call("ocr/x")).body, "secure");
    const stored = JSON.stringify(await store.control.service("ocr"));
    assert.doesNotMatch(stored, /PRIVATE KEY/);
    assert.match(stored, /"sealedClientKey":"v1\./);
    await setService(deps, "ocr", { clientCertificate: null });
    const changes = JSON.stringify(await store.control.changesAfter(0, 100));
    assert.doesNotMatch(changes, /"sealedClientKey":"v1\./, "a key that was taken away is out of the log");
  });
});
