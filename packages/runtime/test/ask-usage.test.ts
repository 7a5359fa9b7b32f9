import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { askUsage, MAX_ASKING } from "../src/meters/ask-usage.ts";
import { UsageEventFilter } from "../src/meters/usage-event-filter.ts";

const asked = (body: string): string | undefined => askUsage(Buffer.from(body))?.toString();

describe("asking for a stream's totals", () => {
  for (const [body, expected] of [
    ['{"model":"m","stream":true}', '{"model":"m","stream":true,"stream_options":{"include_usage":true}}'],
    ['{ "stream" : true }\n', '{ "stream" : true,"stream_options":{"include_usage":true} }\n'],
    ['{"stream":true,"stream_options":{}}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    [
      '{"stream_options": {"a":[1,"}"]} ,"stream":true}',
      '{"stream_options": {"a":[1,"}"],"include_usage":true} ,"stream":true}',
    ],
    ['{"stream":true,"stream_options":null}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    [
      '{"stream":true,"stream_options":{"include_usage":false}}',
      '{"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      '{"stream":true,"stream_options":{"include_usage": null }}',
      '{"stream":true,"stream_options":{"include_usage": true }}',
    ],
    ['{"str\\u0065am":true}', '{"str\\u0065am":true,"stream_options":{"include_usage":true}}'],
    [
      '{"a":"\\"stream\\":false \\\\","n":1.50e+3,"stream":true,"é":"\u2028"}',
      '{"a":"\\"stream\\":false \\\\","n":1.50e+3,"stream":true,"é":"\u2028","stream_options":{"include_usage":true}}',
    ],
  ] as const) {
    test(`sets it, and nothing else, in ${body.trim()}`, () => assert.equal(asked(body), expected));
  }

  for (const body of [
    '{"stream":true,"stream_options":{"include_usage":true}}',
    '{"stream":false}',
    '{"stream":null}',
    '{"stream":"true"}',
    "{}",
    "[]",
    "null",
    "",
    '{"stream":true',
    '{"stream":true}x',
    '{"a":{"stream":true}}',
    '{"stream":true,"stream":true}',
    '{"stream":true,"stream_options":{},"stream_options":{}}',
    '{"stream":true,"stream_options":{"include_usage":false,"include_usage":false}}',
    '{"stream":true,"stream_options":[]}',
    '{"stream":true,"stream_options":"x"}',
    '{"stream":true,"stream_options":{"include_usage":0}}',
  ]) {
    test(`leaves '${body}' as it is`, () => assert.equal(asked(body), undefined));
  }

  test("leaves what is larger than 1 MiB as it is, and reads what is not", () => {
    const body = (bytes: number): string => `{"a":"${"x".repeat(bytes - 22)}","stream":true}`;
    assert.equal(asked(`${body(MAX_ASKING)} `), undefined);
    assert.match(asked(body(MAX_ASKING - 10)) ?? "", /,"stream_options":\{"include_usage":true\}\}$/);
  });

  test("changes nothing that JSON.parse sees but this, whatever else is there", () => {
    const key = fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom("stream_options", "include_usage", "a"));
    const options = fc.option(fc.dictionary(key, fc.jsonValue({ maxDepth: 2 })), { nil: undefined });
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 3 })),
        options,
        fc.constantFrom(undefined, 2),
        (others, given, spaces) => {
          const body = { ...others, stream: true, ...(given !== undefined && { stream_options: given }) };
          const text = JSON.stringify(body, undefined, spaces);
          const changed = asked(text);
          const include = given?.["include_usage"];
          if (include !== undefined && include !== null && include !== false) assert.equal(changed, undefined);
          else
            assert.deepEqual(
              JSON.parse(changed ?? ""),
              JSON.parse(JSON.stringify({ ...body, stream_options: { ...given, include_usage: true } })),
            );
        },
      ),
      { numRuns: 300 },
    );
  });
});

const event = (value: unknown): string => `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`;
const chunk = (content: string): string =>
  event({ id: "c", model: "m", choices: [{ index: 0, delta: { content } }], usage: null });
