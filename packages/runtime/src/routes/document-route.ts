import { createHash } from "node:crypto";
import { answer } from "./answer.ts";
import type { Route } from "./dispatch.ts";

/** A text that anybody may read and that changes seldom. */
export interface PublicDocument {
  readonly body: Buffer;
  readonly etag: string;
  readonly fields: readonly string[];
}

/** @param fields flat list of header fields: name, value, name, value … */
export const publicDocument = (body: string, fields: readonly string[]): PublicDocument => ({
  body: Buffer.from(body),
  etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
  fields: ["X-Content-Type-Options", "nosniff", "Referrer-Policy", "no-referrer", ...fields],
});

/** `no-cache`: kept, but asked about each time, because the next change of a setting or service is in it at once. */
export const documentRoute = (current: () => Promise<PublicDocument>): Route => ({
  methods: "GET, HEAD",
  handle: async (request) => {
    const { body, etag, fields } = await current();
    const head = [...fields, "ETag", etag, "Cache-Control", "no-cache"];
    if (matches(request.incoming.headers["if-none-match"], etag)) answer(request, 304, "", head);
    else answer(request, 200, body, head);
  },
});

/** RFC 9110 §13.1.2: weak comparison. A proxy that compresses makes our tag weak. */
const matches = (field: string | undefined, etag: string): boolean =>
  field?.split(",").some((tag) => ["*", etag].includes(tag.trim().replace(/^W\//, ""))) ?? false;
