import { setTimeout as delay } from "node:timers/promises";
import type { Store } from "@aigw/core";
import { INSTANCE_GONE_MS } from "@aigw/core/acts";
import { readQueues } from "@aigw/core/queue";
import type { Command } from "commander";
import { Interrupted, UsageError } from "../app/cli-error.ts";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { enterScreen } from "../terminal/output/screen.ts";
import { type FrameFacts, renderFrame, SORTS, type Sort } from "../top/frame.ts";
import { quits, readKeys } from "../top/keys.ts";
import { RollingMinute } from "../top/rolling-minute.ts";
import { snapshotJson } from "../top/snapshot-json.ts";

export interface TopOptions {
  readonly once: boolean;
}

export const command = (ctx: Context): Command =>
  describe("top", "Watch the calls of the last minute, live: q or Ctrl-C ends it, s sorts.", [
    ["aigw top", "a screen that is drawn anew every second"],
    ["aigw top --once", "the same once, also without a terminal"],
    ["aigw top --json | jq '.all.perSecond'", "a JSON object a second, until Ctrl-C"],
  ])
    .option("--once", "a single look", false)
    .action((options: TopOptions) => run(options, ctx));

const EVERY_MS = 1_000;
const PAGE = 5_000;
/** Known at the start: at more than 500 calls a second the first minute fills as it goes on. */
const AT_START = 30_000;

export const run = async ({ once }: TopOptions, ctx: Context): Promise<void> => {
  const { mode } = ctx.out;
  const onTerminal = ctx.io.stdout.isTTY === true && ctx.io.stdin.isTTY === true;
  if (!once && mode !== "json" && !onTerminal) {
    throw new UsageError(
      "top needs a terminal. Elsewhere use: aigw usage tail -f, aigw usage report, or aigw top --once.",
    );
  }
  await ctx.withHome("existing", async ({ store }) => {
    const look = await lookAt(store, ctx);
    if (once) return answerOnce(ctx, await look());
    return mode === "json" ? stream(ctx, look) : live(ctx, look);
  });
};

type Look = () => Promise<Pick<FrameFacts, "snapshot" | "gateways" | "queues">>;

const lookAt = async ({ control, traffic }: Store, { clock }: Context): Promise<Look> => {
  const minute = new RollingMinute();
  const start = await traffic.latestUsage({}, AT_START);
  let { cursor } = start;
  minute.add(start.events);
  return async () => {
    for (let full = true; full; ) {
      const page = await traffic.usageAfter(cursor, {}, PAGE);
      minute.add(page.events);
      cursor = page.cursor;
      full = page.events.length === PAGE;
    }
    return {
      snapshot: minute.snapshot(clock.now()),
      gateways: await traffic.instances(INSTANCE_GONE_MS),
      queues: await readQueues({ traffic }, await control.services()),
    };
  };
};

const answerOnce = (ctx: Context, { snapshot, gateways, queues }: Awaited<ReturnType<Look>>): Promise<void> =>
  ctx.out.answer({
    json: () => snapshotJson(snapshot, gateways, queues),
    quiet: () => String(snapshot.all.perSecond),
    text: (view) => {
      const facts = {
        snapshot,
        gateways,
        queues,
        sort: "requests",
        height: Number.POSITIVE_INFINITY,
        keys: "",
      } as const;
      return renderFrame(view, facts).join("\n");
    },
  });

const stream = async (ctx: Context, look: Look): Promise<never> => {
  const stopped = new AbortController();
  const unlisten = ctx.io.onStop(() => stopped.abort());
  try {
    for (;;) {
      const { snapshot, gateways, queues } = await look();
      await ctx.out.jsonLine(snapshotJson(snapshot, gateways, queues));
      await pause(EVERY_MS, stopped.signal);
      if (stopped.signal.aborted) throw new Interrupted("");
    }
  } finally {
    unlisten();
  }
};

/** Draws every second, and at once when a key was pressed or the window has another size. */
const live = async (ctx: Context, look: Look): Promise<void> => {
  const { stdin, stdout } = ctx.io;
  let ended: "quit" | "signal" | undefined;
  let sort: Sort = "requests";
  let woken = new AbortController();
  const wake = (): void => woken.abort();
  const unlisten = ctx.io.onStop(() => {
    ended ??= "signal";
    wake();
  });
  const screen = enterScreen(stdout);
  const releaseKeys = readKeys(stdin, (key) => {
    if (quits(key)) ended ??= "quit";
    if (key === "s") sort = SORTS[(SORTS.indexOf(sort) + 1) % SORTS.length] ?? "requests";
    wake();
  });
  stdout.on("resize", wake);
  try {
    let facts = await look();
    for (let next = performance.now() + EVERY_MS; ended === undefined; ) {
      // Before anything is waited for: a key pressed from here on cuts the pause short.
      woken = new AbortController();
      const view = { ...(await ctx.out.view()), width: screen.width };
      screen.draw(renderFrame(view, { ...facts, sort, height: screen.height, keys: "q quit  s sort" }));
      await pause(next - performance.now(), woken.signal);
      if (performance.now() < next) continue;
      facts = await look();
      next = performance.now() + EVERY_MS;
    }
  } finally {
    stdout.off("resize", wake);
    releaseKeys();
    screen.leave();
    unlisten();
  }
  if (ended === "signal") throw new Interrupted("");
};

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await delay(Math.max(0, ms), undefined, { signal });
  } catch (error) {
    // Woken early: that is what the signal is for.
    if (!signal.aborted) throw error;
  }
};
