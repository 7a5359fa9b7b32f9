import { Agent, request } from "node:http";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { bearer, login } from "./http.ts";
import { within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

/** A call, or a login, of a client that is known and may call. */
export interface KnownCall {
  /** Sent as X-Request-ID; of a login, empty. */
  readonly id: string;
  readonly client: string;
  readonly gateway: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** 0: no complete answer. */
  readonly status: number;
  readonly retryAfter: string | undefined;
}

export interface KnownLoad {
  readonly calls: readonly KnownCall[];
  readonly logins: readonly KnownCall[];
  /** Of a gateway that was killed, or of one that took its place. */
  moveTo(gateway: number, url: string | undefined): void;
  /** Lets what is under way end. */
  stop(): Promise<void>;
}

export interface KnownLoadOptions {
  readonly urls: readonly string[];
  /** By client: its token and the pause between two of its calls on one gateway. */
  readonly callers: Readonly<Record<string, { readonly token: string; readonly pauseMs: number }>>;
  /** Who fetches a token now and then, at one gateway after the other, and calls with it. */
  readonly login: { readonly name: string; readonly password: string; readonly everyMs: number };
}

/** Steady load on all gateways, by clients whom nobody may refuse but for their limits. */
export const startKnownLoad = (t: Owner, { urls, callers, login: who }: KnownLoadOptions): KnownLoad => {
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const at: (string | undefined)[] = [...urls];
  const calls: KnownCall[] = [];
  const logins: KnownCall[] = [];
  let stopped = false;
  let numbered = 0;
  const run = Date.now().toString(36);

  const call = (url: string, token: string, id: string): Promise<Pick<KnownCall, "status" | "retryAfter">> =>
    new Promise((settle) => {
      const headers = { ...bearer(token), "X-Request-ID": id };
      const broken = (): void => settle({ status: 0, retryAfter: undefined });
      const req = request(`${url}/api/echo`, { agent, headers, timeout: 10_000 }, (response) => {
        response.on("error", broken);
        response
          .resume()
          .on("end", () => settle({ status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"] }));
      });
      req.on("timeout", () => req.destroy());
      req.on("error", broken);
      req.end();
    });

  const noted = async (client: string, gateway: number, token: string): Promise<void> => {
    const url = at[gateway];
    if (url === undefined) return;
    numbered += 1;
    const id = `${run}-${client}-${numbered}`;
    const startedAt = performance.now();
    const answer = await call(url, token, id);
    // Killed meanwhile: what became of it, nobody was told.
    if (answer.status === 0 && at[gateway] !== url) return;
    calls.push({ id, client, gateway, startedAt, endedAt: performance.now(), ...answer });
  };

  const caller = async (client: string, gateway: number, token: string, pauseMs: number): Promise<void> => {
    while (!stopped) {
      await noted(client, gateway, token);
      await delay(pauseMs);
    }
  };

  const logger = async (): Promise<void> => {
    for (let turn = 0; !stopped; turn += 1) {
      const gateway = turn % at.length;
      const url = at[gateway];
      if (url !== undefined) {
        const startedAt = performance.now();
        const answer = await login(url, who.name, who.password).catch(() => undefined);
        if (at[gateway] === url)
          logins.push({
            ...{ id: "", client: who.name, gateway, startedAt, endedAt: performance.now() },
            ...{ status: answer?.status ?? 0, retryAfter: answer?.headers["retry-after"] },
          });
        if (answer?.status === 200) {
          const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
          await noted(who.name, gateway, token);
        }
      }
      await delay(who.everyMs);
    }
  };

  const done = Promise.all([
    ...Object.entries(callers).flatMap(([client, { token, pauseMs }]) =>
      urls.map((_, gateway) => caller(client, gateway, token, pauseMs)),
    ),
    logger(),
  ]);
  done.catch(() => undefined);
  return {
    calls,
    logins,
    moveTo: (gateway, url) => {
      at[gateway] = url;
    },
    stop: async () => {
      stopped = true;
      await within("the load to end", done, 30_000);
    },
  };
};
