import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const PROCESS = pathToFileURL(resolve(import.meta.dirname, "../test/support/test-process.ts")).href;

const FILE = `
import { setTimeout as delay } from "node:timers/promises";
import { before, describe, it } from "node:test";
describe("outer", () => {
  let isReady = false;
  before(() => void (isReady = true));
  describe("inner", () => it("is ready", async (t) => {
    await delay(1);
    await t.test("within", () => {});
    if (!isReady) throw new Error("before() of the outer one was not run");
  }));
  it("loses a rejection", async () => {
    void Promise.reject(new Error("lost by a promise"));
    await delay(50);
  });
  it("loses an error", async () => {
    setTimeout(() => { throw new Error("lost by a timer"); }, 1);
    await delay(50);
  });
});
`;

test("a process of tests knows what is in what, and fails by an error that nobody caught", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "file.mjs"), FILE);
  const begin = join(folder, "begin.mjs");
  writeFileSync(begin, `import "${PROCESS}";\nawait import("./file.mjs");\n`);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = spawnSync(process.execPath, ["--test", "--test-reporter=tap", begin], { encoding: "utf8", env });
  assert.equal(run.status, 1);
  const depth = (name: string): number | undefined =>
    new RegExp(`^( *)ok \\d+ - ${name}`, "m").exec(run.stdout)?.[1]?.length;
  assert.deepEqual(["outer", "inner", "is ready", "within"].map(depth), [0, 4, 8, 12], run.stdout);
  assert.equal(run.stdout.match(/^not ok \d+ - an error that nobody caught/gm)?.length, 2, run.stdout);
  assert.match(run.stdout, /lost by a promise/);
  assert.match(run.stdout, /lost by a timer/);
});
