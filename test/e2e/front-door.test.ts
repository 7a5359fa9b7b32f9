import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { cleanEnv, type RunningGateway, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, sendRaw, startEcho, tokenFor, type Upstream } from "../support/http.ts";
import { prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { rounds } from "../support/rounds.ts";
import { within } from "../support/until.ts";

const cleanUps: (() => unknown)[] = [];
const owner = { after: (work: () => unknown): void => void cleanUps.push(work) };
let echo: Upstream;
let gateway: RunningGateway;
let home = "";
let password = "";
let token = "";

before(async () => {
  echo = await startEcho(owner as never);
  const prepared = await prepareHome(owner as never, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
  home = prepared.home;
  password = prepared.passwords["john"] ?? "";
  gateway = await startGatewayProcess(owner as never, home);
  token = await tokenFor(gateway.url, "john", password);
});
after(async () => {
  for (const work of cleanUps.reverse()) await work();
});

const lines = (...all: string[]): string => `${all.join("\r\n")}\r\n\r\n`;
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
/** A call that is in order but for what a test adds to it. */
const call = (...more: string[]): string => lines("GET /api/echo HTTP/1.1", `Authorization: Bearer ${token}`, ...more);
const target = (path: string): string =>
  lines(`GET ${path} HTTP/1.1`, "Host: a", `Authorization: Bearer ${token}`, "Connection: close");

describe("the front door", () => {
  it("answers 400 or 501 to what can be read in two ways, closes, and the upstream sees nothing", async () => {
    const chunk = "5\r\nhello\r\n0\r\n\r\n";
    const cases: Record<string, readonly [string, number]> = {
      "two Host fields": [call("Host: a", "Host: a"), 400],
      "two different Host fields": [call("Host: a", "Host: b"), 400],
      "no Host": [call("Accept: */*"), 400],
      "an empty Host": [call("Host:"), 400],
      "a Host with a path": [call("Host: a/b"), 400],
      "a Host with user info": [call("Host: u@a"), 400],
      "a Host with a bad port": [call("Host: a:99999999"), 400],
      "a Host with spaces": [call("Host: a b"), 400],
      "absolute form with user info": [target("http://u:p@a/api/echo"), 400],
      "absolute form with another scheme": [target("ftp://a/api/echo"), 400],
      "TE gzip, chunked": [`${call("Host: a", "Transfer-Encoding: gzip, chunked")}${chunk}`, 501],
      "TE twice": [`${call("Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}${chunk}`, 0],
      "TE identity": [call("Host: a", "Transfer-Encoding: identity"), 0],
      "TE in HTTP/1.0": [`${call("Host: a", "Transfer-Encoding: chunked").replace("1.1", "1.0")}${chunk}`, 400],
      "CL and TE": [`${call("Host: a", "Content-Length: 5", "Transfer-Encoding: chunked")}${chunk}`, 400],
      "CL twice": [`${call("Host: a", "Content-Length: 5", "Content-Length: 6")}hello`, 400],
      "CL with a sign": [`${call("Host: a", "Content-Length: +5")}hello`, 400],
      "HTTP/2.0": [call("Host: a").replace("HTTP/1.1", "HTTP/2.0"), 400],
      "the HTTP/2 preface": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0],
      "a method that nobody knows": [call("Host: a").replace("GET", "BREW"), 501],
      "RTSP, with a method of its own": [
        call("Host: a").replace("GET", "DESCRIBE").replace("HTTP/1.1", "RTSP/1.0"),
        400,
      ],
      "RTSP, with one of HTTP": [call("Host: a").replace("HTTP/1.1", "RTSP/1.0"), 400],
      ICE: [call("Host: a").replace("GET", "SOURCE").replace("HTTP/1.1", "ICE/1.0"), 400],
      TRACE: [call("Host: a").replace("GET", "TRACE"), 405],
      CONNECT: [lines("CONNECT a:80 HTTP/1.1", "Host: a:80", `Authorization: Bearer ${token}`), 405],
      "a bare LF in a field": [call("Host: a", "X-Y: 1\nX-Z: 2"), 400],
      "a NUL in a field": [call("Host: a", "X-Y: \u0000"), 400],
      "a folded field": [call("Host: a", "X-Y: 1\r\n  2"), 400],
      "a space before the colon": [call("Host: a", "X-Y : 1"), 400],
      "a field without a name": [call("Host: a", ": 1"), 400],
      "an unknown expectation": [call("Host: a", "Expect: 200-maybe"), 417],
      "too many header bytes": [call("Host: a", `X-Y: ${"y".repeat(20_000)}`), 431],
    };
    const seen = echo.seen.length;
    for (const [name, [bytes, expected]] of Object.entries(cases)) {
      const answer = await sendRaw(gateway.url, bytes);
      const status = statusOf(answer);
      if (expected === 0) assert.ok(status === 400 || status === 501, `${name}: ${answer}`);
      else assert.equal(status, expected, `${name}: ${answer}`);
      assert.equal(answer.match(/HTTP\/1\.1 \d{3} /g)?.length, 1, `${name}: one answer`);
    }
    assert.equal(echo.seen.length, seen, "the upstream saw nothing");
  });

  it("refuses path tricks with 400; other paths go through byte for byte", async () => {
    const seen = echo.seen.length;
    const tricks = [
      "//x",
      "/../x",
      "/a/../x",
      "/%2e%2e/x",
      "/.%2E/x",
      "/a%2fb",
      "/a%5Cb",
      "/a\\b",
      "/./a",
      "/..;/x",
      "/%zz",
      "/a#b",
    ];
    const paths = [
      ...tricks.map((path) => `/api/echo${path}`),
      "/api//echo",
      "/api/../health",
      "//health",
      "/./health",
    ];
    for (const path of paths) assert.equal(statusOf(await sendRaw(gateway.url, target(path))), 400, path);
    assert.equal(echo.seen.length, seen, "the upstream saw nothing");
    const odd = "/a%20b/c;d=1/~e/%E2%82%AC/...?q=../x&r=%2f//\\&=";
    assert.equal(JSON.parse((await send(`${gateway.url}/api/echo${odd}`, { headers: bearer(token) })).body).url, odd);
  });

  it("answers Expect: 100-continue with a bad token by 401 and no 100, with a good one by 100 and 200", async () => {
    const expecting = (field: string): string =>
      lines(
        "POST /api/echo HTTP/1.1",
        "Host: a",
        field,
        "Expect: 100-continue",
        "Content-Length: 5",
        "Connection: close",
      );
    const seen = echo.seen.length;
    const refused = await sendRaw(gateway.url, expecting("Authorization: Bearer bad"));
    assert.equal(statusOf(refused), 401);
    assert.ok(!refused.includes("HTTP/1.1 100"), refused);
    assert.equal(echo.seen.length, seen);
    const served = await sendRaw(gateway.url, `${expecting(`Authorization: Bearer ${token}`)}hello`);
    assert.match(served, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  it("is not impressed by fields named like object members", async () => {
    const odd = ["__proto__: 1", "constructor: 2", "hasOwnProperty: 3", "toString: 4", "__proto__: 5"];
    const answer = await sendRaw(gateway.url, call("Host: a", "Connection: close", ...odd));
    assert.equal(statusOf(answer), 200, answer);
  });

  it("survives a thousand mutated requests: none makes it fail, and its memory stays flat", async (t) => {
    const count = rounds(1_000);
    const batch = async (size: number): Promise<void> => {
      const answers = Array.from({ length: size }, () => sendMutant(mutate(SEEDS[pick(SEEDS.length)]?.() ?? "")));
      for (const { bytes, answer } of await Promise.all(answers)) {
        for (const [, status] of answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
          assert.ok(Number(status) < 500 || status === "501", `${JSON.stringify(bytes)}: ${answer}`);
          tally.set(status ?? "", (tally.get(status ?? "") ?? 0) + 1);
        }
      }
    };
    const tally = new Map<string, number>();
    for (let i = 0; i < 4; i += 1) await batch(50);
    const start = residentMiB();
    for (let done = 0; done < count; done += 50) await batch(50);
    const grown = residentMiB() - start;
    t.diagnostic(`${JSON.stringify(Object.fromEntries([...tally].sort()))}, grown by ${grown.toFixed(1)} MiB`);
    assert.ok(grown < 64, `${grown} MiB`);
    assert.equal(gateway.child.exitCode, null);
    assert.equal((await send(`${gateway.url}/api/echo`, { headers: bearer(token) })).status, 200);
    assert.ok((tally.get("400") ?? 0) > 50 && (tally.get("200") ?? 0) > 5, "both kinds");
  });

  it("serves the quick reference of the client guide, unchanged", async (t) => {
    for (const program of ["bash", "curl", "python3"]) {
      if (spawnSync(program, ["--version"]).error === undefined) continue;
      process.stderr.write(`NOT RUN: the quick reference needs ${program}, which is not here.\n`);
      t.skip(`needs ${program}`);
      return;
    }
    const script = QUICK_REFERENCE.replaceAll("http://HOST:8080", gateway.url)
      .replace("YOUR_USERNAME", "john")
      .replace("YOUR_PASSWORD", password);
    const env = { ...cleanEnv(home), PATH: process.env["PATH"] };
    const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", script], { env, timeout: 15_000 });
    assert.equal(stdout, '{"status":"ok"}');
  });
});

const QUICK_REFERENCE = String.raw`# 1. Get token
TOKEN=$(curl -s -X POST "http://HOST:8080/auth/token" \
  -d "username=YOUR_USERNAME&password=YOUR_PASSWORD" | \
  python3 -c "import sys, json; print(json.load(sys.stdin)['access_token'])")

# 2. Use API
curl "http://HOST:8080/health" \
  -H "Authorization: Bearer $TOKEN"`;

const SEEDS: readonly (() => string)[] = [
  () => call("Host: a", "Connection: close"),
  () =>
    `${call("Host: a", "Connection: close", "Transfer-Encoding: chunked").replace("GET", "POST")}5\r\nhello\r\n0\r\n\r\n`,
  () => `${call("Host: a", "Connection: close", "Content-Length: 5").replace("GET", "PUT")}hello`,
  () => `${lines("POST /auth/token HTTP/1.1", "Host: a", "Content-Length: 27")}username=john&password=wrong`,
  () => lines("GET /health HTTP/1.1", "Host: a", "Accept: */*", "Connection: close"),
];
const SNIPPETS = [
  "\r\n",
  "\n",
  "\0",
  " ",
  ":",
  "%",
  "/..",
  "\xff",
  "Host: b\r\n",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: x\r\n",
];

const pick = (below: number): number => Math.floor(Math.random() * below);

/** One to three random edits. */
const mutate = (text: string): string => {
  let result = text;
  for (let edits = 1 + pick(3); edits > 0; edits -= 1) {
    const at = pick(result.length);
    const to = at + pick(8);
    const byte = String.fromCharCode(pick(256));
    const parts = [byte, "", result.slice(at, to).repeat(2), SNIPPETS[pick(SNIPPETS.length)] ?? ""];
    result = result.slice(0, at) + (parts[pick(parts.length)] ?? "") + result.slice(to);
  }
  return result;
};

/** Gives up on what the gateway rightly waits for more of. */
const PATIENCE_MS = 150;

const sendMutant = (bytes: string): Promise<{ bytes: string; answer: string }> => {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    answer += text;
  });
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  socket.on("connect", () => socket.write(bytes, "latin1"));
  const closed = new Promise<{ bytes: string; answer: string }>((settle) => {
    socket.on("error", () => settle({ bytes, answer }));
    socket.on("close", () => settle({ bytes, answer }));
  });
  return within("a mutated request", closed);
};

const residentMiB = (): number =>
  process.platform === "linux"
    ? Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.pid}/status`, "utf8"))?.[1]) / 1024
    : 0;
