import { type Keyring, type KeyTime, RETIRED_KEYS_KEPT, type SigningKey } from "./signing-key.ts";

/**
 * A gateway may sign with the old key until it has applied the activation (promised within 1 s), and such a token
 * lives an hour from then. Without the margin a grace of exactly the token's lifetime would cut those off.
 */
export const GRACE_MARGIN_MS = 5_000;

/** The new key signs at once and nothing older verifies. */
export const rotateAtOnce = (keyring: Keyring, fresh: SigningKey, now: number): Keyring =>
  prune([...keyring.map((key) => retire(key, now)), { ...fresh, status: "active", activatedAt: now }]);

/**
 * First half of a rotation with grace: the new key verifies everywhere before anything is signed with it. A key that a
 * killed command left published never signed anything and is retired.
 */
export const publish = (keyring: Keyring, fresh: SigningKey, now: KeyTime): Keyring =>
  prune([
    ...retireOverdue(keyring, now).map((key) => (key.status === "published" ? retire(key, now.wall) : key)),
    { ...fresh, status: "published" },
  ]);

/** Second half: the published key signs, the one that signed verifies for `graceMs` more. */
export const activate = (keyring: Keyring, kid: string, now: KeyTime, graceMs: number): Keyring =>
  retireOverdue(keyring, now).map((key): SigningKey => {
    if (key.kid === kid) return { ...key, status: "active", activatedAt: now.wall };
    if (key.status !== "active") return key;
    return { ...key, status: "retiring", verifyUntil: Math.ceil(now.steady) + graceMs + GRACE_MARGIN_MS };
  });

/** Takes a published key back, when a gateway did not confirm it. */
export const withdraw = (keyring: Keyring, kid: string, now: number): Keyring =>
  keyring.map((key) => (key.kid === kid ? retire(key, now) : key));

const retire = (key: SigningKey, now: number): SigningKey => {
  const { sealedSecret: _dropped, verifyUntil: _ended, ...rest } = key;
  return { ...rest, status: "retired", retiredAt: key.retiredAt ?? now };
};

/** The first key whose grace has ended and whose secret is still there. */
export const endedKey = (keyring: Keyring, now: Pick<KeyTime, "steady">): SigningKey | undefined =>
  keyring.find((key) => isOverdue(key, now));

/** Drops the secrets of those, see {@link endedKey}. */
export const retireEnded = (keyring: Keyring, now: KeyTime): Keyring => prune(retireOverdue(keyring, now));

const isOverdue = ({ status, verifyUntil }: SigningKey, { steady }: Pick<KeyTime, "steady">): boolean =>
  status === "retiring" && verifyUntil !== undefined && verifyUntil <= steady;

const retireOverdue = (keyring: Keyring, now: KeyTime): Keyring =>
  keyring.map((key) => {
    if (!isOverdue(key, now)) return key;
    const { verifyUntil } = key;
    return { ...retire(key, now.wall), ...(verifyUntil !== undefined && { verifyUntil }) };
  });

const prune = (keyring: Keyring): Keyring => {
  const surplus = keyring.filter((key) => key.status === "retired").length - RETIRED_KEYS_KEPT;
  if (surplus <= 0) return keyring;
  const oldest = new Set(keyring.filter((key) => key.status === "retired").slice(0, surplus));
  return keyring.filter((key) => !oldest.has(key));
};
