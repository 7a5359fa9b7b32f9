import { Agent, request } from "node:http";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { bearer } from "./http.ts";
import { within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

export interface NumberedCall {
  /** Sent as X-Request-ID, so that its usage event can be told from all others. */
  readonly id: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** The status of a complete answer, or why there was none, such as `ECONNRESET`. */
  readonly result: number | string;
  /** Sent on a connection that had served a call before. */
  readonly reused: boolean;
}

export interface NumberedLoad {
  readonly calls: readonly NumberedCall[];
  /** Lets the calls under way end. */
  stop(): Promise<void>;
}

/**
 * Calls `url` over and over on `connections` kept connections, until it is stopped or nobody listens any more.
 *
 * @param options.pauseMs between two calls on one connection: a load that leaves the processor something to do
 */
export const startNumberedLoad = (
  t: Owner,
  options: { url: string; token: string; prefix: string; connections: number; pauseMs?: number },
): NumberedLoad => {
  const { url, token, prefix, connections, pauseMs = 3 } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  t.after(() => agent.destroy());
  const calls: NumberedCall[] = [];
  let count = 0;
  let stopped = false;
  const call = (id: string): Promise<Pick<NumberedCall, "result" | "reused">> =>
    new Promise((done) => {
      const settle = (result: number | string): void => done({ result, reused: req.reusedSocket });
      const req = request(url, { agent, headers: { ...bearer(token), "X-Request-ID": id } }, (response) => {
        response.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "broken"));
        response.resume().on("end", () => settle(response.statusCode ?? 0));
      });
      req.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "broken"));
      req.end();
    });
  const worker = async (): Promise<void> => {
    while (!stopped) {
      count += 1;
      const id = `${prefix}-${count}`;
      const startedAt = performance.now();
      const outcome = await call(id);
      calls.push({ id, startedAt, endedAt: performance.now(), ...outcome });
      if (outcome.result === "ECONNREFUSED") return;
      await delay(pauseMs);
    }
  };
  const done = Promise.all(Array.from({ length: connections }, worker));
  done.catch(() => undefined);
  return {
    calls,
    stop: async () => {
      stopped = true;
      await within("the load to end", done);
    },
  };
};
