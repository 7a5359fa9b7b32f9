import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { revokeClient } from "@aigw/core";
import { freePort } from "../../packages/cli/src/workers/free-port.ts";
import { selfSigned } from "../support/certificate.ts";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, startEcho } from "../support/http.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { until, within } from "../support/until.ts";
import { openSocket, startSocketService } from "../support/websocket.ts";

/** The lines for a proxy as docs/serving.md has them. */
const documented = (language: string): string => {
  const text = readFileSync(resolve(import.meta.dirname, "../../docs/serving.md"), "utf8");
  const block = text.split(`\`\`\`${language}\n`)[1]?.split("```")[0];
  assert.ok(block, `docs/serving.md has lines for ${language}`);
  return block;
};

/** Puts something else in the place of what is in the lines, which must be there. */
const put = (lines: string, places: Readonly<Record<string, string>>): string =>
  Object.entries(places).reduce((text, [old, its]) => {
    assert.ok(text.includes(old), `docs/serving.md has '${old}'`);
    return text.replaceAll(old, its);
  }, lines);

interface Setting {
  readonly folder: string;
  /** Where the proxy listens, on 127.0.0.1. */
  readonly port: number;
  /** Host and port of the gateway. */
  readonly gateway: string;
  readonly cert: string;
  readonly key: string;
  /** Certificate and key in one file. */
  readonly pem: string;
}

interface Proxy {
  /** @returns the file's text, and the arguments that make the program run with it in the foreground */
  configure(setting: Setting, file: string): readonly [text: string, args: readonly string[]];
}

const PROXIES: Readonly<Record<string, Proxy>> = {
  nginx: {
    configure: ({ folder, port, gateway, cert, key }, file) => {
      const server = put(documented("nginx"), {
        "listen 443 ssl": `listen 127.0.0.1:${port} ssl`,
        "/etc/ssl/ai.example.com/fullchain.pem": cert,
        "/etc/ssl/ai.example.com/privkey.pem": key,
        "127.0.0.1:8080": gateway,
      });
      const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
        (name) => `${name}_temp_path ${join(folder, name)};`,
      );
      const text = `daemon off; master_process off; pid ${join(folder, "pid")}; error_log stderr;
events {} http { access_log off; ${paths.join(" ")}\n${server}}`;
      return [text, ["-c", file, "-p", folder, "-e", "stderr"]];
    },
  },
  haproxy: {
    configure: ({ port, gateway, pem }, file) => [
      put(documented("haproxy"), {
        "bind :443": `bind 127.0.0.1:${port}`,
        "/etc/haproxy/ai.example.com.pem": pem,
        "127.0.0.1:8080": gateway,
      }),
      ["-db", "-f", file],
    ],
  },
  caddy: {
    configure: ({ port, gateway, cert, key }, file) => [
      `{\nadmin off\nauto_https disable_redirects\n}\n${put(documented("caddy"), {
        "ai.example.com {": `https://:${port} {\nbind 127.0.0.1\ntls ${cert} ${key}`,
        "127.0.0.1:8080": gateway,
      })}`,
      ["run", "--adapter", "caddyfile", "--config", file],
    ],
  },
};

const find = (program: string): string | undefined =>
  // Servers are where a user's PATH need not lead.
  [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin"]
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        // Not there: the next folder.
        return false;
      }
    });

/** @returns its URL, once it answers with the gateway's health */
const startProxy = async (t: TestContext, name: string, program: string, gatewayUrl: string): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), `aigw-${name}-`));
  const { cert, key } = selfSigned("a proxy");
  const write = (file: string, text: string): string => {
    const path = join(folder, file);
    writeFileSync(path, text);
    return path;
  };
  const port = await freePort("127.0.0.1");
  const file = join(folder, "config");
  const setting = {
    folder,
    port,
    gateway: new URL(gatewayUrl).host,
    cert: write("cert.pem", cert),
    key: write("key.pem", key),
    pem: write("both.pem", `${cert}${key}`),
  };
  const [text, args] = PROXIES[name]?.configure(setting, file) ?? ["", []];
  write("config", text);
  const child = spawn(program, args, {
    env: { PATH: process.env["PATH"], HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (lines: string) => {
    stderr += lines;
  });
  const ended = new Promise<void>((done) => child.once("close", () => done()));
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `https://127.0.0.1:${port}`;
  await until(`${name} to answer`, async () => {
    if (child.exitCode !== null) throw new Error(`${name} exited ${child.exitCode}: ${stderr}`);
    return (await visit(`${url}/health`, {}).catch(() => undefined))?.status === 200;
  });
  return url;
};

