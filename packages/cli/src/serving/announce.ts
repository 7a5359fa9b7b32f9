import { SETTING_DEFAULTS } from "@aigw/core/config";
import { carryFlags } from "../app/carry-flags.ts";
import type { Context } from "../app/context.ts";
import type { Home } from "../app/home.ts";
import { settingsInForce } from "../app/settings.ts";
import { columnsOf } from "../terminal/io.ts";
import { renderFields } from "../terminal/output/fields.ts";
import { formatDuration } from "../terminal/output/time.ts";
import { type View, viewOf } from "../terminal/output/view.ts";
import { prose } from "../terminal/output/wrap.ts";
import { writeMessage } from "../terminal/output/write.ts";

export interface Started {
  readonly version: string;
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly adminUrl: string | undefined;
  /** Absent where the gateway is one process. */
  readonly workers?: number;
  /** `gateway` of the answer in JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** Tells whoever started the gateway that it serves: a person at a terminal in a few lines, a program in one. */
export const announce = async (ctx: Context, home: Home, started: Started): Promise<void> => {
  if (isWatched(ctx)) {
    const view = await viewOf(ctx.io.stderr, ctx.env, ctx.globals.color, ctx.clock.now());
    await writeMessage(ctx.io.stderr, `${await banner(ctx, home, started, view)}\n\n`);
  }
  await ctx.out.answer({ json: () => ({ gateway: started.json }), quiet: () => started.url, text: () => "" });
};

/** What Ctrl-C and SIGTERM are answered with on a terminal. */
export const sayStopping = (ctx: Context, drainMs: number): void => {
  if (!isWatched(ctx)) return;
  // In a line of its own: the terminal has shown ^C.
  const said = `Stopping: calls under way have ${formatDuration(drainMs)} to end. Ctrl-C again stops at once.`;
  ctx.io.stderr.write(`\n${prose({ width: columnsOf(ctx.io.stderr) }, said)}\n`);
};

const isWatched = ({ io, out }: Context): boolean => io.stderr.isTTY === true && out.mode === "text";

const banner = async (ctx: Context, home: Home, started: Started, view: View): Promise<string> => {
  const { version, url, adminUrl, workers } = started;
  const settings = settingsInForce(ctx, await home.store.control.settings());
  const { value = "", source } = settings["public-url"];
  const publicUrl = source === "default" ? undefined : value;
  const rows: (readonly [label: string, value: string])[] = [
    ["Listens on", url],
    ...(publicUrl === undefined || publicUrl === url ? [] : [["Public URL", publicUrl] as const]),
    ["Guide", settings["docs-url"].value ?? `${publicUrl ?? reachable(url)}/guide`],
    ...(adminUrl === undefined ? [] : [["Metrics", `${adminUrl}/metrics`] as const]),
    ["Home", home.path],
    ...(workers === undefined ? [] : [["Workers", String(workers)] as const]),
  ];
  const next = await nextStep(home, publicUrl === undefined ? reachable(url) : undefined);
  const indented = (text: string): string => text.replace(/^/gm, "  ");
  return [
    view.style.bold(`aigw ${version} is ready.`),
    indented(renderFields({ ...view, width: view.width - 2 }, rows)),
    `${prose(view, `Next, in another terminal: ${next.why}`)}\n${indented(view.style.cyan(carryFlags(`aigw ${next.words}`, ctx.globals)))}`,
    "Ctrl-C stops it in good order, a second one at once.",
  ].join("\n\n");
};

/** A person's browser does not get to "everywhere". */
const reachable = (url: string): string => url.replace(/\/\/(0\.0\.0\.0|\[::\])(?=:)/, "//127.0.0.1");

/** @param unsaid where clients reach the gateway, when no public URL says so */
const nextStep = async (
  { store: { control } }: Home,
  unsaid: string | undefined,
): Promise<{ readonly why: string; readonly words: string }> => {
  if ((await control.services()).length === 0) {
    return { why: "put a service behind it.", words: "service add <name> <url>" };
  }
  if (unsaid !== undefined && unsaid !== SETTING_DEFAULTS["public-url"]) {
    return { why: "say where clients reach it; e-mails have it.", words: `config set public-url ${unsaid}` };
  }
  if ((await control.clients()).length === 0) {
    return { why: "give somebody access, with the e-mail to send.", words: "onboard <name> --email" };
  }
  return { why: "watch the calls.", words: "usage tail -f" };
};
