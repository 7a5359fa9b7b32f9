import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { bearer } from "../../support/http.ts";
import { quantile, type Run } from "../row.ts";

/** What a client saw that called every few milliseconds. */
export interface Probed {
  readonly p50: number;
  readonly p99: number;
  readonly calls: number;
  /** Answers other than 200. */
  readonly failed: number;
}

export interface Probe {
  stop(): Promise<Probed>;
}

/** Calls one after the other, on one connection, until it is stopped. */
export const startProbe = (run: Run, url: string, token?: string): Probe => {
  const agent = new Agent({ keepAlive: true });
  run.after(() => agent.destroy());
  const headers = token === undefined ? {} : bearer(token);
  const ms: number[] = [];
  let failed = 0;
  let stopped = false;
  const one = (): Promise<number> =>
    new Promise((settle, reject) => {
      const req = request(url, { agent, headers }, (response) => {
        response.resume().on("end", () => settle(response.statusCode ?? 0));
      });
      req.on("error", reject);
      req.end();
    });
  const done = (async () => {
    while (!stopped) {
      const started = performance.now();
      if ((await one()) === 200) ms.push(performance.now() - started);
      else failed += 1;
      await delay(3);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await done;
      return { p50: quantile(ms, 0.5), p99: quantile(ms, 0.99), calls: ms.length + failed, failed };
    },
  };
};

/** What calls take while `load` runs, and what it came to. */
export const during = async <T>(
  run: Run,
  url: string,
  token: string | undefined,
  load: () => Promise<T>,
): Promise<readonly [Probed, T]> => {
  const probe = startProbe(run, url, token);
  const result = await load();
  return [await probe.stop(), result];
};
