import assert from "node:assert/strict";
import { test } from "node:test";
import { isChallenge, newChallenge, proveGateway, provesGateway } from "../src/sealing/gateway-proof.ts";
import { generateMasterKey } from "../src/sealing/master-key.ts";
import { createSealer } from "../src/sealing/sealer.ts";

const sealer = createSealer(generateMasterKey());
const URL = "https://ai.example.com/x";

test("a proof holds for its store, key, challenge, number and public URL, and for nothing else", () => {
  const challenge = newChallenge();
  assert.ok(isChallenge(challenge));
  const answer = proveGateway(sealer, "store", challenge, URL);
  assert.equal(answer.publicUrl, URL);
  assert.equal(provesGateway(sealer, "store", challenge, answer), true);

  assert.equal(provesGateway(createSealer(generateMasterKey()), "store", challenge, answer), false);
  assert.equal(provesGateway(sealer, "other", challenge, answer), false);
  assert.equal(provesGateway(sealer, "store", newChallenge(), answer), false);
  const again = proveGateway(sealer, "store", challenge, URL);
  assert.notEqual(again.nonce, answer.nonce);
  assert.notEqual(again.proof, answer.proof);
  const altered = [
    { ...answer, publicUrl: "https://ai.example.com" },
    { ...answer, nonce: again.nonce },
    { ...answer, nonce: `${answer.nonce}\n${answer.publicUrl}`, publicUrl: "" },
    { ...answer, proof: again.proof },
    { ...answer, proof: "" },
    { ...answer, proof: answer.proof.slice(1) },
    { ...answer, proof: `${answer.proof}AAAA` },
  ];
  for (const wrong of altered) assert.equal(provesGateway(sealer, "store", challenge, wrong), false);
});

test("only 32 bytes in base64url are a challenge", () => {
  for (const text of [
    "",
    "A".repeat(42),
    "A".repeat(44),
    `${"A".repeat(42)}\n`,
    `${"A".repeat(42)}=`,
    "ä".repeat(43),
  ]) {
    assert.equal(isChallenge(text), false, text);
  }
});
