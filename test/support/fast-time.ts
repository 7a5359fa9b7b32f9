import http, { type RequestListener, type ServerOptions } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import type { TestContext } from "node:test";

/** So many times as fast, and no more: a busy machine is as slow as ever. */
const SPEED = 15;
/** Shorter timers are the tests' own, or meant for the turn of an event loop. */
const LONG_MS = 10_000;

/** Node's defaults, milliseconds: they are in force where nobody sets another. */
const DEFAULTS = { headersTimeout: 60_000, keepAliveTimeout: 5_000, connectionsCheckingInterval: 30_000 };

/**
 * For servers that are started from now on, and for timers of {@link LONG_MS} and more, a minute takes four seconds: what
 * ends by itself after a while can be waited for. What has no end has none here either.
 */
export const speedUp = (t: Pick<TestContext, "after">): void => {
  const { createServer } = http;
  const real = globalThis.setTimeout;
  const faster = (options: ServerOptions, name: keyof typeof DEFAULTS): number =>
    Math.round((options[name] ?? DEFAULTS[name]) / SPEED);
  const fast = (options: ServerOptions): ServerOptions => ({
    ...options,
    headersTimeout: faster(options, "headersTimeout"),
    keepAliveTimeout: faster(options, "keepAliveTimeout"),
    connectionsCheckingInterval: faster(options, "connectionsCheckingInterval"),
  });
  http.createServer = ((options: ServerOptions, listener?: RequestListener) =>
    createServer(fast(options), listener)) as typeof createServer;
  const faked = (work: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): NodeJS.Timeout =>
    real(work, ms < LONG_MS ? ms : ms / SPEED, ...args);
  globalThis.setTimeout = Object.assign(faked, { __promisify__: real.__promisify__ }) as typeof setTimeout;
  syncBuiltinESMExports();
  t.after(() => {
    http.createServer = createServer;
    globalThis.setTimeout = real;
    syncBuiltinESMExports();
  });
};
