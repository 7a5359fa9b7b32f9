import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { aigw, json, type Outcome, temporaryHome } from "./support/harness.ts";

interface ServiceFacts {
  readonly meter: string | null;
  readonly askUsage: boolean;
  readonly prices: readonly { readonly model: string | null; readonly prices: readonly string[] }[];
}

const setUp = async (t: TestContext, ...flags: string[]) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  await aigw(home, ["service", "add", "chat", "http://127.0.0.1:1", "--no-check", ...flags]);
  const on = (...argv: string[]): Promise<Outcome> => aigw(home, argv);
  const shown = async (): Promise<ServiceFacts> =>
    json<{ service: ServiceFacts }>(await on("service", "show", "chat", "--json")).service;
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(home, name), content);
    return name;
  };
  return { on, shown, file };
};

test("a service's meter is set, shown, replaced and taken away, and what else it has stays", async (t) => {
  const { on, shown } = await setUp(t, "--meter", "openai, request:seconds=audio", "--ask-usage");
  const { meter, askUsage } = await shown();
  assert.deepEqual([meter, askUsage], ["openai,request:seconds=audio", true]);
  assert.match((await on("service", "list")).stdout, /chat +http:\/\/127\.0\.0\.1:1 .*openai,request:seconds=audio/);
  await on("price", "set", "chat", "input_tokens=0.15/1M");
  const set = await on("service", "set", "chat", "--meter", "anthropic", "--no-ask-usage", "--timeout", "5m");
  assert.equal(set.code, 0);
  assert.deepEqual(await shown().then(({ meter: now, askUsage: asks, prices }) => [now, asks, prices]), [
    "anthropic",
    false,
    [{ model: null, prices: ["input_tokens=0.15/1M"] }],
  ]);
  assert.match((await on("audit", "list", "-n", "1")).stdout, /meter openai,request:seconds=audio → anthropic/);
  assert.match((await on("service", "set", "chat", "--meter", "anthropic")).stdout, /like that already/);
  await on("service", "set", "chat", "--meter", "none");
  assert.equal((await shown()).meter, null);
  const wrong = await on("service", "set", "chat", "--meter", "opanai");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--meter: meter 'opanai' is not valid: use openai, anthropic/);
});

test("price set, list and remove: by unit and model, checked, with what nothing reads named", async (t) => {
  const { on, shown } = await setUp(t, "--meter", "openai");
  await on("config", "set", "currency", "EUR");
  const set = await on("price", "set", "chat", "input_tokens=0.15/1M", "output_tokens=0.60/1M");
  assert.deepEqual([set.code, set.stderr], [0, ""]);
  assert.match(set.stdout, /^chat costs input_tokens=0\.15\/1M, output_tokens=0\.6\/1M from now on\. /);
  await on("price", "set", "chat", "output_tokens=2.5/1M", "--model", "llama*");
  await on("price", "set", "chat", "output_tokens=0.50/1M");
  assert.deepEqual((await shown()).prices, [
    { model: null, prices: ["input_tokens=0.15/1M", "output_tokens=0.5/1M"] },
    { model: "llama*", prices: ["output_tokens=2.5/1M"] },
  ]);
  assert.match((await on("price", "set", "chat", "output_tokens=0.50/1M")).stdout, /^chat costs that already\./);
  assert.deepEqual(json(await on("price", "list", "--json")), {
    currency: "EUR",
    prices: [
      { service: "chat", model: null, unit: "input_tokens", price: "0.15/1M" },
      { service: "chat", model: null, unit: "output_tokens", price: "0.5/1M" },
      { service: "chat", model: "llama*", unit: "output_tokens", price: "2.5/1M" },
    ],
  });
  assert.match((await on("price", "list")).stdout, /PRICE \(EUR\)[\s\S]*llama\*/);
  const [, , forLlama = ""] = (await on("price", "list", "-q")).stdout.split("\n");
  assert.equal(forLlama, "chat output_tokens=2.5/1M --model 'llama*'");

  const unread = await on("price", "set", "chat", "pages=0.01", "requests=0.001");
  assert.equal(unread.code, 0);
  assert.match(unread.stderr, /^warning: Nothing reads pages of chat: its meter reads input_tokens, /);
  for (const [argv, said] of [
    [["chat", "pages=1e3"], /price 'pages=1e3' is not valid/],
    [["chat", "pages=0.01", "pages=0.02"], /pages is priced twice/],
    [["chat", "cost=1"], /cost is what prices make/],
    [["chat"], /Missing argument <unit=price>/],
    [["chat", "pages=1", "--model", "a b"], /--model: model 'a b' is not valid/],
  ] as const) {
    const refused = await on("price", "set", ...argv);
    assert.equal(refused.code, 2, argv.join(" "));
    assert.match(refused.stderr, said);
  }
  const nobody = await on("price", "set", "chta", "pages=1");
  assert.equal(nobody.code, 3);
  assert.match(nobody.stderr, /no service 'chta'.*Did you mean chat/);

  assert.equal((await on("price", "remove", "chat")).code, 2, "unasked");
  assert.match((await on("price", "remove", "chat", "page", "--yes")).stderr, /no price of page .*Did you mean pages/);
  assert.equal((await on("price", "remove", "chat", "--model", "gpt*", "--yes")).code, 3);
  await on("price", "remove", "chat", "pages", "requests", "--yes");
  await on("price", "remove", "chat", "--model", "llama*", "--yes");
  assert.deepEqual(
    (await shown()).prices.map(({ model }) => model),
    [null],
  );
  await on("price", "remove", "chat", "--yes");
  assert.deepEqual((await shown()).prices, []);
  assert.match((await on("price", "list")).stderr, /There is no price yet/);
  assert.match((await on("audit", "list", "-n", "3")).stdout, /prices of llama\* output_tokens=2\.5\/1M → none/);
});

