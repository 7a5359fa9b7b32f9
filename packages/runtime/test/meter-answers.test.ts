import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { parseMeters } from "@aigw/core/meters";
import type { Reading } from "../src/meters/reading.ts";
import { ServiceMeter } from "../src/meters/service-meter.ts";
import { threadMs } from "./meter-fixtures.ts";
import { SHAPES, type Shape } from "./meter-shapes.ts";
import { within } from "./proxy-fixtures.ts";

interface Answer {
  readonly status?: number | undefined;
  readonly fields?: readonly string[] | undefined;
  readonly trailers?: readonly string[] | undefined;
  readonly pieces: readonly Buffer[];
  readonly isWhole?: boolean;
}

/** The same buffer for each piece, as a connection has it: what a meter keeps of one would be overwritten. */
const READ_BUFFER = Buffer.alloc(1024 * 1024);

const readOne = (
  meter: ServiceMeter,
  { status = 200, fields = [], trailers = [], pieces, isWhole = true }: Answer,
): Promise<Reading> =>
  within(
    new Promise((resolve) => {
      const reader = meter.start();
      reader.onHead(status, fields);
      for (const piece of pieces) {
        const shared = READ_BUFFER.subarray(0, piece.copy(READ_BUFFER));
        reader.onContent(shared);
        shared.fill(0x2a);
      }
      reader.onEnd(trailers, isWhole, { onReading: resolve });
    }),
    "a reading",
  );

const meterOf = (meter: string): ServiceMeter => new ServiceMeter(parseMeters(meter));

const answerOf = (shape: Shape, pieces: readonly Buffer[], more: readonly string[] = []): Answer => ({
  status: shape.status,
  trailers: shape.trailers,
  fields: [...(shape.type === "" ? [] : ["Content-Type", shape.type]), ...(shape.fields ?? []), ...more],
  pieces,
});

const expectedOf = ({ units, model, metered, problem }: Shape): Reading => ({
  units: Object.fromEntries(Object.entries(units).map(([unit, value]) => [unit, Math.round(value * 1e6)])),
  ...(problem === undefined
    ? { metered: metered ?? "yes", from: "answer" }
    : { metered: "no", problem: problem as NonNullable<Reading["problem"]> }),
  ...(model !== undefined && { model }),
});

const cut = (bytes: Buffer, at: number): Buffer[] => [bytes.subarray(0, at), bytes.subarray(at)];
const byteByByte = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.of(byte));

const CODINGS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }),
  zstd: zstdCompressSync,
};

