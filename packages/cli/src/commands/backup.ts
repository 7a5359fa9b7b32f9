import { resolve } from "node:path";
import type { BackupFacts } from "@aigw/core";
import { masterKeyPath } from "@aigw/core/home";
import type { Command } from "commander";
import { Interrupted } from "../app/cli-error.ts";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import type { Home } from "../app/home.ts";
import { backupJson } from "../json/backup.ts";
import { need } from "../terminal/ask.ts";
import { counted } from "../terminal/output/counted.ts";
import { formatBytes } from "../terminal/output/size.ts";

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
    const facts = await interruptible(ctx, (signal) => home.store.backup(file, { signal }));
    const key = ctx.env["AIGW_MASTER_KEY"] ? null : masterKeyPath(home.path);
    await ctx.out.answer({
      json: () => ({ backup: backupJson(file, facts), masterKey: { included: false, file: key } }),
      quiet: () => file,
      text: () => sentence(file, facts),
    });
    await warnOfKey(ctx, home, key);
  });

const sentence = (file: string, { revision, clients, services, usageEvents, bytes }: BackupFacts): string =>
  `${file} holds revision ${revision}: ${counted(clients, "client")}, ${counted(services, "service")}, ${counted(usageEvents, "usage event")}; ${formatBytes(bytes)}.`;

/** Said every time, in every mode but JSON, which has a field for it: a backup without its key is worth nothing. */
const warnOfKey = async (ctx: Context, home: Home, key: string | null): Promise<void> => {
  if (ctx.out.mode === "json") return;
  await ctx.out.warn(
    key === null
      ? "The master key is NOT in this file, and nothing opens the file without it. Keep the value of AIGW_MASTER_KEY somewhere else."
      : `The master key is NOT in this file, and nothing opens the file without it. Keep a copy somewhere else: cp '${masterKeyPath(home.path)}' <a safe place>`,
  );
};

const interruptible = async <T>(ctx: Context, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const stop = new AbortController();
  const forget = ctx.io.onStop(() => stop.abort());
  try {
    return await work(stop.signal);
  } catch (error) {
    if (stop.signal.aborted) throw new Interrupted("Cancelled. Nothing was written.", { cause: error });
    throw error;
  } finally {
    forget();
  }
};
