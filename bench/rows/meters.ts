import { gzipSync } from "node:zlib";
import { parseMeters } from "../../packages/core/src/meters/index.ts";
import type { Reading, ReadingSink } from "../../packages/runtime/src/meters/reading.ts";
import { ServiceMeter } from "../../packages/runtime/src/meters/service-meter.ts";
import { ANSWER, COMPLETION } from "../support/chat-answer.ts";
import { now } from "../support/clock.ts";
import { atMost, type Figure } from "../support/figure.ts";
import { AT_ONCE } from "../support/first-byte.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";

const ANSWER_BYTES: Buffer = Buffer.from(ANSWER);
const EVENTS: readonly Buffer[] = Array.from({ length: 1_000 }, (_, i) => {
  const choices = [{ index: 0, delta: { content: ` word${i}` }, logprobs: null, finish_reason: null }];
  return Buffer.from(`data: ${JSON.stringify({ ...COMPLETION, choices })}\n\n`);
});
const EVENT_BYTES = EVENTS.reduce((sum, { length }) => sum + length, 0);

const JSON_FIELDS = ["Date", "Wed, 25 Nov 2026 10:00:00 GMT", "Server", "uvicorn", "Content-Type", "application/json"];
const EVENT_FIELDS = ["Content-Type", "text/event-stream; charset=utf-8"];

class Last implements ReadingSink {
  reading: Reading | undefined;

  onReading(reading: Reading): void {
    this.reading = reading;
  }
}

/** Processor time of this thread, µs: what else the machine does is no matter. */
const threadTime = (): number => {
  const { user, system } = process.threadCpuUsage();
  return user + system;
};

const timed = (times: number, what: () => void): number => {
  const started = threadTime();
  for (let i = 0; i < times; i += 1) what();
  return (threadTime() - started) / times;
};

/** What reading an answer costs its meter, beside what a call costs anyway: no gateway, no sockets. */
export const meters: Row = {
  name: "meters",
  tools: [],
  measure: async ({ rounds, seconds }) => {
    const meter = new ServiceMeter(parseMeters("openai"));
    const last = new Last();
    const call = (fields: readonly string[], pieces: readonly Buffer[]): void => {
      const reader = meter.start();
      reader.onHead(200, fields);
      for (const piece of pieces) reader.onContent(piece);
      reader.onEnd([], true, last);
    };
    /** The first events of so many streams in one moment, µs: the last one waits for the meters of the others. */
    const beginAll = (): number => {
      const readers = Array.from({ length: AT_ONCE }, () => meter.start());
      const started = now();
      for (const reader of readers) {
        reader.onHead(200, EVENT_FIELDS);
        reader.onContent(EVENTS[0] as Buffer);
      }
      const time = (now() - started) * 1_000;
      for (const reader of readers) reader.onEnd([], true, last);
      return time;
    };
    const answer = [ANSWER_BYTES];
    const times = seconds * 10_000;
    timed(20_000, () => call(JSON_FIELDS, answer));
    timed(20, () => call(EVENT_FIELDS, EVENTS));
    for (let i = 0; i < 200; i += 1) beginAll();
    const [document, stream, parse, begun]: [number[], number[], number[], number[]] = [[], [], [], []];
    for (let i = 0; i < rounds; i += 1) {
      document.push(timed(times, () => call(JSON_FIELDS, answer)));
      stream.push(timed(times / 500, () => call(EVENT_FIELDS, EVENTS)) / (EVENT_BYTES / 1_024));
      parse.push(timed(times, () => JSON.parse(ANSWER_BYTES.toString())));
      begun.push(median(Array.from({ length: 100 }, beginAll)));
    }
    call(JSON_FIELDS, answer);
    if (last.reading?.units["input_tokens"] !== 12_000_000) throw new Error("the answer was not read");
    return [
      figure("a JSON answer of 1 KiB", document, "processor time of `openai`", atMost(3, 2)),
      figure("the same by JSON.parse", parse, "decoded and parsed, nothing looked up"),
      figure(
        "1 KiB of an event stream",
        stream,
        `1,000 events of ${Math.round(EVENT_BYTES / 1_000)} bytes, without totals`,
      ),
      figure(
        `the first events of ${AT_ONCE} streams in one moment`,
        begun,
        "what the last one would wait longer",
        atMost(200, 100),
      ),
      {
        what: "allocated for a JSON answer of 1 KiB",
        value: allocated(() => call(JSON_FIELDS, answer)),
        unit: "bytes",
        from: "the young heap, 1,000 calls",
      },
      figure("a JSON answer of 1 KiB in gzip", await compressed(meter, rounds), "of all threads; 32 at once"),
    ];
  },
};

const figure = (what: string, samples: readonly number[], from: string, target?: Figure["target"]): Figure => ({
  what: `meter: ${what}`,
  value: median(samples),
  spread: [Math.min(...samples), Math.max(...samples)],
  unit: "µs",
  from,
  ...(target && { target }),
});

/** The least of several: a collection in between makes it small or negative, not large. */
const allocated = (what: () => void): number => {
  const samples = Array.from({ length: 9 }, () => {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 1_000; i += 1) what();
    return (process.memoryUsage().heapUsed - before) / 1_000;
  });
  return Math.round(median(samples.filter((bytes) => bytes >= 0)));
};

const compressed = async (meter: ServiceMeter, rounds: number): Promise<number[]> => {
  const content = gzipSync(ANSWER_BYTES);
  const fields = [...JSON_FIELDS, "Content-Encoding", "gzip"];
  const one = (): Promise<Reading> =>
    new Promise((resolve) => {
      const reader = meter.start();
      reader.onHead(200, fields);
      reader.onContent(content);
      reader.onEnd([], true, { onReading: resolve });
    });
  const samples: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    for (let i = 0; i < 30; i += 1) await Promise.all(Array.from({ length: 32 }, one));
    const { user, system } = process.cpuUsage(before);
    samples.push((user + system) / 960);
  }
  return samples;
};
