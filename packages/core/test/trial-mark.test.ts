import assert from "node:assert/strict";
import { test } from "node:test";
import { generateMasterKey } from "../src/sealing/master-key.ts";
import { createSealer } from "../src/sealing/sealer.ts";
import { isTrialMark, trialMark } from "../src/sealing/trial-mark.ts";

const NOW = 1_800_000_000_000;

test("a trial's mark holds for its store, key and username, and for a minute", () => {
  const sealer = createSealer(generateMasterKey());
  const mark = trialMark(sealer, "store", "john", NOW);
  const holds = (more: {
    by?: typeof sealer;
    store?: string;
    username?: string;
    mark?: string;
    at?: number;
  }): boolean =>
    isTrialMark(more.by ?? sealer, more.store ?? "store", more.username ?? "john", more.mark ?? mark, more.at ?? NOW);
  assert.equal(holds({}), true);
  assert.equal(holds({ at: NOW + 60_000 }), true);
  // The store's time is one for all; a gateway that started with a copy of it may be a moment behind.
  assert.equal(holds({ at: NOW - 2_000 }), true);
  const [seconds = "", mac = ""] = mark.split(".");
  const wrong = [
    { at: NOW + 61_000 },
    { at: NOW - 61_000 },
    { by: createSealer(generateMasterKey()) },
    { store: "other" },
    { username: "mary" },
    { mark: `${Number(seconds) + 1}.${mac}` },
    { mark: `${seconds}.${mac.slice(1)}` },
    { mark: `0${mark}` },
    { mark: `${mark}\n` },
    { mark: "" },
    { mark: "true" },
  ];
  for (const one of wrong) assert.equal(holds(one), false, JSON.stringify(one));
});
