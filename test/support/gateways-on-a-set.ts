import type { TestContext } from "node:test";
import { type RunningGateway, startGatewayProcess, temporaryHome } from "./aigw.ts";
import { placeStore } from "./engine.ts";
import { startEcho, tokenFor } from "./http.ts";
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
  /** When the service was called by the client `john`, whose limit is {@link LIMIT}. */
  readonly admittedAt: readonly number[];
  /** One more gateway, like the others. */
  start(): Promise<RunningGateway>;
}

export interface OnASetOptions {
  readonly mongod: string;
  readonly maxStaleMs: number;
  /** Where the servers and the service are. Loopback unless given. */
  readonly host?: string;
  /** What runs the third gateway, and where it listens. */
  readonly third?: { readonly under: readonly string[]; readonly host: string };
}

export const startOnASet = async (t: Owner, { mongod, maxStaleMs, host, third }: OnASetOptions): Promise<OnASet> => {
  const set = await startReplicaSet(mongod, 3, host);
  t.after(() => set.stop());
  const admittedAt: number[] = [];
  const echo = await startEcho(t, host);
  echo.server.on("request", (incoming) => {
    if (incoming.headers["x-client-id"] === "john") admittedAt.push(performance.now());
  });
  const home = temporaryHome(t);
  placeStore(home, set.uri("aigw"));
  const clients = { john: { limit: LIMIT }, jane: UNLIMITED, mary: UNLIMITED };
  const { passwords } = await prepareHome(t, { home, services: { echo: echo.url }, clients });
  const args = ["--max-stale", `${maxStaleMs}ms`];
  const start = (): Promise<RunningGateway> => startGatewayProcess(t, home, args);
  const gateways = [
    await start(),
    await start(),
    third === undefined
      ? await start()
      : await startGatewayProcess(t, home, [...args, "--host", third.host], {}, third.under),
  ];
  const [first] = gateways;
  const token = (name: string): Promise<string> => tokenFor(first?.url ?? "", name, passwords[name] ?? "");
  const load = startKnownLoad(t, {
    urls: gateways.map(({ url }) => url),
    callers: {
      jane: { token: await token("jane"), pauseMs: 40 },
      john: { token: await token("john"), pauseMs: 250 },
    },
    login: { name: "mary", password: passwords["mary"] ?? "", everyMs: 1_000 },
  });
  return { home, set, gateways, load, admittedAt, start };
};

/** The most that came in any window that begins with one of them. */
export const mostInAWindow = (admittedAt: readonly number[]): number =>
  Math.max(
    0,
    ...admittedAt.map((from) => admittedAt.filter((at) => at >= from && at < from + WINDOW_MS - JITTER_MS).length),
  );