const TOTALS = event({
  id: "c",
  object: "chat.completion.chunk",
  choices: [],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
});
const FILTERED = event({ choices: [], prompt_filter_results: [{ prompt_index: 0 }] });
const BEFORE = `: hello\n\n${FILTERED}${chunk("")}${chunk("a")}`;
const AFTER = `${chunk('"choices":[],"usage":{')}${event("[DONE]")}`;
const STREAM = BEFORE + TOTALS + AFTER;

const ENDINGS = {
  LF: (text: string) => text,
  CRLF: (text: string) => text.replaceAll("\n", "\r\n"),
  CR: (text: string) => text.replaceAll("\n", "\r"),
};

const filtered = (pieces: readonly Buffer[]): string => {
  const filter = new UsageEventFilter();
  const out = pieces.flatMap((piece) => filter.push(piece).map((part) => Buffer.from(part)));
  return Buffer.concat([...out, ...filter.end()]).toString();
};

describe("taking the totals out of a stream again", () => {
  for (const [name, ended] of Object.entries(ENDINGS)) {
    test(`leaves every other byte, wherever the pieces are cut; lines end with ${name}`, () => {
      const bytes = Buffer.from(ended(STREAM));
      const expected = ended(BEFORE + AFTER);
      assert.equal(filtered([bytes]), expected);
      assert.equal(filtered([...bytes].map((byte) => Buffer.of(byte))), expected);
      for (let at = 0; at <= bytes.length; at += 1) {
        assert.equal(filtered([bytes.subarray(0, at), bytes.subarray(at)]), expected, `cut at ${at}`);
        assert.equal(
          filtered([bytes.subarray(0, at), bytes.subarray(at, at + 3), bytes.subarray(at + 3)]),
          expected,
          `cut at ${at}`,
        );
      }
    });
  }

  test("an event goes out with the piece that ends it, and a beginning as soon as it cannot be the totals", () => {
    const filter = new UsageEventFilter();
    const push = (text: string): string => Buffer.concat(filter.push(Buffer.from(text))).toString();
    assert.equal(push(chunk("a")), chunk("a"));
    assert.equal(push(chunk("b") + chunk("c")), chunk("b") + chunk("c"));
    assert.equal(push('data: {"id":"c","choices":[{"in'), 'data: {"id":"c","choices":[{"in');
    assert.equal(push('dex":0}]}\n\n'), 'dex":0}]}\n\n');
    assert.equal(push("data: [D"), "data: [D");
    assert.equal(push("ONE]\n\n"), "ONE]\n\n");
    assert.equal(push('data: {"id":"c",'), "");
    assert.equal(push('"choices":[{}'), 'data: {"id":"c","choices":[{}');
    assert.equal(push("]}\n\n"), "]}\n\n");
    assert.equal(push(": ping\n\n"), ": ping\n\n");
    assert.equal(push(TOTALS.slice(0, -1)), "");
    assert.equal(push("\n"), "");
    assert.equal(push(event("[DONE]")), event("[DONE]"));
  });

  test("what is no such event passes, also when the stream breaks off in it", () => {
    for (const text of [
      TOTALS.slice(0, -20),
      event({ choices: [], usage: null }),
      event({ usage: { total_tokens: 1 } }),
      event({ choices: [{ index: 0 }], usage: { total_tokens: 5 } }),
      "data: {\n\n",
      "event: x\nid: 4\n\n",
      "\n\n\n",
      "data",
      "",
    ])
      for (const pieces of [[Buffer.from(text)], [...Buffer.from(text)].map((byte) => Buffer.of(byte))])
        assert.equal(filtered(pieces), text);
  });

  test("the totals of a stream that ends without its empty line are taken out", () => {
    assert.equal(filtered([Buffer.from(chunk("a") + TOTALS.trimEnd())]), chunk("a"));
  });

  test("an event that is too long to be held passes", () => {
    const long = event({ padding: "x".repeat(200_000), choices: [], usage: { total_tokens: 1 } });
    const bytes = Buffer.from(long);
    const pieces = Array.from({ length: 20 }, (_, i) => bytes.subarray(i * 10_100, (i + 1) * 10_100));
    assert.equal(filtered(pieces), long);
  });
});
