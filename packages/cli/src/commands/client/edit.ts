import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@aigw/core";
import { type ClientPatch, editClient, findClient } from "@aigw/core/acts";
import { AigwError, isAigwError } from "@aigw/core/errors";
import { readPlans } from "@aigw/core/plans";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { existingName } from "./client-name.ts";
import { editable, type Problem, readEdited, type Surroundings, withProblems } from "./edited-client.ts";

export interface EditOptions {
  readonly name: string;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("edit", "Change what is known of a client in your editor: VISUAL, else EDITOR, else vi.", [
    ["aigw client edit john", "opens what can be changed; saved, it is in force"],
    ["EDITOR='code --wait' aigw client edit john", "in another editor"],
  ])
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, { wait }: { wait: boolean }) => {
      await run({ name: await existingName(ctx, given, "edit"), wait }, ctx);
    });

export const run = async ({ name, wait }: EditOptions, ctx: Context): Promise<void> => {
  const editor = editorOf(ctx, name);
  // Closed while somebody thinks: a store that is open for an hour is in the way of upkeep.
  const { client, services, plans } = await ctx.withControl(async (control) => ({
    client: await findClient(control, name),
    services: (await control.services()).map((service) => service.name),
    plans: (await control.plans()).map((plan) => plan.name),
  }));
  // For this user alone: it holds personal data.
  const folder = mkdtempSync(join(tmpdir(), "aigw-edit-"));
  const file = join(folder, `${name}.txt`);
  let isKept = false;
  try {
    const patch = await edited(ctx, editor, file, client, { services, plans, now: ctx.clock.now() });
    await ctx.withHome("existing", async (home) => {
      const isChange = Object.keys(patch).length > 0;
      const committed = isChange
        ? await editClient(home, client, patch)
        : { result: client, rev: await home.store.control.head(), changed: false };
      const known = await readPlans(home.store.control, [committed.result]);
      const json = { client: clientJson(committed.result, ctx.clock.now(), known), changed: committed.changed };
      if (!isChange) {
        await ctx.out.answer({ json: () => json, quiet: () => name, text: () => `${name} is left as it was.` });
        return;
      }
      const applied = await awaitApplied(home, committed.rev, `${name} is changed`, wait);
      await reportChange(ctx, { applied, sentence: `${name} changed.`, quiet: name, json });
    });
  } catch (error) {
    if (!isAigwError(error, "changed_meanwhile")) throw error;
    isKept = true;
    throw new AigwError(
      error.code,
      `${error.message} Your text is kept: ${file}. Begin anew: aigw client edit ${name}`,
      {
        cause: error,
        details: error.details,
      },
    );
  } finally {
    if (!isKept) rmSync(folder, { recursive: true, force: true });
  }
};

/** @throws UsageError where there is neither an editor nor somebody to use one */
const editorOf = ({ env, io, interactive }: Context, name: string): string => {
  const named = env["VISUAL"]?.trim() || env["EDITOR"]?.trim();
  if (io.handOver !== undefined && (named || interactive)) return named || "vi";
  throw new UsageError(`There is no terminal to edit on. Use: aigw client set ${name}; or set EDITOR`);
};

/** Opens the editor until what it leaves is right, or nobody wants to go on. */
const edited = async (
  ctx: Context,
  editor: string,
  file: string,
  client: Client,
  around: Surroundings,
): Promise<ClientPatch> => {
  let text = editable(client);
  for (;;) {
    writeFileSync(file, text, { mode: 0o600 });
    await open(ctx, editor, file);
    text = readBack(file);
    const { patch, problems } = readEdited(text, client, around);
    if (problems.length === 0) return patch;
    const refused = new AigwError(
      "invalid_value",
      `${client.name} was edited to what is not valid. Nothing was changed.`,
      {
        details: { problems: problems.map(inWords) },
      },
    );
    if (!ctx.interactive) throw refused;
    for (const problem of problems) await ctx.out.warn(inWords(problem));
    if (!(await ctx.prompter.confirm("Open the editor again?"))) throw refused;
    text = withProblems(text, problems);
  }
};

const inWords = ({ line, message }: Problem): string => `line ${line}: ${message}`;

/** @throws AigwError `failed` */
const open = async ({ io, env }: Context, editor: string, file: string): Promise<void> => {
  const code = await io.handOver?.(editor, { args: [file], env });
  if (code === 0) return;
  const what =
    code === undefined
      ? `The editor '${editor}' could not be started. Set VISUAL or EDITOR`
      : `The editor '${editor}' ended with ${code}`;
  throw new AigwError("failed", `${what}. Nothing was changed.`);
};

/** An editor may have taken the file away: that is a text without anything. */
const readBack = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};
