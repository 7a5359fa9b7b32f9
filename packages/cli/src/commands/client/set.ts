import { type ClientPatch, setClient } from "@aigw/core/acts";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { addFactOptions, type ClientFactOptions } from "../../app/client-options.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { existingName } from "./client-name.ts";

export interface SetOptions {
  readonly name: string;
  readonly patch: ClientPatch;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  addFactOptions(
    describe("set", "Change what is known of a client. Its password and tokens stay as they are.", [
      ["aigw client set john --limit 600", "600 requests in any 60 seconds"],
      ["aigw client set john --services all --no-expires", "every service, for ever"],
    ]),
    ctx.clock,
  )
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--no-email", "forget the e-mail address")
    .option("--no-display-name", "forget the display name")
    .option("--no-limit", "back to the default limit")
    .option("--no-expires", "it does not expire")
    .option("--no-note", "forget the note")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, flags: ClientFactOptions & { wait: boolean }) => {
      const patch = patchOf(flags);
      const name = await existingName(ctx, given, "set");
      if (Object.keys(patch).length === 0) {
        throw new UsageError("There is nothing to change. Give an option such as --limit; see: aigw client set --help");
      }
      await run({ name, patch, wait: flags.wait }, ctx);
    });

const cleared = <T>(value: T | false): T | null => (value === false ? null : value);

const patchOf = ({ email, displayName, services, limit, expires, note }: ClientFactOptions): ClientPatch => ({
  ...(email === undefined ? {} : { email: cleared(email) }),
  ...(displayName === undefined ? {} : { displayName: cleared(displayName) }),
  ...(services === undefined ? {} : { services: services.names ?? null }),
  ...(limit === undefined ? {} : { limit: cleared(limit) }),
  ...(expires === undefined ? {} : { expiresAt: expires === false ? null : expires.at }),
  ...(note === undefined ? {} : { note: cleared(note) }),
});

export const run = ({ name, patch, wait }: SetOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result: client, rev, changed } = await setClient(home, name, patch);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${name} is changed`, wait),
      sentence: changed ? `${name} changed.` : `${name} is like that already.`,
      quiet: name,
      json: { client: clientJson(client, ctx.clock.now()), changed },
    });
  });
