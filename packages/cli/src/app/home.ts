import { hostname, userInfo } from "node:os";
import { resolve } from "node:path";
import type { ActDeps, OpenedControl, OpenedStore } from "@aigw/core";
import { AigwError } from "@aigw/core/errors";
import { initHome, inspectHome, openHome, openHomeControl, resolveHome } from "@aigw/core/home";
import type { Io } from "../terminal/io.ts";
import type { Context } from "./context.ts";
import { naming } from "./flag.ts";

/** `existing`: an empty home is an error. `initialise`: it is initialised with the defaults, and that is said. */
export type HomeMode = "existing" | "initialise";

/** An opened home: what acts need, and where it is. */
export interface Home extends ActDeps {
  readonly store: OpenedStore;
  readonly path: string;
  readonly storeUrl: string;
  readonly onStop: Io["onStop"];
}

/** Where home and store are, by flag before environment. */
export interface HomeLocation {
  readonly home: string;
  readonly storeUrl: string | undefined;
  readonly masterKey: string | undefined;
}

/** An admin at a terminal waits this long for another command's lock. */
const BUSY_TIMEOUT_MS = 5_000;
/** A gateway's requests must not stand still while a command writes. */
export const GATEWAY_BUSY_TIMEOUT_MS = 50;

export const locateHome = ({ io, env, globals }: Context): HomeLocation => ({
  home: resolveHome(env, globals.home === undefined || globals.home === "" ? undefined : resolve(io.cwd, globals.home)),
  storeUrl: globals.store || env["AIGW_STORE"] || undefined,
  masterKey: env["AIGW_MASTER_KEY"] || undefined,
});

export const openHomeFor = async (
  ctx: Context,
  mode: HomeMode,
  busyTimeoutMs: number = BUSY_TIMEOUT_MS,
): Promise<Home> => {
  const { clock } = ctx;
  const location = locateHome(ctx);
  const actor = currentActor();
  return namingStore(ctx, async () => {
    if (mode === "initialise" && (await inspectHome(location)) === "empty") {
      const { created } = await initHome({ ...location, at: clock.now(), actor });
      if (created) await ctx.out.warn(initialisedNote(location));
    }
    const { store, sealer, home, storeUrl } = await openHome({ ...location, clock, busyTimeoutMs });
    return { store, sealer, clock, actor, path: home, storeUrl, onStop: ctx.io.onStop };
  });
};

export const openControlFor = (ctx: Context): Promise<OpenedControl> =>
  namingStore(ctx, async () => {
    const { clock } = ctx;
    return (await openHomeControl({ ...locateHome(ctx), clock, busyTimeoutMs: BUSY_TIMEOUT_MS })).store;
  });

export const openHomeForGateway = (ctx: Context): Promise<Home> =>
  openHomeFor(ctx, "initialise", GATEWAY_BUSY_TIMEOUT_MS);

export const initialisedNote = ({ home, masterKey }: HomeLocation): string =>
  masterKey === undefined
    ? `${home} was empty and is initialised now. Back up its master.key: without it the store cannot be opened.`
    : `${home} was empty and is initialised now, with the master key of AIGW_MASTER_KEY. Without that key the store cannot be opened.`;

/** A store URL that is not valid names where it came from. */
const namingStore = async <T>(ctx: Context, work: () => Promise<T>): Promise<T> => {
  const source = ctx.globals.store ? "--store" : ctx.env["AIGW_STORE"] ? "AIGW_STORE" : undefined;
  try {
    return await work();
  } catch (error) {
    if (source === undefined || !(error instanceof AigwError) || error.code !== "invalid_value") throw error;
    return naming(source, () => {
      throw error;
    });
  }
};

/** `user@host`, for the audit trail. */
export const currentActor = (): string => `${userName()}@${hostname()}`;

const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
};
