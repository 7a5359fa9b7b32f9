import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { receiveImage } from "./body.ts";
import { checkImage, IMAGE_TYPES } from "./image.ts";
import type { Limits } from "./limits.ts";
import type { Reader } from "./reader.ts";
import { Refusal, STATUS } from "./refusal.ts";

export interface HandlerDeps {
  readonly reader: Reader;
  readonly limits: Limits;
  readonly apiKey: string | undefined;
  readonly isClosing: () => boolean;
  /** Hears what nobody foresaw; the caller is told no more than "internal error". */
  readonly onFault: (fault: unknown) => void;
}

type Route = (request: IncomingMessage, response: ServerResponse) => object | Promise<object>;

export function createHandler(deps: HandlerDeps): RequestListener {
  const { reader, limits, apiKey } = deps;
  let taken = 0;

  async function recognize(request: IncomingMessage, response: ServerResponse): Promise<object> {
    // Counted from the first byte on, so that the uploads' memory is bounded too.
    if (taken >= limits.places) {
      throw new Refusal("busy", "too many pictures wait", { headers: { "retry-after": "5" } });
    }
    taken += 1;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      const image = await receiveImage(request, limits.maxBytes);
      checkImage(image);
      const reading = await reader.read(image, gone.signal);
      // Every accepted format holds one page: animations are refused.
      return { text: reading.text, confidence: reading.confidence, pages: 1 };
    } finally {
      taken -= 1;
    }
  }

  const usage = (): object => ({
    service: "ocr",
    usage: "POST a picture, as the raw body or as a file of a multipart/form-data form",
    example: "curl --data-binary @sample.png -H 'Content-Type: image/png' URL",
    answer: { text: "string", confidence: "0 to 100", pages: 1 },
    accepts: IMAGE_TYPES,
    maxBytes: limits.maxBytes,
  });

  const routes: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
    "/": { GET: usage, HEAD: usage, POST: recognize },
    "/health": { GET: () => ({ status: "ok" }), HEAD: () => ({ status: "ok" }) },
  };

  function dispatch(request: IncomingMessage, response: ServerResponse): object | Promise<object> {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (path !== "/health") authorize(request, apiKey);
    const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!methods) throw new Refusal("not_found", "no such path");
    const method = request.method ?? "";
    const route = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (route) return route(request, response);
    const allow = Object.keys(methods).join(", ");
    throw new Refusal("method_not_allowed", `use ${allow}`, { headers: { allow } });
  }

  function send(
    response: ServerResponse,
    status: number,
    body: object,
    headers: Readonly<Record<string, string>>,
  ): void {
    const text = `${JSON.stringify(body)}\n`;
    if (deps.isClosing()) response.setHeader("connection", "close");
    response.writeHead(status, {
      ...headers,
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(text),
    });
    response.end(text);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      send(response, 200, await dispatch(request, response), {});
    } catch (error) {
      // The caller went away: there is nobody to tell and nothing wrong here.
      if (response.destroyed || request.errored) return;
      if (error instanceof Refusal) return send(response, STATUS[error.code], { error: error.message }, error.headers);
      deps.onFault(error);
      send(response, 500, { error: "internal error" }, {});
    }
  }

  return (request, response) => {
    answer(request, response).catch(deps.onFault);
  };
}

function authorize(request: IncomingMessage, apiKey: string | undefined): void {
  if (apiKey === undefined) return;
  const given = request.headers["x-api-key"];
  // Digests have one length, so the comparison tells nothing about the key's.
  const digest = (key: string): Buffer => createHash("sha256").update(key).digest();
  if (typeof given === "string" && timingSafeEqual(digest(given), digest(apiKey))) return;
  throw new Refusal("unauthorized", "the X-Api-Key header is missing or wrong", {
    headers: { "www-authenticate": 'ApiKey realm="ocr"' },
  });
}
