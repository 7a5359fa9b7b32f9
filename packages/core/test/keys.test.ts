import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { activeKey, type Keyring, type KeyTime, onWallClock, type SigningKey, verifies } from "@aigw/core";
import { activate, GRACE_MARGIN_MS, publish, rotateAtOnce, withdraw } from "../src/keys/rotate.ts";
import { RETIRED_KEYS_KEPT } from "../src/keys/signing-key.ts";

const HOUR = 3_600_000;
const fresh = (kid: string, now = 0): SigningKey => ({
  kid,
  alg: "HS256",
  status: "published",
  sealedSecret: `sealed ${kid}`,
  createdAt: now,
});
/** Both clocks; they differ, so that the one is not taken for the other. */
const at = (steady: number): KeyTime => ({ wall: steady + HOUR, steady });
const statuses = (keyring: Keyring): string[] => keyring.map((key) => `${key.kid} ${key.status}`);
const first = rotateAtOnce([], fresh("a"), 0);

describe("keyring", () => {
  it("rotated at once: only the new key verifies, the old secret is dropped", () => {
    const after = rotateAtOnce(first, fresh("b"), 10);
    assert.deepEqual(statuses(after), ["a retired", "b active"]);
    assert.equal(after[0]?.sealedSecret, undefined);
    assert.deepEqual(
      after.map((key) => verifies(key, 10)),
      [false, true],
    );
  });

  it("rotated with grace: published, then active, the old one verifies to the end of the grace", () => {
    const published = publish(first, fresh("b"), at(10));
    assert.deepEqual(statuses(published), ["a active", "b published"]);
    assert.deepEqual(
      published.map((key) => verifies(key, 10)),
      [true, true],
    );
    const after = activate(published, "b", at(20), HOUR);
    assert.deepEqual(statuses(after), ["a retiring", "b active"]);
    const end = 20 + HOUR + GRACE_MARGIN_MS;
    const old = after[0];
    assert.ok(old);
    assert.deepEqual([verifies(old, end - 1), verifies(old, end)], [true, false]);
    assert.equal(onWallClock(after, at(20))[0]?.verifyUntil, end + HOUR, "shown as the wall clock has it");
    assert.deepEqual(statuses(publish(after, fresh("c"), at(end))), ["a retired", "b active", "c published"]);
  });

  it("a published key can be withdrawn, and an abandoned one is retired by the next rotation", () => {
    const published = publish(first, fresh("b"), at(10));
    assert.deepEqual(statuses(withdraw(published, "b", 20)), ["a active", "b retired"]);
    assert.deepEqual(statuses(publish(published, fresh("c"), at(20))), ["a active", "b retired", "c published"]);
  });

  it("has exactly one active key after any sequence, and stays bounded", () => {
    let keyring = first;
    for (let i = 0; i < 200; i += 1) {
      const kid = `n${i}`;
      if (i % 3 === 0) keyring = rotateAtOnce(keyring, fresh(kid), i);
      else if (i % 3 === 1) keyring = activate(publish(keyring, fresh(kid), at(i)), kid, at(i), HOUR);
      else keyring = withdraw(publish(keyring, fresh(kid), at(i)), kid, i);
      assert.equal(keyring.filter((key) => key.status === "active").length, 1);
      assert.ok(activeKey(keyring)?.sealedSecret);
      assert.ok(keyring.length <= RETIRED_KEYS_KEPT + 4, `${keyring.length} keys`);
      for (const key of keyring) assert.equal(key.status === "retired", key.sealedSecret === undefined);
    }
  });
});
