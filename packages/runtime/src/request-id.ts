import { randomUUID } from "node:crypto";

/** A valid incoming X-Request-ID is kept, so that a call can be followed across systems; anything else is replaced. */
export const requestIdOf = (field: string | string[] | undefined): string =>
  typeof field === "string" && /^[A-Za-z0-9._~:/+=@-]{1,128}$/.test(field) ? field : randomUUID();
