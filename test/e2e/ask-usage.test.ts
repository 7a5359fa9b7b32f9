import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { setService, type UsageEvent } from "@aigw/core";
import { startTestGateway } from "../support/gateway.ts";
import { startUpstream } from "../support/http.ts";
import { until, within } from "../support/until.ts";

/** What a service that speaks the OpenAI API was asked, and how. */
interface Asked {
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

const CHUNK = 'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\n';
const TOTALS = 'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n';
const DONE = "data: [DONE]\n\n";
/** As a service may send what is too short to be worth compressing: with the text in it as it is. */
const stored = (text: string): Buffer => gzipSync(text, { level: 0 });

test("a stream is asked for its totals where the client did not, and the client sees what it asked for", async (t) => {
  let asked: Asked | undefined;
  let zips = false;
  const speak = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    asked = { body, headers: incoming.headers };
    const includes = body.includes('"include_usage":true');
    const stream = CHUNK + CHUNK + (includes ? TOTALS : "") + DONE;
    response.writeHead(200, { "Content-Type": "text/event-stream", ...(zips && { "Content-Encoding": "gzip" }) });
    if (zips) response.end(stored(stream));
    else {
      // In pieces that end within events.
      for (let at = 0; at < stream.length; at += 37) {
        response.write(stream.slice(at, at + 37));
        await new Promise(setImmediate);
      }
      response.end();
    }
  };
  const upstream = await startUpstream(t, (incoming, response) => void speak(incoming, response));
  const gateway = await startTestGateway(t, { services: { chat: upstream.url } });
  const { rev } = await setService(gateway.deps, "chat", { meter: "openai", askUsage: true });
  const token = await gateway.tokenFor("ann", { limit: 600 });
  await gateway.applied(rev);
  const events = async (): Promise<readonly UsageEvent[]> => (await gateway.store.traffic.latestUsage({}, 90)).events;
  const call = async (
    body: string | Buffer,
    options: { path?: string; headers?: Record<string, string>; chunked?: boolean; pieces?: number } = {},
  ): Promise<{ content: Buffer; event: UsageEvent; asked: Asked }> => {
    const before = (await events()).length;
    asked = undefined;
    const bytes = Buffer.from(body);
    const outgoing = request(`${gateway.url}/api/chat${options.path ?? "/v1/chat/completions"}`, {
      method: "POST",
      agent: false,
      headers: {
        Authorization: `Bearer ${token}`,
        "Content-Type": "application/json; charset=utf-8",
        "Accept-Encoding": "gzip, br",
        ...(options.chunked !== true && { "Content-Length": String(bytes.length) }),
        ...options.headers,
      },
    });
    const step = options.pieces ?? bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      outgoing.write(bytes.subarray(at, at + step));
      await new Promise(setImmediate);
    }
    outgoing.end();
    const [answer] = await within("an answer", once(outgoing, "response"));
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    await until("the event", async () => (await events()).length > before);
    return {
      content: Buffer.concat(chunks),
      event: (await events()).at(-1) as UsageEvent,
      asked: asked as unknown as Asked,
    };
  };
  const units = { input_tokens: 7_000_000, output_tokens: 2_000_000 };
  const plain = '{"model":"m","stream": true,"n":1.0}';
  const wanted = '{"model":"m","stream": true,"n":1.0,"stream_options":{"include_usage":true}}';

  const first = await call(plain);
  assert.equal(first.asked.body, wanted);
  assert.equal(first.asked.headers["content-length"], String(wanted.length));
  assert.equal(first.asked.headers["accept-encoding"], "identity");
  assert.equal(first.content.toString(), CHUNK + CHUNK + DONE);
  const { event } = first;
  assert.deepEqual(
    [event.units, event.metered, event.bytesIn, event.bytesOut],
    [units, "yes", plain.length, first.content.length],
  );

  // Its own wish is its own to see, and every byte of it stays.
  const own = '{"stream":true, "stream_options": {"include_usage":true}}';
  const asking = await call(own);
  assert.equal(asking.asked.body, own);
  assert.equal(asking.asked.headers["accept-encoding"], "gzip, br");
  assert.equal(asking.content.toString(), CHUNK + CHUNK + TOTALS + DONE);