interface Visit {
  readonly method?: string;
  /** The visitor's address. */
  readonly from?: string;
  readonly fields?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

/** One request of a visitor's to a proxy, on a connection of its own. */
const visit = (url: string, { method = "GET", from, fields = {}, body }: Visit) =>
  within(
    `${method} ${url}`,
    new Promise<{ status: number; body: string }>((settle, reject) => {
      const options = { method, headers: { ...fields }, agent: false, rejectUnauthorized: false };
      const outgoing = request(url, { ...options, ...(from && { localAddress: from }) }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        answer.on("error", reject);
        answer.on("end", () => settle({ status: answer.statusCode ?? 0, body: text }));
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    }),
  );

/** What a visitor may try, to be taken for another; different at each attempt. */
const spoofed = (attempt: number): Readonly<Record<string, string | string[]>> => ({
  "X-Forwarded-For": [`203.0.113.${attempt}`, "127.0.0.3"],
  X_Forwarded_For: `203.0.113.${attempt}`,
  Forwarded: `for=203.0.113.${attempt};proto=http;host=evil.example`,
  "X-Real-IP": `203.0.113.${attempt}`,
  "X-Forwarded-Proto": "http",
  "X-Forwarded-Host": "evil.example",
});

const programs = Object.keys(PROXIES).map((name) => ({ name, program: find(name) }));
const missing = programs.filter(({ program }) => program === undefined).map(({ name }) => name);
if (missing.length > 0) reportNeed(NEEDS.proxies, `${missing.join(", ")} not found`);

describe("behind a real proxy, with the lines of docs/serving.md", () => {
  for (const { name, program } of programs) {
    it(name, { skip: program === undefined && `${name} was not found` }, async (t) => {
      const echo = await startEcho(t);
      const services = { echo: echo.url, live: (await startSocketService(t)).url };
      const gateway = await startTestGateway(t, { trustProxy: "127.0.0.1", services });
      const john = await gateway.add("john");
      const url = await startProxy(t, name, program ?? "", gateway.url);
      const login = async (password: string, from: string, fields: Visit["fields"] = {}): Promise<number> => {
        const type = { "Content-Type": "application/x-www-form-urlencoded" };
        const body = new URLSearchParams({ username: "john", password }).toString();
        return (await visit(`${url}/auth/token`, { method: "POST", from, fields: { ...type, ...fields }, body }))
          .status;
      };

      const guesses = Array.from({ length: 12 }, (_, i) => login(`Guess-number-${i}`, "127.0.0.2", spoofed(i)));
      assert.deepEqual((await Promise.all(guesses)).sort(), [...Array<number>(10).fill(401), 429, 429]);
      assert.equal(await login(john.password, "127.0.0.2"), 429, "the visitor who guessed");
      assert.equal(await login(john.password, "127.0.0.3"), 200, "the one whom he named");
      assert.equal(await login(john.password, "127.0.0.4"), 200, "any other");

      const token = await gateway.tokenFor("jane");
      const answer = await visit(`${url}/api/echo`, {
        from: "127.0.0.5",
        fields: { ...bearer(token), ...spoofed(1) },
      });
      assert.equal(answer.status, 200, answer.body);
      const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
      assert.equal(headers["x-forwarded-for"], "127.0.0.5");
      assert.equal(headers["x-forwarded-proto"], "https");
      // With or without the port, which nginx's $host leaves out.
      assert.match(headers["x-forwarded-host"] ?? "", /^127\.0\.0\.1(:\d+)?$/);
      assert.doesNotMatch(answer.body, /evil|203\.0\.113/);
      assert.ok(!gateway.log.some((line) => line.includes('"peer"')), "nothing to complain of");

      const live = `${url}/api/live/room`;
      const { socket, closed, next } = await openSocket(live, { headers: bearer(token), rejectUnauthorized: false });
      socket.send("hello");
      assert.equal(await next(), "hello");
      await revokeClient(gateway.deps, "jane");
      assert.equal((await within("the end", closed)).code, 1008);
      const refused = openSocket(live, { headers: bearer(token), rejectUnauthorized: false });
      await assert.rejects(refused, /Unexpected server response: 401/);
    });
  }

  it("is reported when it was not left out", () => {
    if (missing.length === 0) reportNeed(NEEDS.proxies, undefined);
  });
});
