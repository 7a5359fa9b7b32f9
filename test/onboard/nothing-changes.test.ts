import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { aigw as inProcess, json, opened, type RunOptions, start } from "../../packages/cli/test/support/harness.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { login, startEcho, startUpstream } from "../support/http.ts";
import { startMailServer, startTalker } from "../support/smtp.ts";

const PATH = { PATH: process.env["PATH"] ?? "" };
const aigw = (home: string, argv: readonly string[], options: RunOptions = {}): ReturnType<typeof inProcess> =>
  inProcess(home, argv, { ...options, env: { ...PATH, ...options.env } });

const CHOSEN = "Kestrel-under-77-elms";

interface Prepared extends TestGateway {
  /** Where clients are told that the gateway is; in front of it. */
  readonly front: string;
  /** What is called instead of passing a request on, when it gives an answer. */
  answerInstead: (path: string) => { readonly status: number; readonly body: string } | undefined;
}

/** A gateway with john, whose password is known, and something in front that can spoil what goes through it. */
const setUp = async (t: TestContext, services: Record<string, string> = {}): Promise<Prepared> => {
  const echo = await startEcho(t);
  const gateway = await startTestGateway(t, { services: { ocr: echo.url, ...services } });
  const prepared = { ...gateway, front: "", answerInstead: (_path: string) => undefined } as Prepared & {
    front: string;
  };
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const instead = prepared.answerInstead(request.url ?? "");
    if (instead !== undefined) return void response.writeHead(instead.status).end(instead.body);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { authorization, "content-type": type } = request.headers;
    const answer = await fetch(`${gateway.url}${request.url}`, {
      method: request.method ?? "GET",
      headers: { ...(authorization && { authorization }), ...(type && { "content-type": type }) },
      ...(request.method === "POST" ? { body: Buffer.concat(chunks) } : {}),
    });
    const headers = { "x-client-id": answer.headers.get("x-client-id") ?? "" };
    response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()));
  };
  const front = await startUpstream(t, (request, response) => void pass(request, response));
  prepared.front = front.url;
  const { home } = gateway;
  await aigw(home, ["config", "set", "public-url", front.url]);
  await aigw(home, ["config", "set", "support-email", "help@example.com"]);
  const added = await aigw(home, ["client", "add", "john", "--email", "john@example.com", "--password-stdin"], {
    stdin: CHOSEN,
  });
  assert.equal(added.code, 0, added.stderr);
  return prepared;
};

const refuseTokens = (path: string): { status: number; body: string } | undefined =>
  path === "/auth/token" ? { status: 400, body: '{"error":"invalid_client"}' } : undefined;

describe("what fails before the password changes changes nothing at all", { concurrency: 3 }, () => {
  const failures: Readonly<
    Record<string, (t: TestContext) => Promise<Record<string, string>> | Record<string, string>>
  > = {
    "nobody at the mail server": () => ({ AIGW_SMTP_URL: "smtp://127.0.0.1:1" }),
    "a mail server that says nothing": async (t) => ({
      AIGW_SMTP_URL: `smtp://127.0.0.1:${await startTalker(t, () => undefined)}`,
      AIGW_SMTP_TIMEOUT: "500ms",
    }),
    "a certificate that nobody trusts": async (t) => ({
      AIGW_SMTP_URL: `smtp://127.0.0.1:${(await startMailServer(t)).port}`,
    }),
    "a login that is refused": async (t) => ({
      AIGW_SMTP_URL: `smtp://mailer:Wrong-secret-9@127.0.0.1:${(await startMailServer(t)).port}`,
      AIGW_SMTP_TLS: "unverified",
    }),
  };
  for (const [what, envOf] of Object.entries(failures)) {
    test(what, async (t) => {
      const { home, store, url } = await setUp(t);
      const env = await envOf(t);
      const head = await store.control.head();
      writeFileSync(join(home, "people.csv"), "name,email\njohn,john@example.com\nanna,anna@example.com\n");
      for (const argv of [
        ["onboard", "john", "--send", "--yes"],
        ["onboard", "anna", "--send", "--to", "anna@example.com", "--yes"],
        ["onboard", "--from", "people.csv", "--send", "--out", "mails", "--yes"],
      ]) {
        const { code, stdout, stderr } = await aigw(home, argv, { env });
        assert.deepEqual([code, stdout], [1, ""], stderr);
        assert.match(stderr, /^error: The mail server cannot be used: .*\. Nothing was changed\.$/m);
        assert.ok(!stderr.includes("Wrong-secret-9"));
      }
      assert.equal(await store.control.head(), head);
      assert.equal((await login(url, "john", CHOSEN)).status, 200);
      assert.ok(!existsSync(join(home, "unsent")));
    });
  }
});

