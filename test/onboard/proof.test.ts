import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { aigw as inProcess, json, opened, type RunOptions } from "../../packages/cli/test/support/harness.ts";
import { cleanEnv, startGatewayProcess } from "../support/aigw.ts";
import { selfSigned } from "../support/certificate.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { startEcho, startUpstream, type Upstream } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { startTalker } from "../support/smtp.ts";

interface Document {
  readonly password: string;
  readonly client: { readonly id: string; readonly provenAt: string | null };
  readonly quickStart: { readonly works: boolean; readonly shell: string; readonly steps: readonly Step[] } | null;
}
interface Step {
  readonly path: string;
  readonly status: number | null;
  readonly verdict: string;
  readonly said: string;
}

const PATH = { PATH: process.env["PATH"] ?? "" };
const aigw = (home: string, argv: readonly string[], options: RunOptions = {}): ReturnType<typeof inProcess> =>
  inProcess(home, argv, { ...options, env: { ...PATH, ...options.env } });

/** A gateway in this process with its public URL set. */
const gatewayFor = async (t: TestContext, services: Record<string, string>): Promise<TestGateway> => {
  const gateway = await startTestGateway(t, { services });
  await aigw(gateway.home, ["config", "set", "public-url", gateway.url]);
  return gateway;
};

/** Without the HEAD that sees, before anything is changed, whether the service is there. */
const calls = (seen: Upstream["seen"]): Upstream["seen"] => seen.filter(({ method }) => method === "GET");