interface Tried {
  readonly metered: string;
  readonly units: Readonly<Record<string, number>>;
  readonly model: string | null;
  readonly unread: string | null;
  readonly cost: number | null;
}

test("service meter --try says what a meter reads from an answer that was kept, and why it does not", async (t) => {
  const { on, file } = await setUp(t, "--meter", "openai");
  await on("price", "set", "chat", "input_tokens=0.15/1M", "output_tokens=0.60/1M");
  const tried = async (...argv: string[]): Promise<Tried> =>
    json<Tried>(await on("service", "meter", "chat", "--json", ...argv));

  const usage = '"model":"llama3","usage":{"prompt_tokens":1000,"completion_tokens":500}';
  const plain = file("answer.json", `{"choices":[{}],${usage}}`);
  const read = await tried("--try", plain);
  assert.deepEqual(
    [read.metered, read.units, read.model, read.unread, read.cost],
    ["yes", { input_tokens: 1_000, output_tokens: 500 }, "llama3", null, 0.00045],
  );
  // A stream, by its looks; and an answer with its head, as `curl -i` writes it, compressed or not.
  const stream = file(
    "answer.sse",
    `data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"choices":[],${usage}}\n\ndata: [DONE]\n\n`,
  );
  assert.equal((await tried("--try", stream)).units["output_tokens"], 500);
  const head =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nX-Pages: 3\r\n\r\n";
  const body = `{${usage}}`;
  const kept = file("answer.http", Buffer.concat([Buffer.from(head), gzipSync(body)]));
  assert.equal((await tried("--try", kept)).units["input_tokens"], 1_000);
  const decoded = file("decoded.http", head + body);
  assert.equal((await tried("--try", decoded)).units["input_tokens"], 1_000);
  assert.deepEqual((await tried("--try", kept, "--meter", "header:pages=X-Pages")).units, { pages: 3 });
  assert.equal(
    (
      await tried(
        "--try",
        file("ollama.ndjson", '{"response":"a"}\n{"done":true,"eval_count":7}\n'),
        "--meter",
        "ollama",
      )
    ).units["output_tokens"],
    7,
  );

  const empty = await tried("--try", file("empty.json", '{"choices":[]}'));
  assert.deepEqual([empty.metered, empty.units, empty.unread, empty.cost], ["no", {}, "not_found", null]);
  assert.match(
    (await on("service", "meter", "chat", "--try", "empty.json")).stdout,
    /Why not +the answer was read, and none of the meter's units is in it \(not_found\)/,
  );
  assert.equal((await tried("--try", plain, "--type", "text/html")).unread, "unknown_type");
  assert.equal((await tried("--try", plain, "--status", "500", "--meter", "json:pages=/pages")).unread, "failed");
  const speech = file("say.wav", wav(3));
  const text = file("say.srt", "1\n00:00:00,000 --> 00:00:03,000\nhello\n");
  const heard = await tried("--try", text, "--request", speech, "--meter", "openai,request:seconds=audio");
  assert.deepEqual(heard.units, { seconds: 3 });
  assert.equal(
    (await on("service", "meter", "chat", "--try", plain, "-q")).stdout,
    "input_tokens=1000\noutput_tokens=500\n",
  );

  for (const [argv, said] of [
    [["--try", "nowhere.json"], /--try: .*nowhere\.json cannot be read: there is no such file/],
    [["--meter", "openai"], /Name a file with an answer: --try/],
    [["--try", plain, "--meter", "none"], /chat has no meter/],
  ] as const) {
    const refused = await on("service", "meter", "chat", ...argv);
    assert.equal(refused.code, 2, argv.join(" "));
    assert.match(refused.stderr, said);
  }
  assert.match(
    (await on("service", "meter", "chat")).stdout,
    /Units +input_tokens, output_tokens[\s\S]*Prices +input_tokens=0\.15\/1M/,
  );
});

/** So many seconds of silence: 8,000 bytes each. */
const wav = (seconds: number): Buffer => {
  const data = Buffer.alloc(seconds * 8_000);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8_000, 24);
  head.writeUInt32LE(8_000, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
};
