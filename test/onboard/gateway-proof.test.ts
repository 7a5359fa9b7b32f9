import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { aigw as inProcess, json, opened, type RunOptions } from "../../packages/cli/test/support/harness.ts";
import { aigwJson, startGatewayProcess } from "../support/aigw.ts";
import { selfSigned } from "../support/certificate.ts";
import { doctor } from "../support/doctor.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startEcho, startUpstream } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

const PATH = { PATH: process.env["PATH"] ?? "" };
const aigw = (home: string, argv: readonly string[], options: RunOptions = {}): ReturnType<typeof inProcess> =>
  inProcess(home, argv, { ...options, env: { ...PATH, ...options.env } });

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

interface Front {
  readonly url: string;
  readonly seen: Seen[];
}

/** Something between the client and the gateway, which keeps what goes through it. */
const startFront = async (
  t: TestContext,
  /** Where a request goes to; undefined: it is answered `says`. */
  onward: (path: string, seen: readonly Seen[]) => string | undefined,
  options: { readonly tls?: ReturnType<typeof selfSigned>; readonly says?: string } = {},
): Promise<Front> => {
  const seen: Seen[] = [];
  const handle: Parameters<typeof createServer>[1] = (incoming, outgoing) => {
    const [path, method] = [incoming.url ?? "/", incoming.method ?? "GET"];
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const target = onward(path, seen);
      const body = Buffer.concat(chunks);
      seen.push({ method, path, authorization: incoming.headers.authorization, body: body.toString() });
      if (target === undefined) return void outgoing.end(options.says ?? "hello");
      const call = request(target, { method, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      call.on("error", () => outgoing.destroy());
      call.end(body);
    });
  };
  const server = options.tls === undefined ? createServer(handle) : createTlsServer(options.tls, handle);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: options.tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`, seen };
};

const QUICK_START = /^The quick start works, with .*: \/auth\/token 200, \/api\/ocr 200\.$/m;

describe("a gateway proves that it belongs to the store", { concurrency: 3 }, () => {
  test("through HTTPS in front of it, below a path, with workers", async (t) => {
    const echo = await startEcho(t);
    const { home } = await prepareHome(t, { services: { ocr: echo.url } });
    const gateway = await startGatewayProcess(t, home, ["--workers", "2"]);
    const tls = selfSigned("front");
    const bundle = join(dirname(home), "ca.pem");
    writeFileSync(bundle, tls.cert);
    const front = await startFront(t, (path) => `${gateway.url}${path.replace(/^\/team\/ai/, "")}`, { tls });
    const { rev } = await aigwJson<{ rev: number }>(home, ["config", "set", "public-url", `${front.url}/team/ai`]);
    // Else it is asked once more, after a moment.
    await until("it to be in force", async () => {
      const { gateways } = await aigwJson<{ gateways: { appliedRev: number }[] }>(home, ["status"]);
      return gateways.every(({ appliedRev }) => appliedRev >= rev);
    });
    const { code, stderr } = await aigw(home, ["onboard", "john", "--create", "--email"], {
      env: { CURL_CA_BUNDLE: bundle },
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, QUICK_START);
    // Asked before the password was made, and again before it was sent.
    assert.deepEqual(
      front.seen.map(({ method, path }) => `${method} ${path.replace(/challenge=[\w-]{43}$/, "challenge")}`),
      [
        "GET /team/ai/auth/proof?challenge",
        "GET /team/ai/auth/proof?challenge",
        "POST /team/ai/auth/token",
        "GET /team/ai/api/ocr",
      ],
    );
    assert.notEqual(front.seen[0]?.path, front.seen[1]?.path, "a challenge is used once");
  });

  test("asked by Node, where there is no curl", async (t) => {
    const echo = await startEcho(t);
    const { home, url } = await startTestGateway(t, { services: { ocr: echo.url } });
    const front = await startFront(t, (path) => `${url}${path.replace(/^\/p/, "")}`);
    await aigw(home, ["config", "set", "public-url", `${front.url}/p`]);
    const { code, stderr } = await inProcess(home, ["onboard", "john", "--create"], { env: { PATH: "/nowhere" } });
    assert.equal(code, 0, stderr);
    assert.match(stderr, QUICK_START);
  });
});

describe("no password goes to", { concurrency: 3 }, () => {
  /** @returns what onboarding said, once it is sure that nothing was changed and nothing was told */
  const refused = async (t: TestContext, home: string, url: string, seen: readonly Seen[]): Promise<string> => {
    await aigw(home, ["config", "set", "public-url", url]);
    const { store } = await opened(t, home);
    const head = await store.control.head();
    const people = join(dirname(home), "people.csv");
    writeFileSync(people, "name\njohn\nmary\n");
    const one = await aigw(home, ["onboard", "john", "--email", "--yes"]);
    const many = await aigw(home, ["onboard", "--from", people, "--yes"]);
    for (const { code, stdout, stderr } of [one, many]) {
      assert.deepEqual([code, stdout], [1, ""], stderr);
      assert.match(stderr, /^error: .* Nothing was changed\. .*--no-verify\.\n$/);
    }
    assert.equal(one.stderr, many.stderr);
    assert.equal(await store.control.head(), head, "nothing was changed");
    assert.ok(seen.length > 0);
    for (const { method, path, authorization, body } of seen) {
      assert.deepEqual([method, authorization, body], ["GET", undefined, ""], path);
    }
    return one.stderr;
  };

  test("a gateway of another store", async (t) => {
    const other = await startTestGateway(t, {});
    const front = await startFront(t, (path) => `${other.url}${path}`);
    const { home } = await prepareHome(t, { clients: { john: {} } });
    assert.match(await refused(t, home, front.url, front.seen), /does not hold this store's key: .* another store, or/);
    const found = await doctor(home);
    assert.match(found.find("public_url_other_store").message, /does not hold this store's key/);
    assert.ok(!found.codes.includes("public_url_answers"));
  });

  test("somebody who has heard a gateway's answer to another challenge, or makes one up", async (t) => {
    const real = await startTestGateway(t, {});
    const { home } = real;
    const heard = await (await fetch(`${real.url}/auth/proof?challenge=${"A".repeat(43)}`)).text();
    const madeUp = JSON.stringify({ nonce: "", public_url: "", proof: "" });
    for (const says of [heard, madeUp]) {
      const front = await startFront(t, () => undefined, { says });
      assert.match(await refused(t, home, front.url, front.seen), /does not hold this store's key/);
    }
  });

  test("an aigw that cannot prove anything, as an earlier version", async (t) => {
    const real = await startTestGateway(t, {});
    const front = await startFront(t, (path) => `${real.url}${path.replace("/auth/proof", "/auth/nothing")}`);
    assert.match(await refused(t, real.home, front.url, front.seen), /cannot prove .*: it is of an earlier version/);
    const found = await doctor(real.home);
    assert.match(found.find("public_url_unproven").message, /cannot prove/);
  });

  test("a page, a redirect, an endless answer, or JSON of another kind", async (t) => {
    const { home } = await prepareHome(t, { clients: { john: {} } });
    const others: Parameters<typeof startUpstream>[1][] = [
      (_request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<h1>Welcome</h1>"),
      (_request, response) => response.writeHead(307, { Location: "https://elsewhere.example/x" }).end(),
      (_request, response) => response.end('{"nonce":1,"public_url":null,"proof":[]}'),
      (_request, response) => response.end("[]"),
      (_request, response) => response.end("x".repeat(300_000)),
      (_request, response) => response.writeHead(502, { Server: "nginx" }).end("Bad Gateway"),
    ];
    for (const handler of others) {
      const seen: Seen[] = [];
      const other = await startUpstream(t, (incoming, outgoing) => {
        const { method = "", url = "", headers } = incoming;
        seen.push({ method, path: url, authorization: headers.authorization, body: "" });
        handler(incoming, outgoing);
      });
      assert.match(await refused(t, home, other.url, seen), /is not an aigw gateway|redirects to https:\/\/elsewhere/);
    }
  });

  test("somebody who passes the challenge on to a gateway that is reached elsewhere", async (t) => {
    const real = await startTestGateway(t, {});
    const { home } = real;
    await aigw(home, ["config", "set", "public-url", real.url]);
    const front = await startFront(t, (path) => `${real.url}${path}`);
    const env = { AIGW_PUBLIC_URL: front.url };
    const { code, stderr } = await aigw(home, ["onboard", "john", "--create"], { env });
    assert.equal(code, 1);
    assert.match(stderr, /belongs to this store, but says that clients reach it at http:\S+: .* Nothing was changed/);
    assert.ok(front.seen.every(({ method, body }) => method === "GET" && body === ""));
    assert.equal(await real.store.control.client("john"), undefined);
    const found = await doctor(home, [], env);
    assert.ok(found.find("public_url_mismatch").message.includes(real.url));
  });

  test("whoever takes the gateway's place in the middle of a batch", async (t) => {
    const echo = await startEcho(t);
    const real = await startTestGateway(t, { services: { ocr: echo.url } });
    const { home } = real;
    const posts = (seen: readonly Seen[]): number => seen.filter(({ method }) => method === "POST").length;
    const taken: string[] = [];
    const says = '{"access_token":"a.b.c","token_type":"bearer","expires_in":3600}';
    const onward = (path: string, seen: readonly Seen[]): string | undefined => {
      if (posts(seen) < 2 || path.startsWith("/api/")) return `${real.url}${path}`;
      taken.push(path);
      return undefined;
    };
    const front = await startFront(t, onward, { says });
    await aigw(home, ["config", "set", "public-url", front.url]);
    const people = join(dirname(home), "people.csv");
    writeFileSync(people, `name\n${["ann", "bob", "carl", "dora", "emil"].join("\n")}\n`);
    const result = await aigw(home, ["onboard", "--from", people, "--create", "--json"]);
    assert.equal(result.code, 1);
    const { clients } = json<{ clients: { password: string | null; problem: string | null }[] }>(result);
    assert.deepEqual(
      clients.map(({ password, problem }) => [password === null, problem === null]),
      [...Array(2).fill([false, true]), ...Array(3).fill([true, false])],
    );
    assert.match(clients[2]?.problem ?? "", /is not an aigw gateway/);
    assert.equal(posts(front.seen), 2);
    assert.ok(taken.length >= 3 && taken.every((path) => path.startsWith("/auth/proof?")), String(taken));
  });
});
