import assert from "node:assert/strict";
import { test } from "node:test";
import { setService, setSetting, unsetSetting } from "@aigw/core";
import { chromium, type Page } from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "../support/chromium.ts";
import { startTestGateway } from "../support/gateway.ts";
import { send, startUpstream } from "../support/http.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { until } from "../support/until.ts";

const executablePath = findChromium();
const skip = executablePath === undefined && "chromium was not found (install it, or set AIGW_CHROMIUM)";
if (skip) reportNeed(NEEDS.browser, skip);

/** What the page has: each resolves to what the page could read, or to `failed` where the browser kept it from it. */
const SCRIPT = `
  const failed = () => "failed";
  const read = async (answer) => ({
    status: answer.status,
    text: await answer.text(),
    url: answer.url,
    fields: Object.fromEntries([...answer.headers].filter(([name]) => /ratelimit|x-|retry|www/.test(name))),
  });
  const token = (gateway, username, password) =>
    fetch(gateway + "/auth/token", { method: "POST", body: new URLSearchParams({ username, password }) })
      .then(async (answer) => (await answer.json()).access_token, failed);
  const call = (url, bearer, init = {}) =>
    fetch(url, { ...init, headers: { ...init.headers, Authorization: "Bearer " + bearer } }).then(read, failed);
  const stream = async (url, bearer) => {
    const answer = await fetch(url, { headers: { Authorization: "Bearer " + bearer } });
    const decoder = new TextDecoder();
    window.pieces = [];
    for await (const piece of answer.body) window.pieces.push(decoder.decode(piece));
    return window.pieces.join("");
  };
`;

interface Read {
  readonly status: number;
  readonly text: string;
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

test("a web page calls the gateway", { skip }, async (t) => {
  const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: [...CHROMIUM_FLAGS] });
  t.after(() => browser.close());
  let goOn: (() => void) | undefined;
  const upstream = await startUpstream(t, (request, response) => {
    if (request.url === "/stream") {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write("data: 1\n\n");
      goOn = () => response.end("data: 2\n\n");
    } else if (request.url === "/items") {
      response.writeHead(307, { Location: `http://${request.headers.host}/items/` }).end();
    } else request.resume().on("end", () => response.end(`${request.method} ${request.url}`));
  });
  const ownCors = await startUpstream(t, (request, response) => {
    response.setHeader("Access-Control-Allow-Origin", request.headers.origin ?? "none");
    response.setHeader("Access-Control-Allow-Headers", "authorization");
    response.end(`own ${request.method}`);
  });
  const site = await startUpstream(t, (request, response) => {
    response.setHeader("Content-Type", "text/html");
    // Without an origin, then: `Origin: null`.
    if (request.url === "/sandboxed") response.setHeader("Content-Security-Policy", "sandbox allow-scripts");
    response.end(`<!doctype html><title>A page</title><script>${SCRIPT}</script>`);
  });
  const gateway = await startTestGateway(t, { services: { svc: upstream.url, own: ownCors.url } });
  const { url, deps } = gateway;
  const john = await gateway.add("john", { limit: 1_000 });
  const poor = await gateway.add("poor", { limit: 1 });

  const open = async (address: string): Promise<Page> => {
    const page = await browser.newPage();
    page.setDefaultTimeout(10_000);
    await page.goto(address);
    return page;
  };
  const page = await open(site.url);
  /** The same page under another name of this machine: another origin. */
  const elsewhere = await open(site.url.replace("127.0.0.1", "localhost"));
  const nowhere = await open(`${site.url}/sandboxed`);
  const run = <T>(where: Page, expression: string): Promise<T> => where.evaluate(expression) as Promise<T>;
  const token = (where: Page, { name, password }: typeof john = john): Promise<string> =>
    run(where, `token(${JSON.stringify(url)}, ${JSON.stringify(name)}, ${JSON.stringify(password)})`);
  const call = (where: Page, path: string, bearer: string, init = "{}"): Promise<Read | "failed"> =>
    run(where, `call(${JSON.stringify(url + path)}, ${JSON.stringify(bearer)}, ${init})`);
  const inForce = (origin: string | undefined): Promise<unknown> =>
    until("the setting", async () => {
      const { headers } = await send(`${url}/health`, { headers: { Origin: site.url } });
      return headers["access-control-allow-origin"] === origin;
    });
  let bearer = "";

  await t.test("not while CORS is off", async () => {
    assert.equal(await token(page), "failed");
    assert.equal(await call(page, "/api/svc", "x"), "failed");
    assert.equal(upstream.seen.length, 0);
  });

  await setSetting(deps, "cors-origins", site.url);
  await inForce(site.url);

