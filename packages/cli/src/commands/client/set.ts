import type { Client } from "@aigw/core";
import { type ClientPatch, setClients } from "@aigw/core/acts";
import { type Plan, readPlans, termsAmong } from "@aigw/core/plans";
import { parseServiceName } from "@aigw/core/services";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { addFactOptions, type ClientFactOptions, cleared, FACTS } from "../../app/client-options.ts";
import { collect, describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { awaitApplied, reportChanges, subjects } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { existingNames } from "./client-name.ts";

export interface SetOptions {
  readonly names: readonly string[];
  readonly patch: ClientPatch;
  readonly wait: boolean;
}

interface Flags extends ClientFactOptions {
  readonly addService?: readonly (readonly string[])[];
  readonly removeService?: readonly (readonly string[])[];
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  addFactOptions(
    describe("set", "Change what is known of clients. Their passwords and tokens stay as they are.", [
      ["aigw client set john --limit 600", "600 requests in any 60 seconds"],
      ["aigw client set john mary --add-service chat", "one more service for both, or for neither"],
      ["aigw client set john mary --plan basic --no-limit", "as the plan says, without limits of their own"],
      ["aigw client set john --quota 'requests=10000/day'", "and no more than so many in a day"],
      ["aigw client set john --services all --no-expires", "every service, for ever"],
      ["aigw client edit john", "the same in your editor"],
    ]),
    ctx.clock,
  )
    .argument("[name...]", "the clients' names")
    .usage("<name>… [options]")
    .optionsGroup(FACTS)
    .option(
      "--add-service <names>",
      "services it may call from now on, too",
      collect(flag("--add-service", parseNames)),
    )
    .option(
      "--remove-service <names>",
      "services it may not call any more",
      collect(flag("--remove-service", parseNames)),
    )
    .option("--no-email", "forget the e-mail address")
    .option("--no-display-name", "forget the display name")
    .option("--no-limit", "back to the plan's limit, or the default")
    .option("--no-quota", "back to the plan's quota, or none")
    .option("--no-plan", "on no plan any more")
    .option("--no-weight", "back to the plan's weight, or 1")
    .option("--no-expires", "it does not expire")
    .option("--no-note", "forget the note")
    .optionsGroup("Options:")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: readonly string[], flags: Flags) => {
      const patch = patchOf(flags);
      const names = await existingNames(ctx, given, "set");
      if (Object.keys(patch).length === 0) {
        throw new UsageError(
          "There is nothing to change. Give an option such as --limit; see: aigw client set --help; or: aigw client edit <name>",
        );
      }
      await run({ names, patch, wait: flags.wait }, ctx);
    });

const parseNames = (value: string): readonly string[] => value.split(",").map((name) => parseServiceName(name.trim()));

const patchOf = (flags: Flags): ClientPatch => {
  const { email, displayName, services, limit, plan, quota, weight, expires, note } = flags;
  const [addServices, removeServices] = [flags.addService?.flat(), flags.removeService?.flat()];
  if (services !== undefined && (addServices ?? removeServices) !== undefined) {
    throw new UsageError("--services names them all: leave out --add-service and --remove-service, or it.");
  }
  const both = addServices?.find((name) => removeServices?.includes(name));
  if (both !== undefined) throw new UsageError(`'${both}' is to be added and removed: leave one of them out.`);
  return {
    ...(email === undefined ? {} : { email: cleared(email) }),
    ...(displayName === undefined ? {} : { displayName: cleared(displayName) }),
    ...(services === undefined ? {} : { services: services.names ?? null }),
    ...(addServices === undefined ? {} : { addServices }),
    ...(removeServices === undefined ? {} : { removeServices }),
    ...(limit === undefined ? {} : { limit: cleared(limit) }),
    ...(plan === undefined ? {} : { plan: cleared(plan) }),
    ...(quota === undefined ? {} : { quota: cleared(quota) }),
    ...(weight === undefined ? {} : { weight: cleared(weight) }),
    ...(expires === undefined ? {} : { expiresAt: expires === false ? null : expires.at }),
    ...(note === undefined ? {} : { note: cleared(note) }),
  };
};

export const run = ({ names, patch, wait }: SetOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result, rev } = await setClients(home, names, patch);
    const plans = await readPlans(
      home.store.control,
      result.map(({ subject }) => subject),
    );
    const reports = result.map(({ subject, changed }) => ({
      sentence: changed ? `${subject.name} changed.` : `${subject.name} is like that already.`,
      quiet: subject.name,
      json: { client: clientJson(subject, ctx.clock.now(), plans), changed },
    }));
    await reportChanges(ctx, "clients", reports, await awaitApplied(home, rev, `${subjects(names)} changed`, wait));
    if (patch.services === null) for (const { subject } of result) await noteBounds(ctx, subject, plans);
  });

/** "All" is what the client's own record says: its plan may say less. */
const noteBounds = async (ctx: Context, client: Client, plans: ReadonlyMap<string, Plan>): Promise<void> => {
  const { services } = termsAmong(client, plans);
  if (services === undefined) return;
  const { name, plan } = client;
  await ctx.out.note(
    `${name} may call what its plan ${plan} allows: ${services.join(", ")}. For more: aigw client set ${name} --add-service <names>`,
  );
};