  // A large one that comes in pieces; one that asks for no stream; a completion with a query.
  const large = `{"stream":true,"messages":["${"x".repeat(600_000)}"]}`;
  const big = await call(large, { pieces: 50_000 });
  assert.equal(big.asked.body.length, large.length + ',"stream_options":{"include_usage":true}'.length);
  assert.deepEqual([big.content.toString(), big.event.bytesIn], [CHUNK + CHUNK + DONE, large.length]);
  const still = await call('{"stream":false}');
  assert.equal(still.asked.body, '{"stream":false}');
  assert.match((await call(plain, { path: "/v1/completions?x=1" })).asked.body, /include_usage/);

  // Left alone, byte for byte: what is compressed, chunked, too large, no JSON, another endpoint's, or not on offer.
  const tooLarge = `{"stream":true,"messages":["${"x".repeat(1024 * 1024)}"]}`;
  for (const [what, body, options] of [
    ["compressed", gzipSync(plain), { headers: { "Content-Encoding": "gzip" } }],
    ["chunked", plain, { chunked: true }],
    ["too large", tooLarge, {}],
    ["no JSON by its type", plain, { headers: { "Content-Type": "text/plain" } }],
    ["no JSON", `${plain}x`, {}],
    ["another endpoint", plain, { path: "/v1/responses" }],
  ] as const) {
    const left = await call(body, options);
    assert.ok(!left.asked.body.includes("include_usage"), what);
    assert.equal(left.asked.headers["accept-encoding"], "gzip, br", what);
    assert.equal(left.content.toString(), CHUNK + CHUNK + DONE, what);
    // Pieces were counted in their place.
    assert.deepEqual([left.event.metered, left.event.units], ["estimated", { output_tokens: 2_000_000 }], what);
  }

  // Compressed all the same: passed on as it is, and read.
  zips = true;
  const zipped = await call(plain);
  assert.deepEqual(zipped.content, stored(CHUNK + CHUNK + TOTALS + DONE));
  assert.deepEqual(zipped.event.units, units);
  zips = false;

  await gateway.applied((await setService(gateway.deps, "chat", { askUsage: false })).rev);
  assert.equal((await call(plain)).asked.body, plain);
});

test("the first event of an asked stream is there before the second is written", async (t) => {
  const gates: (() => void)[] = [];
  const upstream = await startUpstream(t, (incoming, response) => {
    incoming.resume();
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(CHUNK);
    gates.push(() => response.end(TOTALS + DONE));
  });
  const gateway = await startTestGateway(t, { services: { chat: upstream.url } });
  const { rev } = await setService(gateway.deps, "chat", { meter: "openai", askUsage: true });
  const token = await gateway.tokenFor("ann");
  await gateway.applied(rev);
  const answer = await fetch(`${gateway.url}/api/chat/v1/chat/completions`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: '{"stream":true}',
  });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const { value } = await within("the first event", reader.read());
  assert.equal(Buffer.from(value ?? []).toString(), CHUNK);
  gates[0]?.();
  let rest = "";
  for (let next = await reader.read(); !next.done; next = await reader.read())
    rest += Buffer.from(next.value).toString();
  assert.equal(rest, DONE);
});

test("a client that stops in the middle of what is to be had whole is to blame, and the service sees nothing", async (t) => {
  let called = 0;
  const upstream = await startUpstream(t, (_, response) => {
    called += 1;
    response.end();
  });
  const gateway = await startTestGateway(t, { services: { chat: upstream.url } });
  const { rev } = await setService(gateway.deps, "chat", { askUsage: true, idleTimeoutMs: 300 });
  const token = await gateway.tokenFor("ann");
  await gateway.applied(rev);
  const half = request(`${gateway.url}/api/chat/v1/chat/completions`, {
    method: "POST",
    agent: false,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Content-Length": "1000" },
  });
  half.on("error", () => undefined);
  half.write('{"stream":');
  const [answer] = await within("an answer", once(half, "response"));
  assert.equal(answer.statusCode, 408);
  half.destroy();
  const gone = request(`${gateway.url}/api/chat/v1/chat/completions`, {
    method: "POST",
    agent: false,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Content-Length": "1000" },
  });
  gone.on("error", () => undefined);
  gone.write('{"stream":');
  setTimeout(() => gone.destroy(), 50);
  await until("both to be recorded", async () => {
    const { events } = await gateway.store.traffic.latestUsage({}, 9);
    return events.length === 2 && events.every(({ outcome }) => outcome === "aborted");
  });
  assert.equal(called, 0);
});
