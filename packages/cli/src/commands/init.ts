import { setSetting } from "@aigw/core/acts";
import { SETTINGS, type SettingKey } from "@aigw/core/config";
import { initHome, inspectHome } from "@aigw/core/home";
import type { Command } from "commander";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { flag } from "../app/flag.ts";
import { currentActor, type HomeLocation, locateHome } from "../app/home.ts";
import { warnOfPlainHttp } from "../app/settings.ts";
import { offer } from "../terminal/ask.ts";
import { prose } from "../terminal/output/wrap.ts";

export interface InitOptions {
  readonly settings: ReadonlyMap<SettingKey, string>;
}

interface Flags {
  readonly publicUrl?: string;
  readonly supportEmail?: string;
}

export const command = (ctx: Context): Command =>
  describe("init", "Create the data folder with its master key and first signing secret. Never over anything.", [
    ["aigw init", "asks for the public URL and the support address on a terminal"],
    ["aigw init --public-url https://ai.example.com --support-email help@example.com", "in a script"],
    ["AIGW_HOME=/srv/aigw aigw init", "somewhere else"],
  ])
    .option("--public-url <url>", SETTINGS["public-url"].about, flag("--public-url", SETTINGS["public-url"].parse))
    .option(
      "--support-email <address>",
      SETTINGS["support-email"].about,
      flag("--support-email", SETTINGS["support-email"].parse),
    )
    .action(async (flags: Flags) => {
      const fresh = (await inspectHome(locateHome(ctx))) === "empty";
      const settings = new Map<SettingKey, string>();
      await settle(ctx, settings, "public-url", flags.publicUrl, fresh);
      await settle(ctx, settings, "support-email", flags.supportEmail, fresh);
      await run({ settings }, ctx);
    });

const settle = async (
  ctx: Context,
  settings: Map<SettingKey, string>,
  key: SettingKey,
  given: string | undefined,
  ask: boolean,
): Promise<void> => {
  const { about, parse } = SETTINGS[key];
  const value = given ?? (ask ? await offer(ctx, { message: `${key}: ${about} (empty: later)`, parse }) : undefined);
  if (value !== undefined) settings.set(key, value);
};

export const run = async ({ settings }: InitOptions, ctx: Context): Promise<void> => {
  const location = locateHome(ctx);
  const { created } = await initHome({ ...location, at: ctx.clock.now(), actor: currentActor(), settings });
  // Also proves that the key opens the store.
  const { stored } = await ctx.withHome("existing", async (home) => {
    if (!created) for (const [key, value] of settings) await setSetting(home, key, value);
    return { stored: await home.store.control.settings() };
  });
  await ctx.out.answer({
    json: () => ({ home: location.home, created, settings: shownSettings(stored) }),
    quiet: () => location.home,
    text: (view) => prose(view, sentence(location, created, settings.size)),
  });
  const publicUrl = stored.get("public-url");
  if (publicUrl !== undefined) await warnOfPlainHttp(ctx, publicUrl);
  if (created && publicUrl === undefined) {
    await ctx.out.note("Before you onboard clients: aigw config set public-url https://…");
  }
};

/** A secret is not repeated, not even sealed. */
const shownSettings = (stored: ReadonlyMap<SettingKey, string>): Readonly<Record<string, string>> =>
  Object.fromEntries([...stored].filter(([key]) => SETTINGS[key].secret !== true));

const sentence = ({ home, masterKey }: HomeLocation, created: boolean, changed: number): string => {
  if (!created)
    return `${home} is initialised already; ${changed === 0 ? "nothing to do" : "the settings are stored"}.`;
  if (masterKey !== undefined) return `${home} is initialised, with the master key of AIGW_MASTER_KEY.`;
  return `${home} is initialised. Back up its master.key: without it the store cannot be opened.`;
};
