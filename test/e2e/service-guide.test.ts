import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { aigw as inProcess, json } from "../../packages/cli/test/support/harness.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { send, startEcho, tokenFor } from "../support/http.ts";
import { until } from "../support/until.ts";

const exec = promisify(execFile);

interface ServiceDocument {
  readonly service: {
    readonly description: string | null;
    readonly example: string | null;
    readonly docsUrl: string | null;
  };
}

const NONE = { description: null, example: null, docsUrl: null };

const setUp = async (
  t: TestContext,
): Promise<TestGateway & { run(...argv: string[]): ReturnType<typeof inProcess> }> => {
  const gateway = await startTestGateway(t);
  const run = (...argv: string[]): ReturnType<typeof inProcess> => inProcess(gateway.home, argv);
  assert.equal((await run("config", "set", "public-url", gateway.url)).code, 0);
  return { ...gateway, run };
};

describe("what clients are told of a service", () => {
  it("is in the guide, in Markdown, in the OpenAPI document and in a mail that asks for it", async (t) => {
    const { run, url, home, add } = await setUp(t);
    const echo = await startEcho(t);
    const example =
      '\n# The text of a picture\ncurl -s "{{endpoint}}/api/ocr/scan?lang=eng" \\\n  -H "Authorization: Bearer $TOKEN"\n\n';
    writeFileSync(join(home, "ocr.sh"), example);
    const facts = ["--description", "Reads the text <b>&</b> figures", "--docs", "https://docs.example.com/ocr?x=1"];
    const added = await run("service", "add", "ocr", echo.url, ...facts, "--example", "ocr.sh", "--json");
    assert.equal(added.code, 0, added.stderr);
    await run("service", "add", "plain", echo.url);
    await until("the service in the guide", async () => (await send(`${url}/guide`)).body.includes("scan?lang=eng"));
    const { body } = await send(`${url}/guide`);
    assert.ok(body.includes("<p>Reads the text &#60;b&#62;&#38;&#60;/b&#62; figures</p>"), "escaped");
    assert.match(body, /<h3 id="service-ocr">ocr<\/h3>/);
    assert.doesNotMatch(body, /service-plain/);
    assert.match(body, /<a href="https:\/\/docs\.example\.com\/ocr\?x=1">/);

    // The example works as it stands, copied from the page.
    const copied = /<figcaption>ocr: an example<\/figcaption>.*?<code>(.*?)<\/code>/s.exec(body)?.[1] ?? "";
    const command = copied.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
    assert.ok(command.startsWith(`# The text of a picture\ncurl -s "${url}/api/ocr/scan`), command);
    const { password } = await add("john");
    const TOKEN = await tokenFor(url, "john", password);
    const { stdout } = await exec("bash", ["-c", command], { env: { ...process.env, TOKEN }, timeout: 15_000 });
    assert.match(stdout, /"url":"\/scan\?lang=eng"/);

    const markdown = (await run("guide")).stdout;
    assert.match(markdown, /^### ocr\n\nReads the text \\<b\\>&\\<\/b\\> figures\n\n```bash\n# The text/m);
    const document = JSON.parse((await send(`${url}/openapi.json`)).body) as {
      components: { parameters: { service: { examples: Record<string, unknown> } } };
    };
    assert.deepEqual(document.components.parameters.service.examples["plain"], { value: "plain" });
    assert.deepEqual(document.components.parameters.service.examples["ocr"], {
      value: "ocr",
      summary: "Reads the text <b>&</b> figures",
      description: `\`\`\`\n${command}\n\`\`\`\n\nDocumentation: <https://docs.example.com/ocr?x=1>`,
    });
    writeFileSync(join(home, "mail.txt"), "{{password}}\n  {{service-list}}\n{{powershell}}\n");
    const mail = await run("onboard", "ann", "--create", "--template", "mail.txt", "--no-verify");
    assert.match(
      mail.stdout,
      new RegExp(`^  ocr: Reads the text <b>&</b> figures ${url}/api/ocr\n  plain: ${url}/api/plain$`, "m"),
    );
    assert.match(mail.stdout, /^Invoke-RestMethod -Uri 'http:\S+\/api\/plain' `$/m);
  });

  it("can be changed and taken away, and is in the record of it", async (t) => {
    const { run } = await setUp(t);
    await run("service", "add", "ocr", "http://127.0.0.1:1");
    const set = async (...argv: string[]): Promise<unknown> => {
      const result = await run("service", "set", "ocr", ...argv, "--json");
      assert.equal(result.code, 0, result.stderr);
      const { description, example, docsUrl } = json<{ service: ServiceDocument["service"] }>(result).service;
      return { description, example, docsUrl };
    };
    const told = { description: "Reads", example: "curl x y", docsUrl: "https://docs.example.com/" };
    const docs = ["--docs", "https://docs.example.com"];
    assert.deepEqual(await set("--description", "Reads", "--example", "curl x y", ...docs), told);
    assert.deepEqual(await set("--timeout", "5s"), told);
    assert.match((await run("service", "show", "ocr")).stdout, /^Description +Reads$/m);
    assert.deepEqual(await set("--no-description", "--no-example", "--no-docs"), NONE);
    const { stdout } = await run("audit", "list", "--subject", "ocr");
    assert.match(
      stdout,
      /description none → Reads; example added; documentation none → https:\/\/docs\.example\.com\//,
    );
    assert.match(stdout, /description Reads → none; example removed/);
  });

  it("tells nothing of the upstream", async (t) => {
    const { run } = await setUp(t);
    const add = (...more: string[]): ReturnType<typeof inProcess> =>
      run("service", "add", "ocr", "http://127.0.0.2:9/base", ...more);
    for (const [more, says] of [
      [["--example", "curl http://127.0.0.2:9/base/scan"], /holds the upstream's URL, .*\{\{endpoint\}\}\/api\/ocr/],
      [["--example", "curl http://127.0.0.2:9/other"], /holds the upstream's address/],
      [["--docs", "http://127.0.0.2:9/docs"], /holds the upstream's address/],
      [["--example", "nowhere.sh"], /--example: \S+nowhere\.sh cannot be read: there is no such file/],
      [["--example", "a\u0007 b"], /use plain text/],
      [["--description", "two\nlines"], /one line/],
      [["--docs", "ftp://docs.example.com"], /absolute URL/],
    ] as const) {
      const { code, stderr } = await add(...more);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
      assert.equal((await run("service", "show", "ocr")).code, 3);
    }
    assert.equal((await add("--example", "curl {{endpoint}}/api/ocr/scan")).code, 0);
    const moved = await run("service", "set", "ocr", "--description", "as at 127.0.0.2:9");
    assert.match(moved.stderr, /holds the upstream's address/);
  });

  it("has the OpenAI SDK's base URL right for the upstream's base path", async (t) => {
    const { run, url } = await setUp(t);
    for (const [upstream, base] of [
      ["http://127.0.0.1:1", "/api/chat/v1"],
      ["http://127.0.0.1:1/v1", "/api/chat"],
      ["http://127.0.0.1:1/openai/v1", "/api/chat"],
      ["http://127.0.0.1:1/v1beta/openai", "/api/chat"],
      ["http://127.0.0.1:1/models", "/api/chat/v1"],
    ] as const) {
      await run("service", "remove", "chat", "--yes", "--no-wait");
      assert.equal((await run("service", "add", "chat", upstream, "--no-wait")).code, 0);
      const { stdout } = await run("guide");
      assert.ok(stdout.includes(`base_url="${url}${base}",`), upstream);
      assert.doesNotMatch(stdout, /depends on the service/);
      assert.doesNotMatch(stdout, /127\.0\.0\.1:1\//);
    }
    await run("service", "remove", "chat", "--yes", "--no-wait");
    assert.match((await run("guide")).stdout, /depends on the service[\s\S]*base_url="\S+\/api\/YOUR_SERVICE\/v1"/);
  });
});
