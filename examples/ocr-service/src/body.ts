import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

/** The picture in a request: the whole body, or the first file of a form. */
export async function receiveImage(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const body = await receive(request, maxBytes);
  const contentType = request.headers["content-type"] ?? "";
  return /^multipart\/form-data\b/i.test(contentType) ? await firstFile(body, contentType) : body;
}

function receive(request: IncomingMessage, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer<ArrayBuffer>>();
  const tooLarge = (): Refusal => new Refusal("too_large", `the request has more than ${maxBytes} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return Promise.reject(tooLarge());

  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBytes) {
      chunks.push(chunk);
      return;
    }
    // The rest still flows and is thrown away, so that the caller gets to read the answer.
    chunks.length = 0;
    reject(tooLarge());
  });
  request.once("end", () => resolve(Buffer.concat(chunks)));
  request.once("error", reject);
  return promise;
}

async function firstFile(body: Buffer<ArrayBuffer>, contentType: string): Promise<Buffer> {
  const form = await new Response(body, { headers: { "content-type": contentType } }).formData().catch((cause) => {
    throw new Refusal("bad_form", "the multipart/form-data body cannot be parsed", { cause });
  });
  for (const value of form.values()) {
    if (typeof value !== "string") return Buffer.from(await value.arrayBuffer());
  }
  throw new Refusal("bad_form", "the form has no file in it");
}
