import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelNames } from "../src/metering/model-names.ts";

const DAY = 86_400_000;

test("64 models of a client at a service have a name in a day; whoever makes up more takes nobody else's", () => {
  const names = new ModelNames();
  const named = (client: string, service: string, at = 0): number =>
    Array.from({ length: 200 }, (_, n) => names.nameOf(client, service, `m${n}`, at)).filter(
      (name) => name !== "(other)",
    ).length;
  assert.equal(named("eve", "chat"), 64);
  assert.equal(named("eve", "chat"), 64, "the same ones");
  assert.equal(names.nameOf("eve", "chat", "m0", 5), "m0");
  assert.equal(names.nameOf("eve", "chat", "m199", 5), "(other)");
  assert.deepEqual([named("john", "chat"), named("eve", "ocr")], [64, 64]);
  assert.equal(names.nameOf("eve", "chat", "m199", DAY), "m199", "a new day");
  // A call of the day before that ends late does not begin it anew.
  for (let n = 0; n < 64; n += 1) names.nameOf("eve", "chat", `late${n}`, DAY - 1);
  assert.equal(names.nameOf("eve", "chat", "one more", DAY), "(other)");
});
