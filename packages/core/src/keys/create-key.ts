import { randomBytes } from "node:crypto";
import { randomId } from "../random-id.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { SigningKey } from "./signing-key.ts";

/** HS256 takes a key of at least its hash's size (RFC 7518 §3.2). */
const SECRET_BYTES = 32;

/** A fresh signing secret, sealed; `published` until a rotation says otherwise. */
export const createSigningKey = (sealer: Sealer, now: number): SigningKey => ({
  kid: randomId("k_", 12),
  alg: "HS256",
  status: "published",
  sealedSecret: sealer.seal("signing-key", randomBytes(SECRET_BYTES)),
  createdAt: now,
});

/** The secret in the clear; undefined once the key is retired. */
export const openSigningKey = (sealer: Sealer, key: SigningKey): Uint8Array | undefined =>
  key.sealedSecret === undefined ? undefined : sealer.open("signing-key", key.sealedSecret);
