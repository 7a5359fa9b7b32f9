import { createHash } from "node:crypto";
import type { Client } from "../clients/client.ts";

/**
 * Tells a client's credentials from those before and after them, and nothing of the password: the hash is of the stored
 * hash, whose salt is random. 32 hexadecimal digits.
 */
export const credentialsMark = ({ passwordHash }: Pick<Client, "passwordHash">): string =>
  createHash("sha256").update(passwordHash).digest("hex").slice(0, 32);
