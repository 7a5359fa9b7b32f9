import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { AigwError } from "../errors.ts";

/** What a sealed value is for. A value sealed for one purpose cannot be opened for another. */
export type SealPurpose = "signing-key" | "service-header" | "client-key" | "setting" | "job-callback" | "key-check";

/** Seals secrets for the store: AES-256-GCM under a key derived from the master key per purpose. */
export interface Sealer {
  /** @returns `v1.` + base64url of nonce, tag and ciphertext */
  seal(purpose: SealPurpose, secret: Uint8Array): string;
  /** @throws AigwError `master_key_wrong` when it was sealed with another key or was altered */
  open(purpose: SealPurpose, sealed: string): Uint8Array;
  /** HMAC-SHA-256 of `text`, under a key of this purpose and store and of nothing else. 32 bytes. */
  mac(purpose: MacPurpose, storeId: string, text: string): Uint8Array;
}

/** What a code of authentication is for. No key of one purpose is another's, nor a sealing key. */
export type MacPurpose = "gateway-proof" | "trial-login" | "usage-seal" | "job-file" | "job-callback-key";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** @param masterKey 32 bytes */
export const createSealer = (masterKey: Uint8Array): Sealer => {
  const keys = new Map<string, KeyObject>();
  const keyFor = (purpose: SealPurpose | MacPurpose, salt = ""): KeyObject => {
    const known = keys.get(`${purpose} ${salt}`);
    if (known) return known;
    // As an object: Node makes one of plain bytes for every use, which takes five times as long as the HMAC.
    const key = createSecretKey(Buffer.from(hkdfSync("sha256", masterKey, salt, `aigw/v1/${purpose}`, 32)));
    keys.set(`${purpose} ${salt}`, key);
    return key;
  };
  return {
    seal(purpose, secret) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", keyFor(purpose), nonce);
      const body = Buffer.concat([cipher.update(secret), cipher.final()]);
      return `v1.${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url")}`;
    },
    mac: (purpose, storeId, text) => createHmac("sha256", keyFor(purpose, storeId)).update(text).digest(),
    open(purpose, sealed) {
      try {
        const bytes = Buffer.from(sealed.replace(/^v1\./, ""), "base64url");
        const nonce = bytes.subarray(0, NONCE_BYTES);
        const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
        const decipher = createDecipheriv("aes-256-gcm", keyFor(purpose), nonce, { authTagLength: TAG_BYTES });
        decipher.setAuthTag(tag);
        return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      } catch (cause) {
        throw new AigwError(
          "master_key_wrong",
          "The master key does not open this store. Use the key that belongs to it: master.key in its home, or AIGW_MASTER_KEY.",
          { cause },
        );
      }
    },
  };
};

/** Sealed into a new store; opening it proves that a master key is the right one before anything else is tried. */
export const sealKeyCheck = (sealer: Sealer): string => sealer.seal("key-check", Buffer.from("aigw"));

/** @throws AigwError `master_key_wrong` */
export const verifyKeyCheck = (sealer: Sealer, check: string): void => {
  sealer.open("key-check", check);
};
