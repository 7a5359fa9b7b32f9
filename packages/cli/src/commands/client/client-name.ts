import { type Client, standingOf } from "@aigw/core/clients";
import { AigwError } from "@aigw/core/errors";
import type { Context } from "../../app/context.ts";
import { need, needSeveral } from "../../terminal/ask.ts";
import type { Choice } from "../../terminal/prompter.ts";

/** The name of a client that should exist; whether it does is for the store to say. */
export const existingName = (ctx: Context, given: string | undefined, verb: string): Promise<string> =>
  need(ctx, given, {
    argument: "<name>",
    usage: `aigw client ${verb} <name>`,
    question: "Which client?",
    parse: (value) => value,
    choices: () => choicesIn(ctx),
  });

/** One or more of them, each once. @param among which of them there is something to do for */
export const existingNames = (
  ctx: Context,
  given: readonly string[],
  verb: string,
  among?: Client["status"],
): Promise<readonly string[]> =>
  needSeveral(ctx, given, {
    argument: "<name>",
    usage: `aigw client ${verb} <name>…`,
    question: "Which clients?",
    choices: () => choicesIn(ctx, among),
  });

/** @throws AigwError `not_found` when there is none */
const choicesIn = async (ctx: Context, among?: Client["status"]): Promise<readonly Choice[]> => {
  const clients = await ctx.withControl(async (control) => control.clients());
  const chosen = clients.filter(({ status }) => among === undefined || status === among);
  if (chosen.length > 0) return chosen.map((client) => ({ value: client.name, about: aboutOf(ctx, client) }));
  throw new AigwError(
    "not_found",
    clients.length === 0 ? "There is no client yet. Add one: aigw client add <name>" : `No client is ${among}.`,
  );
};

const aboutOf = ({ clock }: Context, client: Client): string =>
  [standingOf(client, clock.now()), client.displayName ?? "", client.email ?? ""]
    .filter((fact) => fact !== "")
    .join(", ");