describe("the quick start is tried before it is handed out", { concurrency: 3 }, () => {
  test("against a real gateway, with the commands of the very e-mail", async (t) => {
    const echo = await startEcho(t);
    const { home } = await prepareHome(t, { services: { ocr: echo.url, chat: echo.url } });
    const gateway = await startGatewayProcess(t, home);
    await aigw(home, ["config", "set", "public-url", gateway.url]);
    const { code, stdout, stderr } = await aigw(home, ["onboard", "john", "--create", "--email"]);
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /^The quick start works, with bash and curl: \/auth\/token 200, \/api\/chat 200, \/api\/ocr 200\.$/m,
    );
    assert.deepEqual(
      calls(echo.seen).map(({ url }) => url),
      ["/", "/"],
    );
    assert.ok(
      calls(echo.seen).every(({ rawHeaders }) => rawHeaders.some((value) => value.startsWith("curl/"))),
      "by curl itself",
    );
    const password = /^Password: (\S+)$/m.exec(stdout)?.[1] ?? "?";
    assert.ok(!stderr.includes(password));
    const shown = json<Document>(await aigw(home, ["client", "show", "john", "--json"]));
    assert.match(shown.client.provenAt ?? "", /^\d{4}-/);
    // A new password is not proven until it is tried.
    await aigw(home, ["client", "passwd", "john", "--yes"]);
    assert.equal(json<Document>(await aigw(home, ["client", "show", "john", "--json"])).client.provenAt, null);
    const again = await aigw(home, ["onboard", "john", "--yes", "--json"]);
    const { client, quickStart } = json<Document>(again);
    assert.equal(quickStart?.works, true);
    assert.notEqual(client.provenAt, null);
    assert.match(
      (await aigw(home, ["audit", "list"])).stdout,
      /client\.proven\s+john\s+its quick start was seen to work/,
    );
  });

  test("without bash and curl, by Node", async (t) => {
    const echo = await startEcho(t);
    const { home } = await gatewayFor(t, { ocr: echo.url });
    const chosen = `it's "5$ & 100%" ünd`;
    const { code, stdout, stderr } = await inProcess(
      home,
      ["onboard", "john", "--create", "--email", "--password-stdin", "--json"],
      {
        env: { PATH: "/nowhere" },
        stdin: `${chosen}\n`,
      },
    );
    assert.equal(code, 0, stderr);
    const { quickStart } = json<Document>({ code, stdout, stderr });
    assert.deepEqual(
      [quickStart?.works, quickStart?.shell],
      [true, "Node (there is no bash with curl on this machine)"],
    );
  });

  test("what the service itself answers is no failure", async (t) => {
    const statuses = { moved: 301, absent: 404, method: 405, empty: 422, key: 401, broken: 500 };
    const services: Record<string, string> = {};
    for (const [name, status] of Object.entries(statuses)) {
      services[name] = (await startUpstream(t, (_request, response) => response.writeHead(status).end("own"))).url;
    }
    // An answer without an end.
    services["stream"] = (
      await startUpstream(t, (_request, response) => {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        const timer = setInterval(() => response.write("data: x\n\n".repeat(5_000)), 5);
        response.on("close", () => clearInterval(timer));
      })
    ).url;
    const { home } = await gatewayFor(t, services);
    const { code, stdout, stderr } = await aigw(home, ["onboard", "john", "--create", "--json"]);
    assert.equal(code, 0, stderr);
    const { quickStart } = json<Document>({ code, stdout, stderr });
    const verdicts = Object.fromEntries(
      (quickStart?.steps ?? []).map(({ path, status, verdict }) => [path, [status, verdict]]),
    );
    assert.deepEqual(verdicts, {
      "/auth/token": [200, "reached"],
      "/api/moved": [301, "reached"],
      "/api/absent": [404, "reached"],
      "/api/method": [405, "reached"],
      "/api/empty": [422, "reached"],
      "/api/key": [401, "odd"],
      "/api/broken": [500, "odd"],
      "/api/stream": [200, "reached"],
    });
    const asText = await aigw(home, ["onboard", "john", "--yes"]);
    assert.match(asText.stderr, /warning: john: \/api\/key 401 \(the service itself refuses; does it want a key/);
  });

  test("nothing is tried with --no-verify", async (t) => {
    const echo = await startEcho(t);
    const { home } = await gatewayFor(t, { ocr: echo.url });
    const untried = await aigw(home, ["onboard", "john", "--create", "--email", "--no-verify"]);
    assert.equal(untried.code, 0, untried.stderr);
    assert.match(untried.stdout, /^Password: \S+$/m);
    assert.deepEqual(echo.seen, []);
  });

  test("not more calls than the client may make", async (t) => {
    const echo = await startEcho(t);
    const { home } = await gatewayFor(t, { a: echo.url, b: echo.url, c: echo.url });
    await aigw(home, ["client", "add", "john", "--limit", "2"]);
    const result = await aigw(home, ["onboard", "john", "--yes", "--json"]);
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(
      json<Document>(result).quickStart?.steps.map(({ verdict }) => verdict),
      ["reached", "reached", "reached", "not tried"],
    );
  });

  test("credentials that are refused anyway are not tried", async (t) => {
    const { home } = await gatewayFor(t, {});
    await aigw(home, ["client", "add", "john"]);
    await aigw(home, ["client", "revoke", "john", "--yes"]);
    const { code, stderr, stdout } = await aigw(home, ["onboard", "john", "--yes"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Password/);
    assert.match(stderr, /john is revoked: these credentials are refused until: aigw client restore john/);
  });

  test("a template's own commands are tried; those that are more than curl never run", async (t) => {
    const echo = await startEcho(t);
    const { home } = await gatewayFor(t, { ocr: echo.url });
    const write = (text: string): void => writeFileSync(join(home, "t.txt"), text);
    const token =
      'curl -s "{{endpoint}}/auth/token" --data "username={{username}}" --data-urlencode "password={{password}}"';
    write(`${token}\ncurl '{{endpoint}}/api/ocr/special?x=1' -H "Authorization: Bearer YOUR_TOKEN"\n`);
    const own = await aigw(home, ["onboard", "john", "--create", "--template", "t.txt"]);
    assert.equal(own.code, 0, own.stderr);
    assert.equal(calls(echo.seen).at(-1)?.url, "/special?x=1");
    write(
      `${token}; touch '${join(home, "owned")}'\ncurl $(touch ${join(home, "owned")}) -H "Authorization: Bearer YOUR_TOKEN"\n{{call-commands}}\n`,
    );
    const evil = await aigw(home, ["onboard", "john", "--template", "t.txt", "--yes"]);
    assert.equal(evil.code, 0, evil.stderr);
    const { existsSync } = await import("node:fs");
    assert.equal(existsSync(join(home, "owned")), false);
    assert.equal(echo.seen.at(-1)?.url, "/", "ours was tried in their place");
    const elsewhere = await startEcho(t);
    write(`${token.replace("{{endpoint}}", elsewhere.url)}\n{{call-commands}}\n`);
    assert.equal((await aigw(home, ["onboard", "john", "--template", "t.txt", "--yes"])).code, 0);
    assert.deepEqual(elsewhere.seen, [], "no credentials go anywhere else");
  });
});

test("Ctrl-C while it is tried ends it at once, and takes back what nobody has seen", async (t) => {
  let stop = (): void => undefined;
  const hanging = await startUpstream(t, ({ method }, response) => {
    if (method === "HEAD") response.end();
    else stop();
  });
  const { home, store } = await gatewayFor(t, { ocr: hanging.url });
  const listeners = new Set<(signal: "SIGINT") => void>();
  stop = () => {
    for (const listener of listeners) listener("SIGINT");
  };
  const started = performance.now();
  const { code, stdout, stderr } = await aigw(home, ["onboard", "john", "--create", "--email"], {
    onStop: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  assert.deepEqual([code, stdout], [130, ""]);
  assert.match(stderr, /Interrupted\. Nothing was handed out: john was removed again\./);
  assert.equal(await store.control.client("john"), undefined);
  assert.ok(performance.now() - started < 8_000);
  assert.equal(listeners.size, 0);
});

describe("who answers at the public URL", { concurrency: 3 }, () => {
  const onboardAt = async (
    t: TestContext,
    url: string,
    ...more: string[]
  ): Promise<{ code: number | null; stderr: string; added: boolean }> => {
    const { home } = await prepareHome(t);
    await aigw(home, ["config", "set", "public-url", url]);
    const { code, stderr } = await aigw(home, ["onboard", "john", "--create", ...more]);
    const { store } = await opened(t, home);
    return { code, stderr, added: (await store.control.client("john")) !== undefined };
  };

  test("nobody: a note", async (t) => {
    const { code, stderr, added } = await onboardAt(t, "http://127.0.0.1:1");
    assert.deepEqual([code, added], [0, true]);
    assert.match(
      stderr,
      /^No gateway answers at http:\/\/127\.0\.0\.1:1 \(.+\): the quick start could not be tried\.$/m,
    );
  });

  test("somebody else: refused before anything is changed, and sent no credentials", async (t) => {
    const bodies: string[] = [];
    const other = await startUpstream(t, (request, response) => {
      request.on("data", (chunk: Buffer) => bodies.push(chunk.toString()));
      response.writeHead(200, { Server: "nginx/1.27" }).end('{"status":"ok","access_token":"a.b.c"}');
    });
    const { code, stderr, added } = await onboardAt(t, other.url);
    assert.deepEqual([code, added], [1, false]);
    assert.match(
      stderr,
      /What answers at http:\/\/127\.0\.0\.1:\d+ is not an aigw gateway \(200, nginx\/1\.27\)\. Nothing was changed/,
    );
    assert.deepEqual(bodies, []);
    assert.deepEqual(
      other.seen.map(({ method }) => method),
      ["GET"],
    );
    assert.equal((await onboardAt(t, other.url, "--no-verify")).code, 0);
  });

  test("a redirect, which the commands do not follow", async (t) => {
    const other = await startUpstream(t, (_request, response) =>
      response.writeHead(301, { Location: "https://ai.example.com/x" }).end(),
    );
    const { code, stderr, added } = await onboardAt(t, other.url);
    assert.deepEqual([code, added], [1, false]);
    assert.match(
      stderr,
      /redirects to https:\/\/ai\.example\.com, .*aigw config set public-url https:\/\/ai\.example\.com/,
    );
  });

  test("a certificate that the client's curl would refuse", async (t) => {
    const server = createServer(selfSigned("localhost"), (_request, response) => response.end("hello"));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    t.after(() => server.close());
    const { code, stderr, added } = await onboardAt(t, `https://127.0.0.1:${(server.address() as AddressInfo).port}`);
    assert.deepEqual([code, added], [1, false]);
    assert.match(stderr, /does not answer as a client needs it \(.*certificate/);
  });

  test("somebody who hangs up, and somebody who speaks no HTTP", async (t) => {
    for (const words of ["", "SSH-2.0-OpenSSH_9.2\r\n"]) {
      const port = await startTalker(t, (socket) => socket.end(words));
      const { code, added } = await onboardAt(t, `http://127.0.0.1:${port}`);
      assert.deepEqual([code, added], [1, false]);
    }
  });
});

test("no password is in the process list while the quick start is tried", async (t) => {
  const echo = await startUpstream(t, (_request, response) => void setTimeout(() => response.end("late"), 400));
  const { home } = await gatewayFor(t, { ocr: echo.url });
  // `ps` of another user: what stands in the command lines of all processes, until this one ends.
  const watch = "while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; sleep 0.02; done";
  const watcher = spawn("bash", ["-c", watch], { env: cleanEnv(home), stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => watcher.kill("SIGKILL"));
  let seen = "";
  watcher.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
  });
  const { code, stdout, stderr } = await aigw(home, ["onboard", "john", "--create", "--json"]);
  watcher.kill("SIGKILL");
  assert.equal(code, 0, stderr);
  const { password } = json<Document>({ code, stdout, stderr });
  if (!seen.includes("curl -q -sS")) {
    assert.notEqual(process.platform, "linux", "the process list was not seen");
    return t.skip("the process list cannot be read on this machine");
  }
  assert.ok(!seen.includes(password));
  // Other programs on this machine may have tokens in their arguments; those are not john's.
  const { client } = json<Document>(await aigw(home, ["client", "show", "john", "--json"]));
  const claims = [...seen.matchAll(/\beyJ[\w-]+\.(eyJ[\w-]+)\./g)].map(([, part = ""]) =>
    Buffer.from(part, "base64url").toString(),
  );
  assert.ok(!claims.some((text) => text.includes(client.id)), "no token of his");
});
