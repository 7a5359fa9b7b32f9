import { AigwError, isStoreFault } from "../errors.ts";
import { createSigningKey } from "../keys/create-key.ts";
import { activate, publish, rotateAtOnce, withdraw } from "../keys/rotate.ts";
import { activeKey, type Keyring, type SigningKey } from "../keys/signing-key.ts";
import { awaitGateways, type Receipt } from "./await-gateways.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { gatewayName } from "./gateway-name.ts";
import { keyTime } from "./key-time.ts";

export interface RotationResult {
  /** The key that signs now. */
  readonly key: SigningKey;
  readonly keyring: Keyring;
}

/** A new secret signs at once; every token issued before is dead. @throws AigwError `changed_meanwhile` */
export const rotateSecret = (deps: ActDeps): Promise<Committed<RotationResult>> => {
  const fresh = createSigningKey(deps.sealer, deps.clock.now());
  return commit(deps, async () => {
    const keyring = rotateAtOnce(await deps.store.control.keyring(), fresh, deps.clock.now());
    const key = keyring.at(-1) ?? fresh;
    return { draft: { action: "secret.rotate", subject: fresh.kid, after: keyring }, result: { key, keyring } };
  });
};

/**
 * A new secret signs, and tokens of the old one work for `graceMs` more. The new key is published first; only when every
 * running gateway verifies with it does it sign, so that no gateway ever sees a token it cannot verify.
 * @throws AigwError `not_applied` when a gateway did not confirm the new key, or whether all did cannot be read: it was
 *   taken back, nothing has changed; `changed_meanwhile` when somebody else rotated at the same time; or the reason of
 *   `signal`, which ends the wait in the same way
 */
export const rotateSecretWithGrace = async (
  deps: ActDeps,
  graceMs: number,
  wait: Wait = {},
): Promise<Committed<RotationResult>> => {
  const fresh = createSigningKey(deps.sealer, deps.clock.now());
  const { kid } = fresh;
  const published = await commit(deps, async () => {
    const before = await deps.store.control.keyring();
    refuseIfUnderWay(before, deps.clock.now());
    const after = publish(before, fresh, keyTime(deps));
    return { draft: { action: "secret.publish", subject: kid, after }, result: undefined };
  });
  try {
    await confirmed(deps, published.rev, wait);
    return await activated(deps, fresh, graceMs);
  } catch (error) {
    // Best effort: with the store away it stays published, which lets nobody in, and is retired by the next rotation.
    await takeBack(deps, kid).catch(() => undefined);
    throw error;
  }
};

interface Wait {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const confirmed = async (deps: ActDeps, rev: number, { timeoutMs, signal }: Wait): Promise<void> => {
  let receipt: Receipt;
  try {
    receipt = await awaitGateways(deps, rev, timeoutMs, signal);
  } catch (error) {
    if (!isStoreFault(error)) throw error;
    throw new AigwError(
      "not_applied",
      `The secret was not rotated: whether the gateways have the new key could not be confirmed. ${error.message} ${HASTE}`,
      { cause: error },
    );
  }
  if (receipt.complete) return;
  const silent = receipt.gateways.filter((gateway) => gateway.appliedAfterMs === undefined);
  const names = silent.map((gateway) => `${gatewayName(gateway)} (${gateway.id})`);
  throw new AigwError(
    "not_applied",
    `The secret was not rotated: ${names.join(", ")} did not confirm the new key. See: aigw status. ${HASTE}`,
    { details: { gateways: silent.map((gateway) => gateway.id) } },
  );
};

const HASTE = "After a leak rotate without --grace.";

const activated = (deps: ActDeps, fresh: SigningKey, graceMs: number): Promise<Committed<RotationResult>> => {
  const { kid } = fresh;
  return commit(deps, async () => {
    const before = await deps.store.control.keyring();
    if (before.find((key) => key.kid === kid)?.status !== "published") throw raced();
    const keyring = activate(before, kid, keyTime(deps), graceMs);
    const key = activeKey(keyring) ?? fresh;
    return { draft: { action: "secret.activate", subject: kid, after: keyring }, result: { key, keyring } };
  });
};

/** A published key older than this was left behind by a command that was killed. */
const ABANDONED_MS = 10_000;

const refuseIfUnderWay = (keyring: Keyring, now: number): void => {
  const begun = keyring.find((key) => key.status === "published" && Math.abs(now - key.createdAt) < ABANDONED_MS);
  if (begun === undefined) return;
  const leftMs = begun.createdAt + ABANDONED_MS - now;
  throw new AigwError(
    "changed_meanwhile",
    `Another command is rotating the secret (${begun.kid}) and waits for the gateways. Nothing was done. If it was killed, this works in ${Math.ceil(leftMs / 1_000)} s; without --grace at once. See: aigw secret list`,
    { details: { retryAfterMs: Math.ceil(leftMs) } },
  );
};

const raced = (): AigwError =>
  new AigwError(
    "changed_meanwhile",
    "Somebody else rotated the secret at this moment. Nothing was done; see: aigw secret list",
  );

const takeBack = async (deps: ActDeps, kid: string): Promise<void> => {
  await commit(deps, async () => {
    const before = await deps.store.control.keyring();
    if (before.find((key) => key.kid === kid)?.status !== "published") return { result: undefined };
    const after = withdraw(before, kid, deps.clock.now());
    return { draft: { action: "secret.withdraw", subject: kid, after }, result: undefined };
  });
};
