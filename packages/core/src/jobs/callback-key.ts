import { createHmac } from "node:crypto";
import type { Sealer } from "../sealing/sealer.ts";

/**
 * The key that signs the call-backs of a client, in the form of Standard Webhooks: `whsec_` and base64 of 32 bytes. It is
 * derived, and so lies nowhere; a new password makes another.
 */
export const callbackKey = (sealer: Pick<Sealer, "mac">, storeId: string, client: string, epoch: number): string =>
  `whsec_${Buffer.from(sealer.mac("job-callback-key", storeId, `${client} ${epoch}`)).toString("base64")}`;

/**
 * `v1,` and the signature of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA-256 over
 * `<id>.<timestamp>.<body>`.
 * @param timestamp seconds since the epoch
 */
export const signCallback = (key: string, id: string, timestamp: number, body: string): string => {
  const secret = Buffer.from(key.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
};
