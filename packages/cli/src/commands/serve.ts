import { parseDuration } from "@aigw/core";
import type { Command } from "commander";
import { describe } from "../command.ts";
import type { Context } from "../context.ts";
import { flag } from "../flag.ts";
import { type Home, openHomeForGateway } from "../home.ts";
import { listenError } from "../listen-error.ts";
import { writeMessage } from "../output/write.ts";
import { parsePort } from "../parse-value.ts";
import { readVersion } from "../version.ts";

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Milliseconds for which known clients keep working when the store cannot be read. */
  readonly maxStale: number;
  /** Milliseconds that calls under way are given at the end. */
  readonly drain: number;
}

export const command = (ctx: Context): Command =>
  describe("serve", "Run the gateway until Ctrl-C or SIGTERM. Its log goes to stderr, a JSON object a line.", [
    ["aigw serve", "on http://127.0.0.1:8080, for this machine only"],
    ["aigw serve --host 0.0.0.0 --port 80", "for the network; put TLS in front of it"],
    ["aigw serve --port 0 -q", "on any free port; prints the URL once it is ready"],
  ])
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--port <number>", "0 takes any free one", flag("--port", parsePort), 8080)
    .option(
      "--max-stale <duration>",
      "how long known clients keep working without the store",
      durationFlag("--max-stale"),
      60_000,
    )
    .option("--drain <duration>", "how long calls under way may take at the end", durationFlag("--drain"), 30_000)
    .action((options: ServeOptions) => run(options, ctx));

const durationFlag = (name: string): ((value: string) => number) =>
  flag(name, (value) => parseDuration(name.slice(2), value));

export const run = async (options: ServeOptions, ctx: Context): Promise<void> => {
  // Listened for from the start: a signal that comes while the gateway starts ends it in good order too.
  const stop = stopRequest(ctx);
  try {
    const home = await openHomeForGateway(ctx);
    try {
      await serveUntil(stop.requested, options, ctx, home);
    } finally {
      await home.store.close();
    }
  } finally {
    stop.forget();
  }
};

const serveUntil = async (stopped: Promise<void>, options: ServeOptions, ctx: Context, home: Home): Promise<void> => {
  const { stderr } = ctx.io;
  const { host, port } = options;
  const version = readVersion();
  const { startGateway } = await import("@aigw/runtime");
  const gateway = await startGateway({
    store: home.store,
    sealer: home.sealer,
    clock: home.clock,
    host,
    port,
    version,
    pid: process.pid,
    maxStaleMs: options.maxStale,
    drainMs: options.drain,
    log: (line) => void stderr.write(line.endsWith("\n") ? line : `${line}\n`),
  }).catch((error: unknown) => {
    throw listenError(error, host, port);
  });
  try {
    if (stderr.isTTY === true) {
      await writeMessage(stderr, `aigw ${version} is listening on ${gateway.url}. Press Ctrl-C to stop it.\n`);
    }
    await ctx.out.answer({
      json: () => ({ gateway: { id: gateway.instanceId, url: gateway.url, pid: process.pid } }),
      quiet: () => gateway.url,
      text: () => "",
    });
    await stopped;
  } finally {
    await gateway.close();
  }
};

const stopRequest = (ctx: Context): { readonly requested: Promise<void>; readonly forget: () => void } => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { requested: promise, forget: ctx.io.onStop(() => resolve()) };
};
