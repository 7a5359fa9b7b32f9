import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { addService, revokeClient, setService, setSetting, unsetSetting } from "@aigw/core";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { type Answer, bearer, login, send, sendRaw, startUpstream, type Upstream } from "../support/http.ts";
import { until } from "../support/until.ts";

const PAGE = "https://app.example.com";
const OTHER = "https://other.example.com";
const ORIGIN = { Origin: PAGE };
const ASKS = { "Access-Control-Request-Method": "POST" };
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const EXPOSED =
  "X-Request-ID, X-Client-ID, RateLimit-Policy, RateLimit, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, WWW-Authenticate";

/** Every field of CORS that an answer has, and Vary: name and value, as they came. */
const corsOf = ({ rawHeaders }: Pick<Answer, "rawHeaders">): Record<string, string> => {
  const found: Record<string, string> = {};
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? "";
    if (!name.startsWith("access-control-") && name !== "vary") continue;
    found[name] = found[name] === undefined ? (rawHeaders[i + 1] ?? "") : `${found[name]} | ${rawHeaders[i + 1]}`;
  }
  return found;
};

const ALLOWED = { "access-control-allow-origin": PAGE, vary: "Origin", "access-control-expose-headers": EXPOSED };
const NOT_ALLOWED = { vary: "Origin" };

/** A service without CORS, and one that answers preflights and names its own origin, credentials and fields. */
const services = async (t: TestContext): Promise<{ plain: Upstream; cors: Upstream }> => {
  const plain = await startUpstream(t, (request, response) => {
    request.resume().on("end", () => response.end(`plain ${request.method}`));
  });
  const cors = await startUpstream(t, (_request, response) => {
    response.writeHead(200, [
      ...["Access-Control-Allow-Origin", "https://upstreams.example", "access-control-allow-credentials", "true"],
      ...["Access-Control-Expose-Headers", "X-Sum", "Vary", "Accept", "Content-Length", "2"],
    ]);
    response.end("ok");
  });
  return { plain, cors };
};

const preflight = (url: string, headers: Record<string, string> = {}): Promise<Answer> =>
  send(url, { method: "OPTIONS", headers: { ...ORIGIN, ...ASKS, ...headers } });

const start = async (
  t: TestContext,
  options: { env?: Record<string, string>; admin?: boolean } = {},
): Promise<{ gateway: TestGateway; plain: Upstream; cors: Upstream; token: string }> => {
  const { plain, cors } = await services(t);
  const gateway = await startTestGateway(t, { ...options, services: { plain: plain.url, cors: cors.url } });
  const token = await gateway.tokenFor("john", { limit: 1_000 });
  return { gateway, plain, cors, token };
};

describe("CORS that nobody has switched on", () => {
  it("adds nothing to any answer, asks preflights for a token, and leaves what services say", async (t) => {
    const { gateway, plain, token } = await start(t);
    const { url } = gateway;
    for (const answer of [
      await send(`${url}/api/plain`, { headers: { ...ORIGIN, ...bearer(token) } }),
      await send(`${url}/api/plain`, { headers: ORIGIN }),
      await send(`${url}/auth/token`, { method: "POST", headers: ORIGIN }),
      await send(`${url}/health`, { headers: ORIGIN }),
      await send(`${url}/api/plain/%2f`, { headers: ORIGIN }),
    ]) {
      assert.deepEqual(corsOf(answer), {});
    }
    const seen = plain.seen.length;
    for (const [path, status] of [
      ["/api/plain", 401],
      ["/auth/token", 405],
    ] as const) {
      const refused = await preflight(url + path);
      assert.equal(refused.status, status);
      assert.deepEqual(corsOf(refused), {});
    }
    assert.equal(plain.seen.length, seen);
    const asked = await preflight(`${url}/api/plain`, bearer(token));
    assert.equal(`${asked.status} ${asked.body}`, "200 plain OPTIONS");
    assert.deepEqual(corsOf(await send(`${url}/api/cors`, { headers: { ...ORIGIN, ...bearer(token) } })), {
      "access-control-allow-origin": "https://upstreams.example",
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "X-Sum",
      vary: "Accept",
    });
  });
});

