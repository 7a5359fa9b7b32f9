import { createCipheriv } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { TestContext } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import { type Limits, startOcrService } from "@aigw/ocr-service";

const ROOT = new URL("..", import.meta.url);

export const MAIN: string = new URL("src/main.ts", ROOT).pathname;
export const SAMPLE: Buffer<ArrayBuffer> = file("sample.png");
export const SAMPLE_TEXT: string = file("sample.txt").toString();

/** A bound for everything that is waited for; a hang fails the test instead of the run. */
export const PATIENCE_MS = 60_000;

export function file(path: string): Buffer<ArrayBuffer> {
  return Buffer.from(readFileSync(new URL(path, ROOT)));
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: unknown;
  readonly confidence: unknown;
  readonly pages: unknown;
  readonly error: unknown;
}

/** One service for the test, closed after it. */
export async function start(t: TestContext, limits: Partial<Limits> = {}): Promise<string> {
  const service = await startOcrService({ limits, onFault: (fault) => t.diagnostic(`fault: ${String(fault)}`) });
  t.after(() => service.close());
  return service.url;
}

export async function post(
  url: string,
  body: NonNullable<RequestInit["body"]>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return answerOf(await fetch(url, { method: "POST", body, headers, signal: AbortSignal.timeout(PATIENCE_MS) }));
}

export async function answerOf(response: Response): Promise<Answer> {
  const body: unknown = await response.json();
  const field = (name: string): unknown => (typeof body === "object" && body !== null ? Reflect.get(body, name) : null);
  const { status, headers } = response;
  const [text, confidence, pages, error] = ["text", "confidence", "pages", "error"].map(field);
  return { status, headers, text, confidence, pages, error };
}

/** Lines with single blanks and no empty ones: layout is not what is compared. */
export function lines(text: unknown): string[] {
  const all = String(text).split("\n");
  return all.map((line) => line.replace(/\s+/g, " ").trim()).filter((line) => line !== "");
}

/** Resolves once a service of this process has received one more request to its last byte, and has taken it up. */
export function received(): Promise<void> {
  return new Promise((settle) => {
    const onRequest = (message: unknown): void => {
      unsubscribe(REQUEST, onRequest);
      const { request } = message as { request: IncomingMessage };
      // Those who read it hear of its end after this listener.
      request.once("end", () => setTimeout(settle, 1));
    };
    subscribe(REQUEST, onRequest);
  });
}

const REQUEST = "http.server.request.start";

export function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

/** Bytes without a pattern, the same in every run. */
export function noise(bytes: number): Buffer {
  return createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

/** A grey PNG of any claimed size around any pixels. */
export function png(width: number, height: number, pixels: Buffer): Buffer<ArrayBuffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(8, 8);
  const parts = [pngChunk("IHDR", header), pngChunk("IDAT", deflateSync(pixels)), pngChunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([SAMPLE.subarray(0, 8), ...parts]);
}

/** Nothing but noise: tesseract takes half a minute over it. */
export function slowPicture(): Buffer<ArrayBuffer> {
  const [width, height] = [2_000, 1_500];
  const pixels = noise((width + 1) * height);
  // The first byte of a row names its filter.
  for (let row = 0; row < height; row += 1) pixels[row * (width + 1)] = 0;
  return png(width, height, pixels);
}
