import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type RunningGateway, startGatewayProcess, temporaryHome } from "./aigw.ts";
import { placeStore } from "./engine.ts";
import { bearer, send, startEcho, tokenFor } from "./http.ts";
import { type KnownLoad, startKnownLoad } from "./known-clients.ts";
import { type ReplicaSet, startReplicaSet } from "./mongod.ts";
import { prepareHome, UNLIMITED } from "./prepared-home.ts";

type Owner = Pick<TestContext, "after">;

export const LIMIT = 60;
const WINDOW_MS = 60_000;
/** Calls reach the upstream sooner or later after their permit: so much is left out of the window that is looked at. */
const JITTER_MS = 500;

/** Three gateways as processes on a replica set of their own, under load. */
export interface OnASet {
  readonly home: string;
  readonly set: ReplicaSet;
  readonly gateways: RunningGateway[];
  readonly load: KnownLoad;
  /** When the service was called by each client. The limit of `john` and of the unseen ones is {@link LIMIT}. */
  readonly admitted: ReadonlyMap<string, readonly number[]>;
  /** Tokens of clients who have not called yet, by name. */
  readonly unseen: ReadonlyMap<string, string>;
  /** One more gateway, like the others. */
  start(): Promise<RunningGateway>;
}

export interface OnASetOptions {
  readonly mongod: string;
  readonly maxStaleMs: number;
  /** Where the servers and the service are. Loopback unless given. */
  readonly host?: string;
  /** So many clients who have not called yet. */
  readonly unseen?: number;
  /** What runs the third gateway, and where it listens. */
  readonly third?: { readonly under: readonly string[]; readonly host: string };
}

export const startOnASet = async (t: Owner, options: OnASetOptions): Promise<OnASet> => {
  const { mongod, maxStaleMs, host, third } = options;
  const set = await startReplicaSet(mongod, 3, host);
  t.after(() => set.stop());
  const admitted = new Map<string, number[]>();
  const echo = await startEcho(t, host);
  echo.server.on("request", (incoming) => {
    const client = String(incoming.headers["x-client-id"]);
    const times = admitted.get(client);
    if (times === undefined) admitted.set(client, [performance.now()]);
    else times.push(performance.now());
  });
  const home = temporaryHome(t);
  placeStore(home, set.uri("aigw"));
  const names = Array.from({ length: options.unseen ?? 0 }, (_, index) => `unseen-${index}`);
  const clients = {
    ...Object.fromEntries(names.map((name) => [name, { limit: LIMIT }])),
    ...{ john: { limit: LIMIT }, jane: UNLIMITED, mary: UNLIMITED },
  };
  const { passwords } = await prepareHome(t, { home, services: { echo: echo.url }, clients });
  const args = ["--max-stale", `${maxStaleMs}ms`];
  const start = (): Promise<RunningGateway> => startGatewayProcess(t, home, args);
  const gateways = await Promise.all([
    start(),
    start(),
    third === undefined ? start() : startGatewayProcess(t, home, [...args, "--host", third.host], {}, third.under),
  ]);
  const [first] = gateways;
  const token = (name: string): Promise<string> => tokenFor(first?.url ?? "", name, passwords[name] ?? "");
  const unseen = new Map<string, string>();
  for (const name of names) unseen.set(name, await token(name));
  const load = startKnownLoad(t, {
    urls: gateways.map(({ url }) => url),
    callers: {
      jane: { token: await token("jane"), pauseMs: 40 },
      john: { token: await token("john"), pauseMs: 250 },
    },
    login: { name: "mary", password: passwords["mary"] ?? "", everyMs: 1_000 },
  });
  return { home, set, gateways, load, admitted, unseen, start };
};

/** Calls as a client whose permits only the first gateway has granted so far, then at all of them, until it is stopped. */
export const pressUnseen = async (
  { gateways }: Pick<OnASet, "gateways">,
  token: string,
  before: number,
): Promise<() => Promise<void>> => {
  const call = (url = ""): Promise<unknown> =>
    send(`${url}/api/echo`, { headers: bearer(token) }).catch(() => undefined);
  for (let i = 0; i < before; i += 1) await call(gateways[0]?.url);
  let stopped = false;
  const lane = async (index: number): Promise<void> => {
    while (!stopped) {
      await call(gateways[index]?.url);
      await delay(100);
    }
  };
  const done = Promise.all(gateways.map((_, index) => lane(index)));
  return async () => {
    stopped = true;
    await done;
  };
};

/** The most that came in any window that begins with one of them. */
export const mostInAWindow = (admittedAt: readonly number[] = []): number =>
  Math.max(
    0,
    ...admittedAt.map((from) => admittedAt.filter((at) => at >= from && at < from + WINDOW_MS - JITTER_MS).length),
  );
