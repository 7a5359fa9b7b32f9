import type { ApiCall } from "../gate/api-call.ts";

/** What ends the reading, as an event of the request. */
export const STOP: unique symbol = Symbol("stop reading");

/** As it comes; ends also when the client leaves, or when it is told to stop. Leaves the connection as it is. */
export async function* contentOf({ incoming }: ApiCall, isStopped: () => boolean): AsyncGenerator<Buffer> {
  const { headers } = incoming;
  if (headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0) {
    incoming.resume();
    if (!incoming.complete) await new Promise((ended) => incoming.once("end", ended).once("close", ended));
    return;
  }
  let wake = (): void => undefined;
  let isOver = false;
  const end = (): void => {
    isOver = true;
    wake();
  };
  const onReadable = (): void => wake();
  incoming.on("readable", onReadable).on("end", end).on("close", end).on("error", end);
  incoming.once(STOP, end);
  try {
    while (!isStopped()) {
      const chunk: Buffer | null = incoming.read();
      if (chunk !== null) yield chunk;
      else if (isOver) return;
      else
        await new Promise<void>((ready) => {
          wake = ready;
        });
    }
  } finally {
    incoming.off("readable", onReadable).off("end", end).off("close", end).off("error", end).off(STOP, end);
    incoming.resume();
  }
}
