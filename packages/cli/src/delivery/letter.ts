import { resolve } from "node:path";
import { type EffectiveSetting, openSetting, type SettingKey } from "@aigw/core/config";
import { AigwError } from "@aigw/core/errors";
import {
  type EmailTemplate,
  type Forbidden,
  leakIn,
  literalText,
  MAX_TEMPLATE_BYTES,
  namesStandingIn,
  type OnboardingEmail,
  type OnboardingFacts,
  parseTemplate,
  renderOnboardingEmail,
  renderTemplate,
} from "@aigw/core/onboarding";
import { openHeaders, type Service } from "@aigw/core/services";
import type { Context } from "../app/context.ts";
import { fileIn } from "../app/file-in.ts";
import { naming } from "../app/flag.ts";
import type { Home } from "../app/home.ts";
import { confirmed } from "../terminal/ask.ts";

/** Writes the e-mail for a client. */
export type Letter = (facts: OnboardingFacts) => OnboardingEmail;

export interface LetterSource {
  /** `--template`. */
  readonly template: string | undefined;
  readonly settings: Readonly<Record<SettingKey, EffectiveSetting>>;
  readonly services: readonly Service[];
  /** Clients whom the e-mail is not for: their names in it are a mistake. */
  readonly others: readonly string[];
}

/** Our text, or the admin's own, read and checked. @throws AigwError `invalid_value` before anything was changed */
export const letterFor = async (ctx: Context, home: Home, source: LetterSource): Promise<Letter> => {
  const { template: given, settings } = source;
  const path = given === undefined ? settings.template.value : resolve(ctx.io.cwd, given);
  if (path === undefined) return renderOnboardingEmail;
  const from = given === undefined ? "the setting template" : "--template";
  const bytes = fileIn(path, { from, cwd: ctx.io.cwd });
  const template = naming(`${from} (${path})`, () => parseTemplate(textOf(bytes)));
  await assertNothingLeaks(ctx, home, source, path, template);
  return (facts) => renderTemplate(template, facts);
};

const textOf = (bytes: Buffer): string => {
  if (bytes.length > MAX_TEMPLATE_BYTES)
    throw new AigwError("invalid_value", `It is larger than ${MAX_TEMPLATE_BYTES / 1024} KiB.`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AigwError("invalid_value", "It is not UTF-8 text.", { cause });
  }
};

/** A template made of an old e-mail, or by copying from a terminal, may hold more than it should. */
const assertNothingLeaks = async (
  ctx: Context,
  home: Home,
  source: LetterSource,
  path: string,
  template: EmailTemplate,
): Promise<void> => {
  const text = literalText(template);
  const leak = leakIn(text, forbidden(ctx, home, source));
  if (leak !== undefined) {
    throw new AigwError(
      "invalid_value",
      `The template ${path} holds ${leak.what}, which no client may learn. Take it out.`,
    );
  }
  const named = namesStandingIn(text, source.others);
  if (named.length === 0) return;
  const impact = `The template ${path} names ${named.length === 1 ? "another client" : "other clients"}: ${named.slice(0, 5).join(", ")}.`;
  await confirmed(ctx, impact, "Use it all the same?");
};

const forbidden = (ctx: Context, home: Home, { services, settings }: LetterSource): readonly Forbidden[] => {
  const told = [settings["public-url"].value, settings["docs-url"].value].filter((url) => url !== undefined);
  const upstreams = services.filter(({ url }) => !told.some((known) => known.startsWith(url)));
  const stored = settings["smtp-password"];
  const smtpPassword =
    stored.source === "stored" && stored.value !== undefined ? openSetting(home.sealer, stored.value) : stored.value;
  return [
    ...upstreams.map(({ name, url }) => ({ what: `the upstream URL of ${name}`, value: url })),
    ...services.flatMap((service) =>
      openHeaders(home.sealer, service).map(([header, value]) => ({
        what: `the ${header} that ${service.name} is called with`,
        value,
      })),
    ),
    { what: "the store's address", value: home.storeUrl },
    { what: "the master key", value: ctx.env["AIGW_MASTER_KEY"] ?? "" },
    { what: "the password for the mail server", value: smtpPassword ?? "" },
  ];
};
