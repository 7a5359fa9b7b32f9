import { resolve } from "node:path";
import type { BackupFacts } from "@aigw/core";
import { retireEndedKeys } from "@aigw/core/acts";
import { isAigwError, isStoreFault } from "@aigw/core/errors";
import { masterKeyPath } from "@aigw/core/home";
import type { Command } from "commander";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import type { Home } from "../app/home.ts";
import { interruptible } from "../app/interruptible.ts";
import { backupJson } from "../json/backup.ts";
import { need } from "../terminal/ask.ts";
import { humanBytes } from "../terminal/output/figures.ts";
import { counted } from "../terminal/output/words.ts";
import { prose } from "../terminal/output/wrap.ts";

export interface BackupOptions {
  /** As given; from the working directory when relative. */
  readonly file: string;
}

export const command = (ctx: Context): Command =>
  describe("backup", "Copy everything but the master key into one new file, while the gateways go on serving.", [
    ["aigw backup /mnt/backup/aigw-2027-01-31.tar", "clients, services, sealed secrets, audit trail, usage"],
    ["aigw backup aigw.tar -q && gpg --encrypt -r ops aigw.tar", "the file for a place you trust less"],
  ])
    .argument("[file]", "a file that does not exist yet; it gets mode 0600")
    .usage("<file>")
    .action(async (given: string | undefined) => {
      const file = await need(ctx, given, {
        argument: "<file>",
        usage: "aigw backup <file>",
        question: "Into which file?",
        parse: (value) => value,
      });
      await run({ file }, ctx);
    });

export const run = ({ file: given }: BackupOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const file = resolve(ctx.io.cwd, given);
    await dropEndedKeys(home);
    const facts = await interruptible(ctx, (signal) => home.store.backup(file, { signal }));
    const key = ctx.env["AIGW_MASTER_KEY"] ? null : masterKeyPath(home.path);
    await ctx.out.answer({
      json: () => ({ backup: backupJson(file, facts), masterKey: { included: false, file: key } }),
      quiet: () => file,
      text: (view) => prose(view, sentence(file, facts)),
    });
    await warnOfKey(ctx, home, key);
  });

/** With no gateway running nobody else has: no backup holds the secret of a key whose grace is over. Best effort. */
const dropEndedKeys = async (home: Home): Promise<void> => {
  try {
    await retireEndedKeys(home);
  } catch (error) {
    if (!isStoreFault(error) && !isAigwError(error, "changed_meanwhile")) throw error;
  }
};

const sentence = (file: string, { revision, clients, services, usageEvents, bytes }: BackupFacts): string =>
  `${file} holds revision ${revision}: ${counted(clients, "client")}, ${counted(services, "service")}, ${counted(usageEvents, "usage event")}; ${humanBytes(bytes)}.`;

/** Said every time, in every mode but JSON, which has a field for it: a backup without its key is worth nothing. */
const warnOfKey = async (ctx: Context, home: Home, key: string | null): Promise<void> => {
  if (ctx.out.mode === "json") return;
  await ctx.out.warn(
    key === null
      ? "The master key is NOT in this file, and nothing opens the file without it. Keep the value of AIGW_MASTER_KEY somewhere else."
      : `The master key is NOT in this file, and nothing opens the file without it. Keep a copy somewhere else: cp '${masterKeyPath(home.path)}' <a safe place>`,
  );
};
