import assert from "node:assert/strict";
import { test } from "node:test";
import { aigw, type Outcome, temporaryHome } from "./support/harness.ts";

test("who has a fallback with a queue of its own is told whose calls wait there, whichever of the two came last", async (t) => {
  const home = temporaryHome(t);
  const run = async (line: string): Promise<Outcome> => {
    const outcome = await aigw(home, line.split(" "));
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome;
  };
  const told = async (line: string): Promise<readonly string[]> =>
    (await run(line)).stderr.split("\n").filter((one) => /takes .* at once/.test(one));
  await run("init");
  await run("service add cloud http://127.0.0.1:1 --no-check --concurrency 2");
  const [added = ""] = await told("service add ocr http://127.0.0.1:1 --no-check --fallback cloud");
  assert.match(added, /^warning: cloud takes 2 calls at once: while ocr is down, its calls wait there/);
  assert.match(added, /aigw service set cloud --concurrency N/);
  assert.equal((await told("service set ocr --fallback cloud")).length, 1);
  assert.deepEqual(await told("service set ocr --timeout 5s"), []);
  await run("service add chat http://127.0.0.1:1 --no-check");
  assert.deepEqual(await told("service set ocr --fallback chat"), []);
  await run("service set cloud --concurrency 3");
  const [later = "", ...more] = await told("service set chat --concurrency 1");
  assert.match(later, /chat takes 1 call at once: while ocr is down/);
  assert.deepEqual(more, []);
  assert.deepEqual(await told("service set chat --concurrency none"), []);
  assert.deepEqual(await told("service set ocr --no-fallback"), []);
});
