import type { Client, OnboardingEmail, OnboardingFacts, Plan } from "@aigw/core";
import type { Context } from "../../app/context.ts";
import { type Posted, postedJson } from "../../delivery/post.ts";
import { trialJson } from "../../delivery/proof.ts";
import type { Trial } from "../../delivery/quick-start/try-quick-start.ts";
import { clientJson } from "../../json/client.ts";
import { escapeLines } from "../../terminal/output/escape.ts";
import { type Field, renderFields } from "../../terminal/output/fields.ts";
import type { View } from "../../terminal/output/view.ts";
import { prose } from "../../terminal/output/wrap.ts";

/** What there is to hand out. */
export interface Handout {
  readonly client: Client;
  /** See clientJson. */
  readonly plans: ReadonlyMap<string, Plan>;
  readonly password: string;
  readonly created: boolean;
  readonly facts: OnboardingFacts;
  /** Undefined: the table is asked for. */
  readonly email: OnboardingEmail | undefined;
  readonly trial: Trial | undefined;
}

export interface Shown extends Handout {
  /** False when the password went out in a message: it is not repeated. */
  readonly printed: boolean;
  readonly file?: string | undefined;
  readonly posted?: Posted | undefined;
}

export const show = async (ctx: Context, shown: Shown): Promise<void> => {
  const { client, password, facts, email, printed } = shown;
  await ctx.out.answer({
    json: () => ({
      client: clientJson(client, ctx.clock.now(), shown.plans),
      password: printed ? password : null,
      created: shown.created,
      publicUrl: facts.publicUrl,
      guideUrl: facts.guideUrl,
      services: facts.services,
      supportEmail: facts.supportEmail ?? null,
      email: email === undefined || !printed ? null : { subject: email.subject, body: email.body },
      eml: shown.file ?? null,
      sent: postedJson(shown.posted),
      quickStart: trialJson(shown.trial),
    }),
    quiet: () => (printed ? password : (whereabouts(shown) ?? client.name)),
    text: (view) =>
      printed
        ? text(view, shown)
        : delivered(shown)
            .map((line) => prose(view, line))
            .join("\n"),
  });
  if (!printed) return;
  for (const line of delivered(shown)) await ctx.out.note(line);
  await ctx.out.note(
    "The password is shown this once. Share nothing else: the JWT secret, the store, the upstreams' keys and other clients' credentials stay here.",
  );
};

const whereabouts = ({ file, posted }: Shown): string | undefined =>
  file ?? (posted?.sent === true ? posted.to : posted?.keptAt);

const delivered = ({ file, posted }: Shown): readonly string[] => [
  ...(file === undefined ? [] : [`The e-mail is in ${file}. It holds the password: delete it when it is sent.`]),
  ...(posted?.sent === true ? [`Sent to ${posted.to}: ${posted.answer}`] : []),
];

const text = async (view: View, { facts, email }: Shown): Promise<string> =>
  email === undefined
    ? renderFields(view, rowsOf(facts))
    : escapeLines(`Subject: ${email.subject}\n\n${email.body}`).trimEnd();

const rowsOf = (facts: OnboardingFacts): readonly Field[] => [
  ["API URL", facts.publicUrl],
  ["Username", facts.username],
  ["Password", facts.password, "whole"],
  ["Documentation", facts.guideUrl],
  ["Services", facts.services.map((service) => `/api/${service}`).join(", ")],
  ["Rate limit", `${facts.limitPerMinute} requests per minute`],
  ["Support", facts.supportEmail ?? ""],
];