describe("what is read from an answer", () => {
  for (const shape of SHAPES) {
    test(`${shape.name}, cut at every byte`, async () => {
      const meter = meterOf(shape.meter);
      const bytes = Buffer.from(shape.content);
      const expected = expectedOf(shape);
      assert.deepEqual(await readOne(meter, answerOf(shape, [bytes])), expected);
      assert.deepEqual(await readOne(meter, answerOf(shape, byteByByte(bytes))), expected);
      for (let at = 1; at < bytes.length; at += 1)
        assert.deepEqual(await readOne(meter, answerOf(shape, cut(bytes, at))), expected, `cut at ${at}`);
    });
  }

  test("is the same when it is compressed, whatever its pieces", async () => {
    for (const shape of SHAPES.filter(({ content }, i) => content !== "" && i % 2 === 0)) {
      const meter = meterOf(shape.meter);
      for (const [coding, compress] of Object.entries({ ...CODINGS, "x-gzip": gzipSync, Deflate: deflateRawSync })) {
        const bytes = compress(Buffer.from(shape.content));
        for (const pieces of [[bytes], cut(bytes, 5), byteByByte(bytes)])
          assert.deepEqual(
            await readOne(meter, answerOf(shape, pieces, ["Content-Encoding", coding])),
            expectedOf(shape),
            `${shape.name}, ${coding}, ${pieces.length} pieces`,
          );
      }
    }
  });

  test("does not change with how an event stream's lines end and what stands between them", async () => {
    const shape = SHAPES.find(({ name }) => name === "OpenAI chat stream with include_usage");
    assert.ok(shape);
    const meter = meterOf("openai");
    const variants = {
      CRLF: shape.content.replaceAll("\n", "\r\n"),
      CR: shape.content.replaceAll("\n", "\r"),
      "comments and other fields": shape.content.replaceAll(
        "data: ",
        ": keep-alive\nid: 7\nretry: 10\nevent: x\ndatax: {}\ndata: ",
      ),
      "no space behind the colon": shape.content.replaceAll("data: ", "data:"),
      "a byte order mark": `\ufeff${shape.content}`,
      "data in many lines": shape.content.replaceAll(/,"(?=[a-z])/g, ',\ndata: "'),
      "empty lines of data": shape.content.replaceAll("data: {", "data\ndata:\ndata: {"),
      "no end": shape.content.trimEnd(),
      "empty lines": shape.content.replaceAll("\n\n", "\n\n\n\n"),
    };
    for (const [name, content] of Object.entries(variants)) {
      const bytes = Buffer.from(content);
      for (const pieces of [[bytes], byteByByte(bytes), ...Array.from({ length: 40 }, (_, i) => cut(bytes, i * 7 + 1))])
        assert.deepEqual(await readOne(meter, answerOf(shape, pieces)), expectedOf(shape), `${name}, ${pieces.length}`);
    }
  });

  test("is of this call, and nothing of the one before", async () => {
    const meter = meterOf("openai,header:pages=X-Pages");
    const reader = meter.start();
    reader.onHead(200, ["Content-Type", "application/json", "X-Pages", "9"]);
    reader.onContent(Buffer.from('{"model":"secret","usage":{"prompt_tokens":5},"choices":[{"delta":{"content":"x'));
    const first = await new Promise<Reading>((resolve) => reader.onEnd([], false, { onReading: resolve }));
    assert.deepEqual(first.units, { pages: 9_000_000 });
    assert.equal(meter.start(), reader);
    reader.onHead(200, ["Content-Type", "application/json"]);
    reader.onContent(Buffer.from('{"usage":{}}'));
    const second = await new Promise<Reading>((resolve) => reader.onEnd([], true, { onReading: resolve }));
    assert.deepEqual(second, { units: {}, metered: "no", problem: "not_found" });
  });
});

describe("an answer that breaks off", () => {
  const streams = SHAPES.filter(({ type, meter }) => /event-stream|ndjson/.test(type) && !meter.startsWith("json"));
  for (const shape of streams) {
    test(`${shape.name}: whatever was read is said to be estimated or not read at all, until its totals have come`, async () => {
      const meter = meterOf(shape.meter);
      const bytes = Buffer.from(shape.content);
      const whole = expectedOf(shape);
      for (let at = 0; at <= bytes.length; at += 1) {
        const reading = await readOne(meter, { ...answerOf(shape, [bytes.subarray(0, at)]), isWhole: false });
        if (reading.metered === "no") assert.equal(reading.problem, "cut");
        else if (reading.metered === "yes" && !/continuous/.test(shape.name))
          assert.deepEqual(reading.units, whole.units, `at ${at}`);
        else for (const value of Object.values(reading.units)) assert.ok(value >= 0);
      }
    });
  }

  test("is read as a document only when it is whole", async () => {
    const meter = meterOf("openai");
    const fields = ["Content-Type", "application/json"];
    const content = Buffer.from('{"usage":{"prompt_tokens":5}}');
    const reading = await readOne(meter, { fields, pieces: [content.subarray(0, -1)], isWhole: false });
    assert.deepEqual(reading, { units: {}, metered: "no", problem: "cut" });
  });

  test("counts the pieces that came", async () => {
    const event = (text: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`;
    const pieces = [Buffer.from(event("a") + event("") + event("b") + event("c").slice(0, -5))];
    const reading = await readOne(meterOf("openai"), {
      fields: ["Content-Type", "text/event-stream"],
      pieces,
      isWhole: false,
    });
    assert.deepEqual(reading, { units: { output_tokens: 2_000_000 }, metered: "estimated", from: "answer" });
  });

  test("is decompressed as far as it came", async () => {
    const event = (i: number): string => `data: ${JSON.stringify({ choices: [{ delta: { content: `w${i}` } }] })}\n\n`;
    const compressed = gzipSync(Buffer.from(Array.from({ length: 2_000 }, (_, i) => event(i)).join("")));
    const fields = ["Content-Type", "text/event-stream", "Content-Encoding", "gzip"];
    const reading = await readOne(meterOf("openai"), {
      fields,
      pieces: [compressed.subarray(0, -100)],
      isWhole: false,
    });
    assert.equal(reading.metered, "estimated");
    assert.ok((reading.units["output_tokens"] ?? 0) > 100e6);
  });
});

describe("a hostile answer", () => {
  const JSON_FIELDS = ["Content-Type", "application/json"];
  const pieces = (bytes: Buffer): Buffer[] =>
    Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, i) => bytes.subarray(i * 65_536, (i + 1) * 65_536));

  for (const [coding, compress] of Object.entries(CODINGS)) {
    test(`a bomb in ${coding} is not unpacked`, async () => {
      const bomb = compress(Buffer.concat([Buffer.from("["), Buffer.alloc(48 * 1024 * 1024, "1,")]));
      const before = process.memoryUsage.rss();
      const started = threadMs();
      const reading = await readOne(meterOf("json:pages=/pages"), {
        fields: [...JSON_FIELDS, "Content-Encoding", coding],
        pieces: pieces(bomb),
      });
      assert.deepEqual(reading, { units: {}, metered: "no", problem: "too_large" });
      assert.ok(threadMs() - started < 2_000);
      assert.ok(process.memoryUsage.rss() - before < 64 * 1024 * 1024);
    });
  }

  test("a bomb of events is unpacked up to 16 MiB and 64 times what came, and a long stream to its end", async () => {
    const reading = await readOne(meterOf("json:pages=/pages"), {
      fields: ["Content-Type", "text/event-stream", "Content-Encoding", "gzip"],
      pieces: pieces(gzipSync(Buffer.alloc(40 * 1024 * 1024, "d"), { level: 1 })),
    });
    assert.deepEqual(reading, { units: {}, metered: "no", problem: "too_large" });
    const event = (i: number): string => `data: {"pages":${i},"x":"${(i * 7919).toString(36).repeat(90)}"}\n\n`;
    const long = Buffer.from(Array.from({ length: 45_000 }, (_, i) => event(i)).join(""));
    assert.ok(long.length > 17 * 1024 * 1024);
    const whole = await readOne(meterOf("json:pages=/pages"), {
      fields: ["Content-Type", "text/event-stream", "Content-Encoding", "gzip"],
      pieces: pieces(gzipSync(long, { level: 1 })),
    });
    assert.deepEqual(whole.units, { pages: 44_999e6 });
  });

  test("what is compressed badly, twice or unknown is said", async () => {
    const content = Buffer.from('{"pages":1}');
    for (const [coding, bytes, problem] of [
      ["gzip", content, "coding_broken"],
      ["br", Buffer.alloc(100, 0xff), "coding_broken"],
      ["zstd", content, "coding_broken"],
      ["deflate", Buffer.alloc(100, 0xff), "coding_broken"],
      ["gzip", gzipSync(content).subarray(0, 15), "coding_broken"],
      ["compress", content, "coding_unknown"],
      ["gzip, br", brotliCompressSync(gzipSync(content)), "coding_unknown"],
    ] as const) {
      const reading = await readOne(meterOf("json:pages=/pages"), {
        fields: [...JSON_FIELDS, "Content-Encoding", coding],
        pieces: [bytes],
      });
      assert.deepEqual(reading, { units: {}, metered: "no", problem }, coding);
    }
    const plain = await readOne(meterOf("json:pages=/pages"), {
      fields: [...JSON_FIELDS, "Content-Encoding", "identity"],
      pieces: [content],
    });
    assert.deepEqual(plain.units, { pages: 1_000_000 });
  });

  test("10 MB of JSON cost bounded time, and are said to be too large", async () => {
    const bytes = Buffer.from(`{"pages":1,"a":[${'{"b":[1,2,"x"]},'.repeat(650_000)}1]}`);
    const started = threadMs();
    const reading = await readOne(meterOf("json:pages=/pages"), { fields: JSON_FIELDS, pieces: pieces(bytes) });
    assert.deepEqual(reading, { units: {}, metered: "no", problem: "too_large" });
    assert.ok(threadMs() - started < 500);
  });

  test("an event without end is not kept, and the events behind it are read", async () => {
    const long = `data: {"x":[${"1,".repeat(2_000_000)}1]}\n\n`;
    const bytes = Buffer.from(`${long}data: {"pages":3}\n\ndata: ${"y".repeat(3_000_000)}\n\n`);
    const before = process.memoryUsage().heapUsed;
    const reading = await readOne(meterOf("json:pages=/pages"), {
      fields: ["Content-Type", "text/event-stream"],
      pieces: pieces(bytes),
    });
    assert.deepEqual(reading.units, { pages: 3_000_000 });
    assert.ok(process.memoryUsage().heapUsed - before < 16 * 1024 * 1024);
  });

  test("names like those of Object's own are names", async () => {
    const reading = await readOne(meterOf("json:constructor=/constructor,valueof=/__proto__/x"), {
      fields: JSON_FIELDS,
      pieces: [Buffer.from('{"__proto__":{"x":2},"constructor":1}')],
    });
    assert.deepEqual({ ...reading.units }, { constructor: 1_000_000, valueof: 2_000_000 });
    const none = await readOne(meterOf("json:constructor=/c,pages=/pages"), {
      fields: JSON_FIELDS,
      pieces: [Buffer.from('{"pages":1}')],
    });
    assert.deepEqual(Object.keys(none.units), ["pages"]);
  });

  test("sheer noise is survived", async () => {
    let seed = 7;
    const noise = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed;
    };
    for (let i = 0; i < 600; i += 1) {
      const bytes = Buffer.from(Array.from({ length: noise() % 300 }, () => (noise() >> 8) % (i % 2 === 0 ? 256 : 96)));
      const type = ["application/json", "text/event-stream", "application/x-ndjson", ""][noise() % 4] as string;
      const reading = await readOne(meterOf("openai,json:pages=/pages"), {
        fields: ["content-type", type],
        pieces: cut(bytes, noise() % 300),
      });
      assert.equal(reading.metered, "no");
    }
  });
});
