import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type ProcessSignals, processSignals } from "../src/terminal/signals.ts";

/** The signals of a process that would end instead of noting with what. */
const watched = (t: TestContext): { signals: ProcessSignals; ends: unknown[]; pass: (ms: number) => void } => {
  const ends: unknown[] = [];
  let now = 1_000;
  t.mock.method(performance, "now", () => now);
  t.mock.method(process, "exit", (code: unknown) => void ends.push(code));
  const before = (["SIGINT", "SIGTERM"] as const).map((name) => [name, process.listeners(name)] as const);
  t.after(() => {
    for (const [name, known] of before) {
      for (const listener of process.listeners(name)) if (!known.includes(listener)) process.off(name, listener);
    }
  });
  const pass = (ms: number): void => {
    now += ms;
  };
  return { signals: processSignals(), ends, pass };
};

test("a Ctrl-C of a program that has the terminal is not ours, also when its end is seen first", (t) => {
  const { signals, ends, pass } = watched(t);
  const takeBack = signals.lend();
  process.emit("SIGINT", "SIGINT");
  pass(60_000);
  process.emit("SIGINT", "SIGINT");
  takeBack();
  pass(100);
  process.emit("SIGINT", "SIGINT");
  assert.deepEqual(ends, []);
  process.emit("SIGTERM", "SIGTERM");
  assert.deepEqual(ends, [130], "whoever ends it means it");
  pass(200);
  process.emit("SIGINT", "SIGINT");
  assert.deepEqual(ends, [130, 130], "the next one is ours again");
});
