import type { IncomingMessage, ServerResponse } from "node:http";
import type { TestContext } from "node:test";
import { startUpstream, type Upstream } from "./http.ts";
import { until } from "./until.ts";

/** One call that the service has. */
export interface HeldCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of whom, as the gateway says. */
  readonly client: string;
  /** By its own clock. */
  readonly at: number;
  /** Received of its body. */
  bytes(): number;
  answer(): void;
}

/** A service that counts what it has at once, and answers when it is told to or after some time. */
export interface HeldService extends Upstream {
  /** In the order in which they came. */
  readonly calls: readonly HeldCall[];
  /** Those under way whose request has come to its end, in the order in which it did. */
  readonly open: readonly (HeldCall & { readonly body: Buffer })[];
  /** Those of which the gateway let go. */
  readonly aborted: readonly string[];
  /** That it has now, and had at most at once. */
  readonly running: () => number;
  readonly most: () => number;
  /** Waits until so many have come. */
  came(count: number): Promise<unknown>;
}

/** @param holdMs undefined: until it is told to answer */
export const startHeldService = async (t: Pick<TestContext, "after">, holdMs?: number): Promise<HeldService> => {
  const calls: HeldCall[] = [];
  const open: (HeldCall & { readonly body: Buffer })[] = [];
  const aborted: string[] = [];
  let running = 0;
  let most = 0;
  const upstream = await startUpstream(t, (request, response) => {
    running += 1;
    most = Math.max(most, running);
    let isOver = false;
    const over = (): void => {
      if (!isOver) running -= 1;
      isOver = true;
    };
    response.on("close", () => {
      over();
      if (!response.writableFinished) aborted.push(request.url ?? "");
    });
    const chunks: Buffer[] = [];
    const call: HeldCall = {
      request,
      response,
      client: String(request.headers["x-client-id"]),
      at: performance.now(),
      bytes: () => chunks.reduce((sum, { length }) => sum + length, 0),
      answer: () => {
        over();
        response.end("done");
      },
    };
    calls.push(call);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const whole = { ...call, body: Buffer.concat(chunks) };
      open.push(whole);
      response.on("close", () => open.splice(open.indexOf(whole), 1));
    });
    if (holdMs !== undefined) setTimeout(call.answer, holdMs);
  });
  return {
    ...upstream,
    calls,
    open,
    aborted,
    running: () => running,
    most: () => most,
    came: (count) => until(`${count} calls at the service`, () => calls.length >= count),
  };
};
