import { resolve } from "node:path";
import { masterKeyPath, restoreHome } from "@aigw/core/home";
import type { Command } from "commander";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { currentActor, locateHome } from "../app/home.ts";
import { backupJson } from "../json/backup.ts";
import { need } from "../terminal/ask.ts";
import { rfc3339, when } from "../terminal/output/time.ts";
import { counted } from "../terminal/output/words.ts";
import { prose } from "../terminal/output/wrap.ts";

export interface RestoreBackupOptions {
  readonly file: string;
  readonly masterKeyFile?: string;
}

interface Flags {
  readonly masterKeyFile?: string;
}

export const command = (ctx: Context): Command =>
  describe("restore-backup", "Restore a backup into an empty home. Everything is checked first; never over data.", [
    ["aigw restore-backup aigw.tar --home /srv/aigw --master-key-file /mnt/safe/master.key", "on a new machine"],
    ["aigw restore-backup aigw.tar", "the key lies in the home already, or is in AIGW_MASTER_KEY"],
  ])
    .argument("[file]", "what aigw backup wrote")
    .option("--master-key-file <file>", "the key that belongs to the backup; it is copied into the home")
    .usage("<file> [options]")
    .action(async (given: string | undefined, flags: Flags) => {
      const file = await need(ctx, given, {
        argument: "<file>",
        usage: "aigw restore-backup <file>",
        question: "Which backup?",
        parse: (value) => value,
      });
      await run({ file, ...flags }, ctx);
    });

export const run = async (options: RestoreBackupOptions, ctx: Context): Promise<void> => {
  const location = locateHome(ctx);
  const file = resolve(ctx.io.cwd, options.file);
  const masterKeyFile = options.masterKeyFile === undefined ? undefined : resolve(ctx.io.cwd, options.masterKeyFile);
  const act = { at: ctx.clock.now(), actor: currentActor() };
  const { facts, kid, key } = await restoreHome({ ...location, ...act, file, masterKeyFile });
  // Also proves that the home opens.
  await ctx.withHome("existing", ({ store }) => Promise.resolve(store.inspect()));
  await ctx.out.answer({
    json: () => ({
      home: location.home,
      backup: backupJson(file, facts),
      masterKey: key === "home" ? masterKeyPath(location.home) : null,
      revision: facts.head,
      signingKey: kid,
    }),
    quiet: () => location.home,
    text: (view) =>
      prose(
        view,
        `${location.home} holds revision ${facts.revision} of ${when(view, facts.createdAt)}: ${counted(facts.clients, "client")}, ${counted(facts.services, "service")}, ${counted(facts.usageEvents, "usage event")}.`,
      ),
  });
  await ctx.out.note(
    "Every token issued so far has ended: each client has to get a new one, with the password that it had when the backup was made.",
  );
  await ctx.out.note(
    `Whoever was revoked or removed since ${rfc3339(facts.createdAt)} is back, and passwords and service keys are those of then. What was done since, if the home that this one replaces can still be read: aigw audit list --home <the old home>, down to revision ${facts.revision}. Then aigw client list, aigw doctor, aigw serve`,
  );
};
