import {
  addClient,
  type ClientWithPassword,
  limitOf,
  type OnboardingFacts,
  onboardingFacts,
  parseClientName,
  renderOnboardingEmail,
  setPassword,
  standingOf,
} from "@aigw/core";
import type { Command } from "commander";
import { confirmed, need } from "../ask.ts";
import { describe } from "../command.ts";
import type { Context } from "../context.ts";
import { answerOnce } from "../credentials.ts";
import { awaitApplied } from "../gateways.ts";
import type { Home } from "../home.ts";
import { clientJson } from "../json/client.ts";
import { escapeLines } from "../output/escape.ts";
import { renderShared } from "../output/shared.ts";
import { settingsInForce, warnOfPlainHttp } from "../settings.ts";

export interface OnboardOptions {
  readonly name: string;
  /** Print the e-mail instead of the table. */
  readonly email: boolean;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("onboard", "Issue a fresh password, and print what to share with the client.", [
    ["aigw onboard john", "the table of what to share; john is created if he is unknown"],
    ["aigw onboard john --email", "the e-mail itself, ready to paste"],
    ["aigw onboard john --email --yes >john.txt", "in a script; an old password stops working"],
  ])
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--email", "print the e-mail, ready to paste", false)
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, flags: { email: boolean; wait: boolean }) => {
      const name = await need(ctx, given, {
        argument: "<name>",
        usage: "aigw onboard <name>",
        question: "Which client?",
        parse: parseClientName,
      });
      await run({ name, ...flags }, ctx);
    });

export const run = ({ name, email, wait }: OnboardOptions, ctx: Context): Promise<void> =>
  ctx.withHome("initialise", async (home) => {
    const { control } = home.store;
    // Whatever could fail comes before the password: afterwards the old one is gone.
    const settings = settingsInForce(ctx, await control.settings());
    const services = await control.services();
    const issued = await issue(ctx, home, name);
    const facts = onboardingFacts(issued.client, issued.password, services, settings, limitOf(issued.client));
    await show(ctx, issued, facts, email);
    await warnOfPlainHttp(ctx, facts.publicUrl);
    if (settings["public-url"].source === "default") {
      await ctx.out.warn(
        `public-url is not set, so ${facts.publicUrl} is what the client is told. Set it, and onboard again: aigw config set public-url https://…`,
      );
    }
    await warnIfRefused(ctx, issued);
    if (issued.created) return;
    const applied = await awaitApplied(home, issued.rev, `${name} has a new password`, wait);
    if (applied.problem !== undefined) throw applied.problem;
    await ctx.out.note(applied.text);
  });

interface Issued extends ClientWithPassword {
  readonly created: boolean;
  readonly rev: number;
}

const issue = async (ctx: Context, home: Home, name: string): Promise<Issued> => {
  if ((await home.store.control.client(name)) === undefined) {
    const { result, rev } = await addClient(home, { name });
    await ctx.out.note(`${name} was unknown and is added.`);
    return { ...result, rev, created: true };
  }
  await confirmed(
    ctx,
    `${name} exists: a fresh password makes the old one and its tokens stop working at once.`,
    `New password for ${name}?`,
  );
  const { result, rev } = await setPassword(home, name);
  return { ...result, rev, created: false };
};

const show = async (ctx: Context, issued: Issued, facts: OnboardingFacts, asEmail: boolean): Promise<void> => {
  const { subject, body } = renderOnboardingEmail(facts);
  await answerOnce(ctx, issued.client, {
    json: () => ({
      client: clientJson(issued.client, ctx.clock.now()),
      password: issued.password,
      created: issued.created,
      publicUrl: facts.publicUrl,
      guideUrl: facts.guideUrl,
      services: facts.services,
      supportEmail: facts.supportEmail ?? null,
      ...(asEmail ? { email: { subject, body } } : {}),
    }),
    quiet: () => issued.password,
    text: (view) =>
      asEmail ? escapeLines(`Subject: ${subject}\n\n${body}`).trimEnd() : renderShared(view, rowsOf(facts)),
  });
  await ctx.out.note(
    "The password is shown this once. Share nothing else: the JWT secret, the store, the upstreams' keys and other clients' credentials stay here.",
  );
};

const rowsOf = (facts: OnboardingFacts): readonly (readonly [string, string])[] => [
  ["API URL", facts.publicUrl],
  ["Username", facts.username],
  ["Password", facts.password],
  ["Documentation", facts.guideUrl],
  ["Services", facts.services.map((service) => `/api/${service}`).join(", ")],
  ["Rate limit", `${facts.limitPerMinute} requests per minute`],
  ["Support", facts.supportEmail ?? ""],
];

const warnIfRefused = async (ctx: Context, { client }: Issued): Promise<void> => {
  const standing = standingOf(client, ctx.clock.now());
  if (standing === "active") return;
  const remedy =
    standing === "revoked" ? `aigw client restore ${client.name}` : `aigw client set ${client.name} --no-expires`;
  await ctx.out.warn(`${client.name} is ${standing}: these credentials are refused until: ${remedy}`);
};
