import { randomBytes, randomUUID } from "node:crypto";
import type { ChangeDraft } from "../changes/change.ts";
import type { SigningKey } from "../keys/signing-key.ts";
import { randomId } from "../random-id.ts";
import { createSealer, sealKeyCheck } from "../sealing/sealer.ts";
import type { StoreSeed } from "../store/engine.ts";

/**
 * A new store's identity, its proof of the master key, its first signing key (revision 1) and `more` changes after it.
 * @param act.at milliseconds since the epoch
 */
export const newStoreSeed = (
  masterKey: Uint8Array,
  more: readonly ChangeDraft[],
  act: { readonly at: number; readonly actor: string },
): StoreSeed => {
  const sealer = createSealer(masterKey);
  const key: SigningKey = {
    kid: randomId("k_", 12),
    alg: "HS256",
    status: "active",
    sealedSecret: sealer.seal("signing-key", randomBytes(32)),
    createdAt: act.at,
    activatedAt: act.at,
  };
  return {
    storeId: randomUUID(),
    keyCheck: sealKeyCheck(sealer),
    changes: [{ action: "secret.create", subject: key.kid, after: [key] }, ...more],
    at: act.at,
    actor: act.actor,
  };
};
