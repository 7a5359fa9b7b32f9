import type { IncomingMessage, ServerResponse } from "node:http";
import type { TestContext } from "node:test";
import { startUpstream } from "./http.ts";
import { until } from "./until.ts";

/** One call that the service has. */
export interface HeldCall {
  readonly request: IncomingMessage;
  /** Of whom, as the gateway says. */
  readonly client: string;
  /** By its own clock. */
  readonly at: number;
  /** Received of its body. */
  bytes(): number;
  answer(): void;
}

/** A service that counts what it has at once, and answers when it is told to or after some time. */
export interface HeldService {
  readonly url: string;
  /** In the order in which they came. */
  readonly calls: readonly HeldCall[];
  /** That it has now, and had at most at once. */
  readonly running: () => number;
  readonly most: () => number;
  /** Waits until so many have come. */
  came(count: number): Promise<unknown>;
}

/** @param holdMs undefined: until it is told to answer */
export const startHeldService = async (t: Pick<TestContext, "after">, holdMs?: number): Promise<HeldService> => {
  const calls: HeldCall[] = [];
  let running = 0;
  let most = 0;
  const upstream = await startUpstream(t, (request: IncomingMessage, response: ServerResponse) => {
    running += 1;
    most = Math.max(most, running);
    let isOver = false;
    const over = (): void => {
      if (!isOver) running -= 1;
      isOver = true;
    };
    response.on("close", over);
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    const answer = (): void => {
      over();
      response.end("done");
    };
    calls.push({
      request,
      client: String(request.headers["x-client-id"]),
      at: performance.now(),
      bytes: () => bytes,
      answer,
    });
    if (holdMs !== undefined) setTimeout(answer, holdMs);
  });
  return {
    url: upstream.url,
    calls,
    running: () => running,
    most: () => most,
    came: (count) => until(`${count} calls at the service`, () => calls.length >= count),
  };
};
