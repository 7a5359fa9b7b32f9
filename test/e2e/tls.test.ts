import assert from "node:assert/strict";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import {
  type AigwProcess,
  aigw,
  aigwJson,
  type RunningGateway,
  startGatewayProcess,
  temporaryHome,
} from "../support/aigw.ts";
import { type CertificatePair, selfSigned } from "../support/certificate.ts";
import { type Answer, bearer, sendRaw, startEcho } from "../support/http.ts";
import { until, within } from "../support/until.ts";

const one = selfSigned("one");
const two = selfSigned("two");
const trusted = [one.cert, two.cert];

interface Files {
  readonly cert: string;
  readonly key: string;
}

const writePair = (folder: string, { cert, key }: CertificatePair): Files => {
  mkdirSync(folder, { recursive: true });
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  return files;
};

const flags = ({ cert, key }: Files): string[] => ["--tls-cert", cert, "--tls-key", key];

/** A connection whose handshake is done and verified. */
const handshake = (url: string, options: { maxVersion?: "TLSv1.1" } = {}): Promise<TLSSocket> => {
  const { port } = new URL(url);
  const opened = new Promise<TLSSocket>((settle, reject) => {
    const socket = connect({
      host: "127.0.0.1",
      port: Number(port),
      ca: trusted,
      servername: "localhost",
      ...(options.maxVersion && { minVersion: "TLSv1", maxVersion: options.maxVersion, ciphers: "DEFAULT@SECLEVEL=0" }),
    });
    socket.once("secureConnect", () => settle(socket));
    socket.once("error", reject);
  });
  return within(`a handshake with ${url}`, opened, 5_000);
};

/** The common name of the certificate that a new connection gets. */
const served = async (url: string): Promise<string> => {
  const socket = await handshake(url);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
};

const send = (
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string; agent?: Agent } = {},
): Promise<Answer> => {
  const answer = new Promise<Answer>((settle, reject) => {
    const { method = "GET", headers = {}, agent = false } = options;
    const outgoing = request(url, { method, headers, agent, ca: trusted }, (response) => {
      const { statusCode: status = 0, rawHeaders } = response;
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => settle({ status, headers: response.headers, rawHeaders, body }));
    });
    outgoing.on("error", reject);
    outgoing.end(options.body);
  });
  return within(url, answer, 10_000);
};

/** What the gateway has logged, line by line. */
const logOf = ({ child }: Pick<AigwProcess, "child"> | RunningGateway): { readonly text: string } => {
  const log = { text: "" };
  child.stderr?.on("data", (text: string) => {
    log.text += text;
  });
  return log;
};

const until2s = <T>(what: string, check: () => T | Promise<T>): ReturnType<typeof until<T>> =>
  until(what, check, 4_000);