  await t.test("gets a token, calls with any method and field, and reads the gateway's fields", async () => {
    bearer = await token(page);
    assert.match(bearer, /^[\w-]+\.[\w-]+\.[\w-]+$/);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      const body = method === "GET" ? "" : `, body: JSON.stringify({ a: 1 })`;
      const init = `{ method: "${method}", headers: { "Content-Type": "application/json", "X-Any": "1" }${body} }`;
      const answer = await call(page, "/api/svc/v1?a=b", bearer, init);
      assert.ok(answer !== "failed", method);
      assert.equal(`${answer.status} ${answer.text}`, `200 ${method} /v1?a=b`);
      assert.deepEqual(Object.keys(answer.fields).sort(), [
        "ratelimit",
        "ratelimit-policy",
        "x-client-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-request-id",
      ]);
    }
    assert.ok(
      upstream.seen.every(({ method }) => method !== "OPTIONS"),
      "no preflight reached the service",
    );
  });

  await t.test("reads a stream while it is sent", async () => {
    const whole = run<string>(page, `stream(${JSON.stringify(`${url}/api/svc/stream`)}, ${JSON.stringify(bearer)})`);
    await until("the first event", async () => (await run<string>(page, "window.pieces?.join('')")) === "data: 1\n\n");
    goOn?.();
    assert.equal(await whole, "data: 1\n\ndata: 2\n\n");
  });

  await t.test("reads what went wrong", async () => {
    const problem = async (path: string, with_: string): Promise<[number, string, Read["fields"]]> => {
      const answer = await call(page, path, with_);
      assert.ok(answer !== "failed");
      return [answer.status, (JSON.parse(answer.text) as { code: string }).code, answer.fields];
    };
    const [status, code, fields] = await problem("/api/svc", "not-a-token");
    assert.deepEqual([status, code], [401, "invalid_token"]);
    assert.equal(fields["www-authenticate"], 'Bearer realm="aigw", error="invalid_token"');
    assert.deepEqual((await problem("/api/unknown", bearer)).slice(0, 2), [404, "unknown_service"]);
    assert.deepEqual((await problem("/api/svc/%2f", bearer)).slice(0, 2), [400, "invalid_path"]);
    const limited = await token(page, poor);
    await call(page, "/api/svc", limited);
    const [tooMany, why, { "retry-after": wait }] = await problem("/api/svc", limited);
    assert.deepEqual([tooMany, why], [429, "rate_limited"]);
    assert.ok(Number(wait) > 0 && Number(wait) <= 60, wait);
    const refused = await run<Read>(
      page,
      `fetch(${JSON.stringify(`${url}/auth/token`)}, { method: "POST", body: new URLSearchParams({ username: "a", password: "b" }) }).then(read)`,
    );
    assert.equal(refused.status, 401);
    assert.match(refused.text, /invalid_client/);
  });

  await t.test("follows a redirect of the service, token and all", async () => {
    const answer = await call(page, "/api/svc/items", bearer);
    assert.ok(answer !== "failed");
    assert.deepEqual([answer.status, answer.text, answer.url], [200, "GET /items/", `${url}/api/svc/items/`]);
  });

  await t.test("not from another origin, nor from none, unless all are allowed", async () => {
    const seen = upstream.seen.length;
    for (const other of [elsewhere, nowhere]) {
      assert.equal(await token(other), "failed");
      assert.equal(await call(other, "/api/svc", bearer), "failed");
    }
    assert.equal(upstream.seen.length, seen, "the browser asked first");
    await setSetting(deps, "cors-origins", "*");
    await inForce("*");
    for (const other of [elsewhere, nowhere]) {
      const answer = await call(other, "/api/svc", await token(other));
      assert.equal(answer !== "failed" && answer.status, 200);
    }
    await unsetSetting(deps, "cors-origins");
    await inForce(undefined);
    assert.equal(await token(page), "failed", "and not any more");
  });

  await t.test("where the service answers the browser itself", async () => {
    assert.equal(await call(page, "/api/own", bearer), "failed");
    assert.equal(ownCors.seen.length, 0);
    await setService(deps, "own", { corsOrigins: "upstream" });
    await until("the change", async () => (await call(page, "/api/own", bearer)) !== "failed");
    const answer = await call(page, "/api/own", bearer);
    assert.equal(answer !== "failed" && answer.text, "own GET");
    assert.deepEqual([...new Set(ownCors.seen.map(({ method }) => method))], ["OPTIONS", "GET"]);
    const keys = ownCors.seen[0]?.rawHeaders.join("\n") ?? "";
    assert.doesNotMatch(keys, /authorization: |x-client-id/i);
  });

  reportNeed(NEEDS.browser, undefined);
});
