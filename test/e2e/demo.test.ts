import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { spawnAigw, temporaryHome } from "../support/aigw.ts";
import { within } from "../support/until.ts";

const SAMPLE_TEXT = resolve(import.meta.dirname, "../../examples/ocr-service/sample.txt");

/** Its words: how the columns of a table are set apart is the recogniser's taste. */
const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");

test("aigw demo reads a real picture through the gateway, counts its pages, ends the client's right, and leaves nothing behind", async (t) => {
  const home = temporaryHome(t);
  const scratch = join(dirname(home), "tmp");
  mkdirSync(scratch);
  const { child, done } = spawnAigw(home, ["demo", "--json"], { env: { TMPDIR: scratch } });
  t.after(() => child.kill("SIGTERM"));
  const { code, stdout, stderr } = await within("the demo", done, 90_000);
  assert.equal(code, 0, stderr);
  const { text, refusedWith, receipt, ...worth } = JSON.parse(stdout) as {
    text: string;
    refusedWith: number;
    receipt: string;
    pages: number;
    cost: number;
    overQuotaWith: number;
  };
  assert.deepEqual(words(text), words(readFileSync(SAMPLE_TEXT, "utf8")));
  assert.deepEqual([worth.pages, worth.cost, worth.overQuotaWith], [2, 0.02, 429]);
  assert.equal(refusedWith, 401);
  assert.match(receipt, /1 of 1 gateways applied it/);
  assert.deepEqual(readdirSync(scratch), []);
  assert.deepEqual(readdirSync(dirname(home)), ["tmp"], "the admin's own home is not touched");
});
