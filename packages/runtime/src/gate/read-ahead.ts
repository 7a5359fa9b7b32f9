import type { IncomingMessage } from "node:http";
import { isJsonType, mediaTypeOf } from "../media-type.ts";

/** A larger request is not read before it is let in. */
const MAX_AHEAD = 1024 * 1024;
/** A client that takes longer to send so little is let in on what is known without it. */
const PATIENCE_MS = 5_000;
/** How often it is asked whether the call may still wait. */
const LOOK_MS = 100;

/** The length of a JSON request that can be read before it is passed on; undefined for any other. */
export const lengthAhead = ({ headers }: IncomingMessage): number | undefined => {
  const { "content-type": type = "", "content-length": length, "transfer-encoding": coding } = headers;
  if (coding !== undefined || length === undefined) return undefined;
  const content = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if ((content !== "" && content !== "identity") || !isJsonType(mediaTypeOf(type))) return undefined;
  const declared = Number(length);
  return declared > 0 && declared <= MAX_AHEAD ? declared : undefined;
};

/**
 * Reads the content of a request and puts it back: whoever reads it next finds it as it came.
 * @param mayWait is asked several times a second
 * @returns undefined when it did not come in time, the client left, or the call may not wait any longer
 */
export const readAhead = (
  incoming: IncomingMessage,
  declared: number,
  mayWait: () => boolean,
): Promise<Buffer | undefined> =>
  new Promise((answer) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const until = performance.now() + PATIENCE_MS;
    const finish = (): void => {
      clearInterval(timer);
      incoming.off("readable", read);
      incoming.off("close", finish);
      const content = Buffer.concat(chunks);
      if (content.length > 0 && !incoming.destroyed) incoming.unshift(content);
      answer(size === declared ? content : undefined);
    };
    const read = (): void => {
      for (let chunk: Buffer | null = incoming.read(); chunk !== null; chunk = incoming.read()) {
        chunks.push(chunk);
        size += chunk.length;
        // Now: an end that was told cannot be taken back.
        if (size >= declared) break;
      }
      if (size >= declared) finish();
    };
    const timer = setInterval(() => {
      if (!mayWait() || performance.now() > until) finish();
    }, LOOK_MS);
    incoming.on("close", finish);
    incoming.on("readable", read);
    read();
  });
