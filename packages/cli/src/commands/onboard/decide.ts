import type { Client, ControlStore, CredentialsRequest } from "@aigw/core";
import { didYouMean } from "@aigw/core/acts";
import { standingOf } from "@aigw/core/clients";
import { AigwError } from "@aigw/core/errors";
import { differences, existsOtherwise, factsOf, type Person } from "@aigw/core/onboarding";
import type { Context } from "../../app/context.ts";
import { confirmed } from "../../terminal/ask.ts";

/** What is to be done for one client, and how to ask whether it shall be. */
export interface Decision {
  readonly request: CredentialsRequest;
  /** @throws Interrupted when the answer is no; UsageError where there is nobody to ask */
  readonly ask: () => Promise<void>;
}

/**
 * @param create `--create`: somebody unknown is added without a question
 * @throws AigwError `not_found` for somebody unknown where there is nobody to ask; `already_exists` when the client is not
 *   as it is wished
 */
export const decide = async (
  ctx: Context,
  control: ControlStore,
  person: Person,
  create: boolean,
): Promise<Decision> => {
  const { name } = person;
  const known = await control.client(name);
  if (known !== undefined) {
    const other = differences(person, known, ctx.clock.now());
    if (other.length > 0) throw new AigwError("already_exists", `${existsOtherwise(name, other)} Nothing was changed.`);
    const impact = `${name} exists: with a fresh password the old one and its tokens will stop working at once.`;
    return { request: { kind: "replace", known }, ask: () => confirmed(ctx, impact, `New password for ${name}?`) };
  }
  const request = { kind: "add", facts: factsOf(person) } as const;
  if (create) return { request, ask: () => Promise.resolve() };
  const names = (await control.clients()).map((client) => client.name);
  const unknown = `There is no client '${name}'.${didYouMean(name, names)}`;
  if (ctx.globals.yes !== true && !ctx.interactive) {
    throw new AigwError("not_found", `${unknown} Nothing was changed. To add ${name}: --create`, { details: { name } });
  }
  return { request, ask: () => confirmed(ctx, `${unknown} ${name} will be added.`, `Add ${name}?`) };
};

export const warnIfRefused = async (ctx: Context, client: Client): Promise<void> => {
  const standing = standingOf(client, ctx.clock.now());
  if (standing === "active") return;
  const remedy =
    standing === "revoked" ? `aigw client restore ${client.name}` : `aigw client set ${client.name} --no-expires`;
  await ctx.out.warn(`${client.name} is ${standing}: these credentials are refused until: ${remedy}`);
};