describe("https", () => {
  const start = async (t: TestContext): Promise<{ gateway: RunningGateway; files: Files; home: string }> => {
    const home = temporaryHome(t);
    const files = writePair(join(dirname(home), "tls"), one);
    return { gateway: await startGatewayProcess(t, home, flags(files)), files, home };
  };

  it("serves the whole way in TLS 1.2 and later, and tells the service so", async (t) => {
    const echo = await startEcho(t);
    const { gateway, home } = await start(t);
    const { url } = gateway;
    assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
    await aigw(home, ["service", "add", "echo", echo.url]);
    const { password } = await aigwJson<{ password: string }>(home, ["client", "add", "john"]);
    const login = await send(`${url}/auth/token`, {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ username: "john", password }).toString(),
    });
    const { access_token: token } = JSON.parse(login.body);
    const call = await send(`${url}/api/echo/x`, { method: "POST", headers: bearer(token), body: "y".repeat(200_000) });
    assert.equal(call.status, 200);
    assert.equal(JSON.parse(call.body).headers["x-forwarded-proto"], "https");

    const refused = await send(`${url}/api/echo/x`, { method: "POST", body: "y".repeat(2_000_000) });
    assert.equal(refused.status, 401, "a refusal reaches a client that is still sending");

    const socket = await handshake(url);
    assert.match(socket.getProtocol() ?? "", /^TLSv1\.[23]$/);
    const raw = new Promise<string>((settle) => {
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString();
      });
      socket.on("close", () => settle(text));
    });
    socket.write("GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert.match(await within("the guard's answer", raw, 5_000), /^HTTP\/1\.1 400 /, "the guard is in front as well");

    await assert.rejects(handshake(url, { maxVersion: "TLSv1.1" }));
    assert.doesNotMatch(
      await sendRaw(url.replace("https", "http"), "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"),
      /^HTTP\/1\.1 200/,
    );
    assert.equal((await send(`${url}/health`)).status, 200, "and it goes on after such clients");
  });

  it("takes up renewed files without a restart; open connections go on", async (t) => {
    const { gateway, files } = await start(t);
    const { url } = gateway;
    const log = logOf(gateway);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const onOpenConnection = (): Promise<Answer> => send(`${url}/health`, { agent });
    assert.equal((await onOpenConnection()).status, 200);
    assert.equal(await served(url), "one");

    writeFileSync(files.cert, two.cert);
    await until2s("the mismatch to be logged", () => log.text.includes("does not belong to the first certificate"));
    assert.equal(await served(url), "one", "half of a pair is not served");
    writeFileSync(files.cert, two.cert.slice(0, -40));
    await until2s("the half-written file to be logged", () => log.text.includes("not a complete PEM file"));
    assert.equal(await served(url), "one");

    writePair(dirname(files.cert), two);
    await until2s("the new certificate", async () => (await served(url)) === "two");
    assert.match(log.text, /certificate renewed/);
    assert.equal((await onOpenConnection()).status, 200);
    const socket = await new Promise<TLSSocket>((settle, reject) => {
      const probe = request(`${url}/health`, { agent, ca: trusted }, (response) => {
        settle(response.socket as TLSSocket);
        response.resume();
      });
      probe.on("error", reject);
      probe.end();
    });
    assert.equal(socket.getPeerCertificate().subject.CN, "one", "the connection from before is still the same");
    const errors = log.text.split("\n").filter((line) => line.includes("certificate not renewed"));
    assert.equal(errors.length, 2, "each state of the files is complained of once");
    assert.doesNotMatch(log.text, /PRIVATE KEY/);
  });

  it("looks at once on SIGHUP, also at files that were moved into place", async (t) => {
    const { gateway, files } = await start(t);
    const next = writePair(join(dirname(files.cert), "next"), two);
    renameSync(next.cert, files.cert);
    renameSync(next.key, files.key);
    process.kill(gateway.pid, "SIGHUP");
    await until2s("the new certificate", async () => (await served(gateway.url)) === "two");
    gateway.child.kill("SIGTERM");
    assert.equal((await within("the end", gateway.done)).code, 0);
  });
});

describe("aigw serve", () => {
  it("says in one line what is wrong with its addresses and files, and does not start", async (t) => {
    const home = temporaryHome(t);
    const files = writePair(join(dirname(home), "tls"), one);
    const taken = createServer();
    await new Promise<void>((ready) => taken.listen(0, "127.0.0.1", ready));
    t.after(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    await aigw(home, ["init"]);
    const cases: readonly (readonly [string[], number, RegExp])[] = [
      [["--tls-cert", files.cert], 2, /--tls-cert needs --tls-key too/],
      [["--admin-host", "127.0.0.1"], 2, /--admin-host needs --admin-port too/],
      [flags({ ...files, key: files.cert }), 1, /private key .*cert\.pem cannot be used/],
      [["--port", String(port)], 1, new RegExp(`127\\.0\\.0\\.1 port ${port} is in use already.*--port`)],
      [["--admin-port", String(port)], 1, new RegExp(`127\\.0\\.0\\.1 port ${port} is in use already.*--admin-port`)],
    ];
    const run = async ([args, code, message]: (typeof cases)[number]): Promise<void> => {
      const finished = await aigw(home, ["serve", "--port", "0", ...args]);
      assert.equal(finished.code, code, finished.stderr);
      assert.match(finished.stderr, message);
      assert.equal(finished.stderr.trim().split("\n").length, 1, finished.stderr);
      assert.equal(finished.stdout, "");
    };
    await Promise.all(cases.map(run));
  });
});
