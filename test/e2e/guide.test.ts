import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import {
  addService,
  createGuide,
  effectiveSettings,
  GUIDE_ERRORS,
  guideFacts,
  removeService,
  renderGuideMarkdown,
  setSetting,
} from "@aigw/core";
import { PROBLEM_CODES, PROBLEMS } from "../../packages/runtime/src/http-errors.ts";
import { TOKEN_ERROR_CODES, TOKEN_ERRORS } from "../../packages/runtime/src/login/credentials.ts";
import { aigw, aigwJson, temporaryHome } from "../support/aigw.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { type Answer, send, startEcho } from "../support/http.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { until } from "../support/until.ts";

const exec = promisify(execFile);
const guide = ({ url }: TestGateway): Promise<Answer> => send(`${url}/guide`);
const untilGuide = (gateway: TestGateway, text: string): Promise<unknown> =>
  until(`'${text}' in the guide`, async () => (await guide(gateway)).body.includes(text), 2_000);

describe("GET /guide", () => {
  it("comes with a strict policy, and again only when it has changed", async (t) => {
    const gateway = await startTestGateway(t);
    const { status, headers, body } = await guide(gateway);
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
    assert.match(body, /^<!doctype html>\n<html lang="en">/);
    const policy = String(headers["content-security-policy"]);
    assert.match(
      policy,
      /^default-src 'none'; style-src 'sha256-\S{44}'; script-src 'sha256-\S{44}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.equal(headers["cache-control"], "no-cache");
    assert.doesNotMatch(body, /(src|href)="(https?:)?\/\/(?!127\.0\.0\.1)/, "nothing from elsewhere");
    assert.doesNotMatch(body, / on[a-z]+=| style=/, "nothing that the policy forbids");

    const etag = String(headers.etag);
    const ask = (tag: string): Promise<Answer> => send(`${gateway.url}/guide`, { headers: { "If-None-Match": tag } });
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await ask(tag);
      assert.equal(again.status, 304, tag);
      assert.equal(again.body, "");
      assert.equal(again.headers.etag, etag);
      assert.ok(again.headers["x-request-id"]);
    }
    await addService(gateway.deps, { name: "chat", url: "http://127.0.0.1:9" });
    await untilGuide(gateway, "<strong>chat</strong>");
    assert.equal((await ask(etag)).status, 200);

    const head = await send(`${gateway.url}/guide`, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(head.body, "");
    const posted = await send(`${gateway.url}/guide`, { method: "POST" });
    assert.equal(posted.status, 405);
    assert.equal(posted.headers.allow, "GET, HEAD");
  });

  it("follows services and settings, and shows the listening address where no public URL is set", async (t) => {
    const gateway = await startTestGateway(t);
    assert.ok((await guide(gateway)).body.includes(`${gateway.url.replace("//", "/<wbr>/<wbr>")}`));
    assert.match((await guide(gateway)).body, /No service has been set up yet/);
    await setSetting(gateway.deps, "public-url", "https://ai.example.com/gw");
    await setSetting(gateway.deps, "support-email", "a&b'c@example.com");
    await addService(gateway.deps, { name: "ocr", url: "http://127.0.0.1:9" });
    await untilGuide(gateway, "https://ai.example.com/gw/api/ocr");
    const { body } = await guide(gateway);
    assert.ok(body.includes('href="mailto:a&#38;b&#39;c@example.com"'), "escaped");
    assert.ok(!body.includes(gateway.url));
    assert.equal(
      JSON.parse((await send(`${gateway.url}/openapi.json`)).body).servers[0].url,
      "https://ai.example.com/gw",
    );
    await removeService(gateway.deps, "ocr");
    await untilGuide(gateway, "No service has been set up yet");
  });

  it("takes settings from the environment before stored ones", async (t) => {
    const gateway = await startTestGateway(t, { env: { AIGW_PUBLIC_URL: "https://from.env.example" } });
    await setSetting(gateway.deps, "public-url", "https://stored.example");
    await setSetting(gateway.deps, "support-email", "help@example.com");
    await untilGuide(gateway, "help@<wbr>example.com");
    const { body } = await guide(gateway);
    assert.ok(body.includes("from.env.example") && !body.includes("stored.example"));
  });

  it("says nothing of upstreams, clients and the machine, and nor does the OpenAPI document", async (t) => {
    const gateway = await startTestGateway(t);
    const headers = [{ name: "X-Upstream-Key-Name", value: "upstream-canary" }];
    await addService(gateway.deps, { name: "ocr", url: "http://upstream.internal:9000/base-canary", headers });
    await gateway.add("client-canary");
    await untilGuide(gateway, "<strong>ocr</strong>");
    const forbidden = ["upstream.internal", "canary", "X-Upstream-Key-Name", gateway.home, gateway.gateway.instanceId];
    for (const path of ["/guide", "/openapi.json"]) {
      const { body } = await send(gateway.url + path);
      for (const text of forbidden) assert.ok(!body.includes(text), `${path} shows ${text}`);
    }
  });

  it("is where a browser that opens the bare address is led; a program is told that nothing is there", async (t) => {
    const gateway = await startTestGateway(t);
    const front = (accept: string | undefined, method = "GET"): Promise<Answer> =>
      send(`${gateway.url}/`, { method, headers: accept === undefined ? {} : { Accept: accept } });
    const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (const accept of [BROWSER, "TEXT/HTML", "image/*, text/html;q=0.1"]) {
      for (const method of ["GET", "HEAD"]) {
        const { status, headers, body } = await front(accept, method);
        assert.deepEqual([status, headers.location, headers.vary, body], [302, "/guide", "Accept", ""], accept);
        assert.ok(headers["x-request-id"]);
      }
    }
    for (const accept of [undefined, "*/*", "application/json", "text/html;q=0", "text/html; q=0.000", "text/*"]) {
      const { status, headers, body } = await front(accept);
      assert.deepEqual([status, headers.location, headers.vary], [404, undefined, "Accept"], accept);
      assert.equal(JSON.parse(body).code, "not_found");
    }
    assert.equal((await front(BROWSER, "POST")).status, 405);
    assert.equal((await send(`${gateway.url}/elsewhere`, { headers: { Accept: BROWSER } })).status, 404);

    await setSetting(gateway.deps, "public-url", "https://ai.example.com/gw");
    await untilGuide(gateway, "https://ai.example.com/gw/api");
    assert.equal((await front(BROWSER)).headers.location, "/gw/guide", "behind a proxy that gives it a folder");

    await setSetting(gateway.deps, "cors-origins", "https://app.example.com");
    await until("CORS to be in force", async () => /Origin/.test(String((await front("*/*")).headers.vary)), 2_000);
    for (const accept of [BROWSER, "*/*"]) assert.equal((await front(accept)).headers.vary, "Accept, Origin");
  });

  it("explains every error that the gateway has", () => {
    const explained = GUIDE_ERRORS.flatMap(({ status, codes }) => codes.map((code) => `${status} ${code}`));
    const known = [
      ...PROBLEM_CODES.map((code) => `${PROBLEMS[code].status} ${code}`),
      ...TOKEN_ERROR_CODES.map((code) => `${TOKEN_ERRORS[code]} ${code}`),
      "413 invalid_request",
    ];
    assert.deepEqual(explained.sort(), [...new Set(known)].sort());
  });
});

describe("aigw guide", () => {
  it("prints the same guide as Markdown, without a gateway", async (t) => {
    const home = temporaryHome(t);
    const missing = await aigw(home, ["guide"]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /aigw init/);
    assert.equal(missing.stdout, "");
    await aigw(home, ["service", "add", "ocr", "http://upstream.internal:9000"]);
    await aigw(home, ["config", "set", "public-url", "https://ai.example.com"]);
    const [text, quiet, json, help] = await Promise.all([
      aigw(home, ["guide"]),
      aigw(home, ["guide", "-q"]),
      aigwJson<{ guide: Record<string, unknown> }>(home, ["guide"]),
      aigw(home, ["guide", "--help"]),
    ]);
    assert.equal(text.code, 0);
    assert.equal(text.stderr, "");
    assert.match(text.stdout, /^# AI Gateway client guide\n\n/);
    assert.match(text.stdout, /^\| \*\*ocr\*\* \| `https:\/\/ai\.example\.com\/api\/ocr` \|$/m);
    assert.doesNotMatch(text.stdout, /upstream\.internal/);
    assert.equal(quiet.stdout, "https://ai.example.com/guide\n");
    const { markdown, ...facts } = json.guide;
    assert.equal(`${markdown}\n`, text.stdout);
    assert.deepEqual(facts, {
      url: "https://ai.example.com/guide",
      publicUrl: "https://ai.example.com",
      services: ["ocr"],
      limit: 60,
      tokenLifetimeS: 3600,
      supportEmail: null,
    });
    assert.match(help.stdout, /^Examples:\n {2}aigw guide >CLIENT_API_GUIDE\.md/);
  });

  it("has the page's headings, and escapes what Markdown would take for markup", async (t) => {
    const gateway = await startTestGateway(t);
    const page = [...(await guide(gateway)).body.matchAll(/<h[1-3][^>]*>([^<]+)</g)].map(([, title]) => title);
    const settings = effectiveSettings(
      new Map([
        ["public-url", "https://a.example/x|y"],
        ["support-email", "_a*b`@example.com"],
      ]),
      {},
    );
    const markdown = renderGuideMarkdown(
      createGuide(guideFacts([{ name: "ocr", url: "http://127.0.0.1:9" }], settings)),
    );
    assert.deepEqual(
      [...markdown.replace(/```.*?```/gs, "").matchAll(/^#+ (.*)$/gm)].map(([, title]) => title),
      page,
    );
    assert.ok(markdown.includes("| Base URL | `https://a.example/x\\|y` |"));
    assert.ok(markdown.includes("[\\_a\\*b\\`@example.com](<mailto:_a*b`@example.com>)"));
  });

  it("has examples that work as they stand", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { services: { ocr: echo.url } });
    const { name, password } = await gateway.add("john");
    const { body } = await guide(gateway);
    /** The sample as it would be copied, filled in. */
    const sample = (language: string): string => {
      const html = new RegExp(`<figure class="code ${language}">.*?<code>(.*?)</code>`, "s").exec(body)?.[1] ?? "";
      const text = html
        .replace(/<\/?b>/g, "")
        .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
      return text.replaceAll("YOUR_USERNAME", name).replaceAll("YOUR_PASSWORD", password);
    };
    const run = async (program: string, args: readonly string[]): Promise<void> => {
      const { stdout } = await exec(program, args, { timeout: 15_000 });
      assert.match(stdout, /"x-client-id":"john"/, program);
    };
    await run(process.execPath, ["--input-type=module", "-e", sample("javascript")]);
    const tools = await exec("bash", ["-c", "command -v curl && command -v python3"]).catch(() => undefined);
    reportNeed(NEEDS.shell, tools ? undefined : "there is no bash with curl and python3");
    if (tools === undefined) return;
    await run("bash", ["-ec", sample("bash")]);
    await run("python3", ["-c", sample("python")]);
  });
});
