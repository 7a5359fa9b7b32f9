import { createHash } from "node:crypto";
import type { Handler } from "hono";
import type { GatewayEnv } from "../gateway-env.ts";

/** A text that anybody may read and that changes seldom. */
export interface PublicDocument {
  readonly body: string;
  readonly etag: string;
  readonly fields: Readonly<Record<string, string>>;
}

export const publicDocument = (body: string, fields: Readonly<Record<string, string>>): PublicDocument => ({
  body,
  etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
  fields: { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", ...fields },
});

/** `no-cache`: kept, but asked about each time, because the next change of a setting or service is in it at once. */
export const documentRoute =
  (current: () => Promise<PublicDocument>): Handler<GatewayEnv> =>
  async (c) => {
    const { body, etag, fields } = await current();
    const headers = { ...fields, ETag: etag, "Cache-Control": "no-cache" };
    return matches(c.req.header("If-None-Match"), etag) ? c.body(null, 304, headers) : c.body(body, 200, headers);
  };

/** RFC 9110 §13.1.2: weak comparison. A proxy that compresses makes our tag weak. */
const matches = (field: string | undefined, etag: string): boolean =>
  field?.split(",").some((tag) => ["*", etag].includes(tag.trim().replace(/^W\//, ""))) ?? false;
