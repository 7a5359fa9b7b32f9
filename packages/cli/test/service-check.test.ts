import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { aigw, json, temporaryHome } from "./support/harness.ts";

const listening = async (t: TestContext, server: Server): Promise<string> => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** An upstream that is up. */
const upstream = async (t: TestContext, answer: RequestListener): Promise<{ url: string; methods: string[] }> => {
  const methods: string[] = [];
  const server = createServer((request, response) => {
    methods.push(`${request.method} ${request.url} ${request.headers["x-api-key"] ?? "no key"}`);
    answer(request, response);
  });
  return { url: await listening(t, server), methods };
};

test("service add looks at the upstream once, without its key, and says nothing when it answers", async (t) => {
  const home = temporaryHome(t);
  const { url, methods } = await upstream(t, (_, response) => response.writeHead(401).end());
  await aigw(home, ["init"]);
  const key = ["--header-env", "X-Api-Key=KEY"];
  const added = await aigw(home, ["service", "add", "ocr", `${url}/v1`, ...key], { env: { KEY: "secret-key" } });
  assert.deepEqual([added.code, added.stderr], [0, ""]);
  assert.deepEqual(methods, ["HEAD /v1 no key"]);

  const same = await aigw(home, ["service", "set", "ocr", "--timeout", "5s"]);
  assert.deepEqual([same.code, methods.length], [0, 1], "another fact is no reason to look");
  const unseen = await aigw(home, ["service", "add", "chat", url, "--no-check"]);
  assert.deepEqual([unseen.code, unseen.stderr, methods.length], [0, "", 1]);
  const moved = await aigw(home, ["service", "set", "ocr", "--url", url]);
  assert.deepEqual([moved.code, moved.stderr, methods.length], [0, "", 2]);
});

test("service add warns of an upstream that is down, and adds it all the same", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const down = await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1"]);
  assert.equal(down.code, 0);
  assert.match(down.stdout, /^ocr added: /);
  assert.equal(
    down.stderr,
    "warning: http://127.0.0.1:1 gives no answer: its host refused the connection, so nothing listens on that port " +
      "(refused, ECONNREFUSED). ocr is in place all the same. What to do: Start the service, or correct the port of " +
      "its URL. aigw service set ocr --url <url>\n",
  );
  const inJson = await aigw(home, ["service", "add", "tts", "http://127.0.0.1:1", "--json"]);
  assert.equal(json<{ service: { name: string } }>(inJson).service.name, "tts");
  assert.match(
    (JSON.parse(inJson.stderr) as { warning: { message: string } }).warning.message,
    /nothing listens on that port/,
  );
  const quiet = await aigw(home, ["service", "add", "stt", "http://127.0.0.1:1", "-q"]);
  assert.deepEqual([quiet.code, quiet.stdout], [0, "stt\n"]);

  const { url } = await upstream(t, (_, response) => response.writeHead(503).end());
  assert.match((await aigw(home, ["service", "add", "busy", url])).stderr, /^warning: http\S+ answers 503\. busy is/);
  assert.match((await aigw(home, ["service", "set", "busy", "--url", "http://127.0.0.1:1"])).stderr, /^warning: /);
  assert.deepEqual(
    (await aigw(home, ["service", "set", "busy", "--url", "http://127.0.0.1:2", "--no-check"])).stderr,
    "",
  );
});

test("service add does not wait long for an upstream that says nothing", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const silent = createTcpServer((socket) => t.after(() => socket.destroy()));
  const url = await listening(t, silent);
  const started = performance.now();
  const added = await aigw(home, ["service", "add", "ocr", url]);
  assert.ok(performance.now() - started < 8_000);
  assert.equal(added.code, 0);
  assert.match(added.stderr, /takes connections, but does not answer HEAD within 3 s\. ocr is in place all the same\./);
});