describe("cors-origins", () => {
  it("answers preflights before anybody asks for a token, and no service sees them", async (t) => {
    const { gateway, plain } = await start(t, { env: { AIGW_CORS_ORIGINS: `${PAGE},${OTHER}` } });
    for (const path of ["/auth/token", "/api/plain", "/api/plain/a?b=c", "/api/unknown"]) {
      const answer = await preflight(gateway.url + path, {
        "Access-Control-Request-Headers": "authorization,content-type, x-any",
      });
      assert.equal(`${answer.status} ${answer.body}`, "204 ");
      assert.deepEqual(corsOf(answer), {
        "access-control-allow-origin": PAGE,
        vary: "Origin",
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": "authorization,content-type, x-any",
        "access-control-max-age": "7200",
      });
      assert.match(String(answer.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
    }
    const without = await preflight(`${gateway.url}/api/plain`);
    assert.equal(without.headers["access-control-allow-headers"], undefined);
    for (const asked of ["a b", "x;y", "(x)", ",", "é", "x".repeat(2_049)]) {
      const { status, headers } = await preflight(`${gateway.url}/api/plain`, {
        "Access-Control-Request-Headers": Buffer.from(asked).toString("latin1"),
      });
      assert.deepEqual([status, headers["access-control-allow-headers"]], [204, undefined], asked.slice(0, 9));
    }
    // No preflights: no question in it, no origin, a body, another address.
    const { url } = gateway;
    const notAsked = { method: "OPTIONS", headers: ORIGIN };
    assert.equal((await send(`${url}/api/plain`, notAsked)).status, 401);
    assert.equal((await send(`${url}/api/plain`, { method: "OPTIONS", headers: ASKS })).status, 401);
    const withBody = { method: "OPTIONS", headers: { ...ORIGIN, ...ASKS, "Content-Length": "1" }, body: "x" };
    assert.equal((await send(`${url}/api/plain`, withBody)).status, 401);
    assert.equal((await preflight(`${url}/auth/token/x`)).status, 404);
    assert.equal((await preflight(`${url}/health`)).status, 405);
    // The page reads what is wrong with its path in the answer to its call.
    assert.equal((await preflight(`${url}/api/plain/%2f`)).status, 204);
    assert.equal((await send(`${url}/api/plain/%2f`, notAsked)).status, 400);
    assert.equal(plain.seen.length, 0);
  });

  it("is said by every answer, of services and of the gateway's own, whatever went wrong", async (t) => {
    const silent = await startUpstream(t, () => undefined);
    const { gateway, token } = await start(t, { env: { AIGW_CORS_ORIGINS: PAGE } });
    const { url, deps } = gateway;
    await addService(deps, { name: "gone", url: "http://127.0.0.1:1" });
    await addService(deps, { name: "silent", url: silent.url, timeoutMs: 200 });
    await addService(deps, { name: "waiting", url: silent.url });
    const poor = await gateway.tokenFor("poor", { limit: 1, services: ["plain"] });
    const authorized = { ...ORIGIN, ...bearer(token) };
    const call = (path: string, headers: Record<string, string> = authorized): Promise<Answer> =>
      send(url + path, { headers });
    await until("the services", async () => (await call("/api/gone")).status === 502);
    const form = { ...ORIGIN, "Content-Type": "application/x-www-form-urlencoded" };
    const token1 = (body: string): Promise<Answer> =>
      send(`${url}/auth/token`, { method: "POST", headers: form, body });
    const { password } = await gateway.add("jane");

    const cases: readonly (readonly [number, () => Promise<Answer>])[] = [
      [200, () => call("/api/plain")],
      [401, () => call("/api/plain", ORIGIN)],
      [401, () => call("/api/plain", { ...ORIGIN, ...bearer("a.b.c") })],
      [200, () => call("/api/plain", { ...ORIGIN, ...bearer(poor) })],
      [429, () => call("/api/plain", { ...ORIGIN, ...bearer(poor) })],
      [403, () => call("/api/cors", { ...ORIGIN, ...bearer(poor) })],
      [404, () => call("/api/unknown")],
      [502, () => call("/api/gone")],
      [504, () => call("/api/silent")],
      [400, () => call("/api/plain/a%2fb")],
      [417, () => call("/api/plain", { ...authorized, Expect: "cake" })],
      [200, () => token1(`username=jane&password=${password}`)],
      [401, () => token1("username=jane&password=x")],
      [400, () => token1("username=jane")],
      [413, () => token1("x".repeat(9_000))],
      [405, () => call("/auth/token")],
      [200, () => call("/health")],
      [200, () => call("/openapi.json")],
      [404, () => call("/nothing")],
    ];
    for (const [status, get] of cases) {
      const answer = await get();
      assert.equal(answer.status, status, answer.body);
      assert.deepEqual(corsOf(answer), ALLOWED, String(status));
    }
    const waiting = call("/api/waiting");
    await until("the call", () => silent.seen.length === 2);
    await revokeClient(deps, "john");
    const cut = await waiting;
    assert.deepEqual([cut.status, corsOf(cut)], [401, ALLOWED]);
    for (const [status, request] of [
      [405, "TRACE /api/plain HTTP/1.1\r\nHost: a"],
      [501, "POST /api/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip"],
      [400, "GET /api/plain HTTP/1.1\r\nHost: a\r\nHost: b"],
      [204, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close"],
    ] as const) {
      const [head = ""] = (await sendRaw(url, `${request}\r\nOrigin: ${PAGE}\r\n\r\n`)).split("\r\n\r\n");
      assert.match(head, new RegExp(`^HTTP/1.1 ${status} `));
      assert.ok(head.includes(`\r\nAccess-Control-Allow-Origin: ${PAGE}\r\nVary: Origin\r\n`), head);
    }
  });

  it("gives other origins nothing, and their requests go on as before", async (t) => {
    const { gateway, plain, token } = await start(t, { env: { AIGW_CORS_ORIGINS: PAGE } });
    const { url } = gateway;
    for (const origin of [
      OTHER,
      "null",
      "https://app.example.com:8443",
      "http://app.example.com",
      "https://app.example.com.evil.example",
      "https://APP.example.com",
      "https://app.example.com/",
      `${PAGE}, ${PAGE}`,
      "",
    ]) {
      const headers = { Origin: origin };
      const served = await send(`${url}/api/plain`, { headers: { ...headers, ...bearer(token) } });
      assert.equal(`${served.status} ${served.body}`, "200 plain GET", origin);
      assert.deepEqual(corsOf(served), NOT_ALLOWED, origin);
      const refused = await send(`${url}/api/plain`, { method: "OPTIONS", headers: { ...headers, ...ASKS } });
      assert.equal(refused.status, 401, origin);
      assert.deepEqual(corsOf(refused), NOT_ALLOWED, origin);
      assert.deepEqual(corsOf(await send(`${url}/auth/token`, { method: "POST", headers })), NOT_ALLOWED, origin);
    }
    // Not from a browser; a cache between must still keep the two apart.
    assert.deepEqual(corsOf(await send(`${url}/api/plain`, { headers: bearer(token) })), NOT_ALLOWED);
    assert.ok(plain.seen.every(({ method }) => method === "GET"));
  });

  it("replaces what a service says of CORS, but for the fields it exposes", async (t) => {
    const { gateway, token } = await start(t, { env: { AIGW_CORS_ORIGINS: PAGE } });
    const call = (origin: string): Promise<Answer> =>
      send(`${gateway.url}/api/cors`, { headers: { Origin: origin, ...bearer(token) } });
    assert.deepEqual(corsOf(await call(PAGE)), {
      "access-control-allow-origin": PAGE,
      "access-control-expose-headers": `X-Sum | ${EXPOSED}`,
      vary: "Accept | Origin",
    });
    assert.deepEqual(corsOf(await call("https://upstreams.example")), { vary: "Accept | Origin" });
  });

  it("`*` allows every page, also one without an origin, and never credentials", async (t) => {
    const { gateway, token } = await start(t, { env: { AIGW_CORS_ORIGINS: "*" } });
    const any = { "access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED };
    for (const headers of [{ Origin: "null" }, ORIGIN, {}]) {
      assert.deepEqual(
        corsOf(await send(`${gateway.url}/api/plain`, { headers: { ...headers, ...bearer(token) } })),
        any,
      );
      assert.deepEqual(corsOf(await send(`${gateway.url}/api/plain`, { headers })), any);
    }
    assert.equal((await preflight(`${gateway.url}/api/plain`)).headers["access-control-allow-origin"], "*");
    assert.equal((await preflight(`${gateway.url}/api/plain`)).headers.vary, undefined);
    assert.deepEqual(corsOf(await send(`${gateway.url}/api/cors`, { headers: { ...ORIGIN, ...bearer(token) } })), {
      "access-control-allow-origin": "*",
      "access-control-expose-headers": `X-Sum | ${EXPOSED}`,
      vary: "Accept",
    });
  });

  it("counts from the moment that it is set, for a service from its own, and no longer when it is taken back", async (t) => {
    const { gateway, token } = await start(t);
    const { deps, url } = gateway;
    const says = async (path: string): Promise<string | undefined> =>
      (await send(url + path, { headers: { ...ORIGIN, ...bearer(token) } })).headers["access-control-allow-origin"];
    /** Everywhere that it concerns. */
    const inForce = async (what: string, expected: readonly (string | undefined)[]): Promise<void> => {
      const now = async (): Promise<unknown> =>
        JSON.stringify([await says("/api/plain"), await says("/api/cors"), await says("/auth/token")]);
      await until(what, async () => (await now()) === JSON.stringify(expected));
    };
    const upstreams = "https://upstreams.example";
    await inForce("nothing yet", [undefined, upstreams, undefined]);
    await setService(deps, "plain", { corsOrigins: PAGE });
    await inForce("one service, and the way to its token", [PAGE, upstreams, PAGE]);
    await setSetting(deps, "cors-origins", "*");
    await inForce("the setting for the rest", [PAGE, "*", "*"]);
    await setService(deps, "cors", { corsOrigins: "none" });
    await inForce("none", [PAGE, upstreams, "*"]);
    await setSetting(deps, "cors-origins", OTHER);
    await setService(deps, "cors", { corsOrigins: null });
    await setService(deps, "plain", { corsOrigins: null });
    await inForce("another page", [undefined, undefined, undefined]);
    await unsetSetting(deps, "cors-origins");
    await inForce("off", [undefined, upstreams, undefined]);
  });
});

describe("--cors-origins upstream", () => {
  it("hands preflights to that service, without a token, a client or the service's key", async (t) => {
    const { gateway, plain, cors, token } = await start(t, { admin: true, env: { AIGW_CORS_ORIGINS: OTHER } });
    const { url, deps, store } = gateway;
    await setService(deps, "cors", { corsOrigins: "upstream", headers: [{ name: "X-Api-Key", value: "ours" }] });
    const ask = (headers: Record<string, string> = {}): Promise<Answer> => preflight(`${url}/api/cors/a?b=c`, headers);
    await until("the change", async () => (await ask()).status === 200);
    const answer = await ask({
      "Access-Control-Request-Headers": "authorization",
      Authorization: "Bearer evil",
      Cookie: "evil=1",
      "X-Client-ID": "evil",
      "X-HTTP-Method-Override": "evil",
      Connection: "close, Origin",
      Accept: "*/*",
    });
    assert.equal(answer.body, "ok");
    assert.deepEqual(corsOf(answer), {
      "access-control-allow-origin": "https://upstreams.example",
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "X-Sum",
      vary: "Accept",
    });
    assert.equal(answer.headers["x-client-id"], undefined);
    assert.equal(answer.headers["ratelimit"], undefined);
    const { method, url: target, rawHeaders } = cors.seen.at(-1) ?? { method: "", url: "", rawHeaders: [] };
    assert.equal(`${method} ${target}`, "OPTIONS /a?b=c");
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    assert.deepEqual(names.sort(), [
      "accept",
      "access-control-request-headers",
      "access-control-request-method",
      "connection",
      "host",
      "origin",
      "via",
      "x-forwarded-for",
      "x-forwarded-host",
      "x-forwarded-prefix",
      "x-forwarded-proto",
      "x-request-id",
    ]);

    // Nothing else comes through without a token, and no other service is meant.
    const seen = cors.seen.length;
    for (const request of [
      { method: "OPTIONS", headers: ORIGIN },
      { method: "OPTIONS", headers: { ...ORIGIN, ...ASKS, "Content-Length": "1" }, body: "x" },
      { method: "POST", headers: { ...ORIGIN, ...ASKS } },
    ]) {
      assert.equal((await send(`${url}/api/cors`, request)).status, 401);
    }
    assert.equal((await preflight(`${url}/api/plain`)).status, 401);
    assert.deepEqual([cors.seen.length, plain.seen.length], [seen, 0]);

    // With one it is as the service says; what the gateway has to say itself is said as the setting has it.
    const call = (headers: Record<string, string>): Promise<Answer> => send(`${url}/api/cors`, { headers });
    assert.equal(
      corsOf(await call({ ...ORIGIN, ...bearer(token) }))["access-control-allow-origin"],
      "https://upstreams.example",
    );
    assert.deepEqual(corsOf(await call(ORIGIN)), NOT_ALLOWED);
    assert.equal(corsOf(await call({ Origin: OTHER }))["access-control-allow-origin"], OTHER);

    // Nobody's: counted, not stored.
    const metrics = (await send(`${gateway.gateway.adminUrl}/metrics`)).body;
    assert.match(metrics, /\naigw_preflights_total\{by="service"\} [2-9]/);
    assert.match(metrics, /\naigw_preflights_total\{by="gateway"\} 0\n/);
    await gateway.gateway.close();
    const { events } = await store.traffic.latestUsage({}, 100);
    assert.ok(events.length > 0 && events.every(({ method: stored }) => stored !== "OPTIONS"));
  });

  it("bounds how many, and says why when the service does not answer", async (t) => {
    const { gateway, cors } = await start(t);
    await setService(gateway.deps, "cors", { corsOrigins: "upstream" });
    await addService(gateway.deps, { name: "gone", url: "http://127.0.0.1:1", corsOrigins: "upstream" });
    await until("the change", async () => (await preflight(`${gateway.url}/api/gone`)).status === 502);
    const ask = `OPTIONS /api/cors HTTP/1.1\r\nHost: a\r\nOrigin: ${PAGE}\r\nAccess-Control-Request-Method: GET\r\n`;
    const answers = await sendRaw(gateway.url, `${`${ask}\r\n`.repeat(249)}${ask}Connection: close\r\n\r\n`, 15_000);
    const count = (what: RegExp): number => answers.match(what)?.length ?? 0;
    const refused = count(/HTTP\/1.1 429 [^{]*\r\nRetry-After: 1\r\n/g);
    assert.ok(refused > 0);
    assert.equal(count(/HTTP\/1.1 200 /g), 250 - refused);
    assert.equal(cors.seen.length, 250 - refused);
    assert.equal((await login(gateway.url, "john", "x")).status, 401, "others are not concerned");
  });
});