describe("what fails later is taken back", { concurrency: 3 }, () => {
  /** @returns what was said; john's old password works, and anna is not there */
  const takenBack = async (prepared: Prepared, argv: readonly string[], options: RunOptions = {}): Promise<string> => {
    const { home, store, url } = prepared;
    const { code, stderr } = await aigw(home, argv, options);
    assert.equal(code, 1, stderr);
    assert.equal((await login(url, "john", CHOSEN)).status, 200, stderr);
    assert.equal(await store.control.client("anna"), undefined);
    assert.ok(!existsSync(join(home, "unsent")) || readdirSync(join(home, "unsent")).length === 0);
    return stderr;
  };

  test("no token: the old password works again, who was added is gone", async (t) => {
    const prepared = await setUp(t);
    const { home } = prepared;
    const server = await startMailServer(t, { disabledCommands: ["STARTTLS"] });
    const env = { AIGW_SMTP_URL: `smtp://127.0.0.1:${server.port}` };
    writeFileSync(join(home, "people.csv"), "name,email\nanna,anna@example.com\njohn,john@example.com\n");
    prepared.answerInstead = refuseTokens;
    const john = await takenBack(prepared, ["onboard", "john", "--email", "--yes"]);
    assert.match(john, /quick start of john does not work: \/auth\/token 400 .* the old password of john works again/);
    const anna = await takenBack(prepared, ["onboard", "anna", "--yes", "--send", "--to", "a@example.com"], { env });
    assert.match(anna, /anna was removed again/);
    await takenBack(prepared, ["onboard", "john", "--yes", "--eml", "john.eml"]);
    assert.ok(!existsSync(join(home, "john.eml")));
    const sent = await takenBack(prepared, ["onboard", "--from", "people.csv", "--send", "--yes"], { env });
    assert.match(sent, /Nothing was handed out: .* john works again.*anna was removed again/);
    assert.equal(server.received.length, 0);
    const table = await aigw(home, ["onboard", "--from", "people.csv", "--yes"]);
    assert.deepEqual([table.code, table.stdout], [1, ""]);
    assert.equal((await login(prepared.url, "john", CHOSEN)).status, 200);
  });

  test("a table that nobody reads, a file that the disk does not take, Ctrl-C", async (t) => {
    const prepared = await setUp(t);
    const { home, url, store } = prepared;
    const closed = start(home, ["onboard", "john", "--email", "--yes"], { env: PATH });
    closed.closeStdout();
    const { code, stderr } = await closed.done;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /could not be written: nobody reads standard output\. .*the old password of john works again/);
    assert.equal((await login(url, "john", CHOSEN)).status, 200);
    const listeners = new Set<(signal: "SIGINT") => void>();
    prepared.answerInstead = (path) => {
      if (path === "/auth/token") for (const listener of listeners) listener("SIGINT");
      return undefined;
    };
    for (const name of ["john", "anna"]) {
      const broken = await aigw(home, ["onboard", name, "--email", "--yes"], {
        onStop: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      });
      assert.deepEqual([broken.code, broken.stdout], [130, ""]);
      assert.match(broken.stderr, /Interrupted\. Nothing was handed out/);
    }
    assert.equal((await login(url, "john", CHOSEN)).status, 200);
    assert.equal(await store.control.client("anna"), undefined);
  });
});

describe("a service that is down", { concurrency: 2 }, () => {
  test("is warned about before the password changes, and does not keep the credentials from anybody", async (t) => {
    const prepared = await setUp(t, { dead: "http://127.0.0.1:1" });
    const { home, url, store } = prepared;
    const head = await store.control.head();
    const asked = await aigw(home, ["onboard", "john", "--email"], {
      terminal: 100,
      answers: [false],
      env: { NO_COLOR: "1" },
    });
    assert.equal(asked.code, 130);
    assert.match(asked.stderr, /warning: dead does not answer[\s\S]*\? New password for john\?/);
    assert.equal(await store.control.head(), head);

    const { code, stdout, stderr } = await aigw(home, ["onboard", "john", "--email", "--yes"]);
    assert.equal(code, 0, stderr);
    const password = /^Password: (\S+)$/m.exec(stdout)?.[1] ?? "";
    assert.equal((await login(url, "john", password)).status, 200);
    assert.match(stderr, /warning: dead does not answer/);
    assert.match(stderr, /quick start works.*: \/auth\/token 200, \/api\/ocr 200\./);
    assert.ok(!stderr.includes("127.0.0.1:1/") && !stderr.includes("http://127.0.0.1:1 "), "no upstream is named");

    writeFileSync(join(home, "people.csv"), "name\nanna\nbob\n");
    const many = await aigw(home, ["onboard", "--from", "people.csv", "--json", "--create"]);
    assert.equal(many.code, 0, many.stderr);
    const { clients } = json<{ clients: { password: string; client: { name: string; provenAt: string | null } }[] }>(
      many,
    );
    for (const { client, password: given } of clients) {
      assert.notEqual(client.provenAt, null);
      assert.equal((await login(url, client.name, given)).status, 200);
    }
  });

  test("one that hangs, or answers for the gateway in its own way", async (t) => {
    const hanging = await startUpstream(t, () => undefined);
    const broken = await startTalker(t, (socket) => socket.end("220 hello\r\n"));
    const prepared = await setUp(t, { hangs: hanging.url, broken: `http://127.0.0.1:${broken}` });
    await aigw(prepared.home, ["service", "set", "hangs", "--timeout", "300ms"]);
    const { code, stderr } = await aigw(prepared.home, ["onboard", "john", "--email", "--yes"]);
    assert.equal(code, 0, stderr);
    for (const service of ["hangs", "broken"]) assert.match(stderr, new RegExp(`warning: .*\\b${service}\\b`));
    const { store } = await opened(t, prepared.home);
    assert.notEqual((await store.control.client("john"))?.provenAt, undefined);
  });
});
