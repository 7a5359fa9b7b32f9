import { expiryInWords } from "../clients/parse-client.ts";
import { AigwError } from "../errors.ts";
import { DEFAULT_SUBJECT, NO_SENDER_NAME, NO_SUPPORT_ADDRESS, type OnboardingEmail } from "./email.ts";
import type { OnboardingFacts } from "./facts.ts";
import { powerShellQuickStart } from "./power-shell.ts";
import { quickStart } from "./quick-start.ts";

interface Placeholder {
  readonly about: string;
  readonly value: (facts: OnboardingFacts) => string;
  /** True: it tells the client its password. */
  readonly tellsPassword?: true;
}

/** All that a template can say. Nothing of the store but these facts of this one client is in reach of it. */
export const PLACEHOLDERS: Readonly<Record<string, Placeholder>> = {
  name: { about: "the display name, else the username", value: (facts) => facts.greetingName },
  username: { about: "the username", value: (facts) => facts.username },
  password: { about: "the password", value: (facts) => facts.password, tellsPassword: true },
  endpoint: { about: "the public URL", value: (facts) => facts.publicUrl },
  guide: { about: "the address of the client guide", value: (facts) => facts.guideUrl },
  services: {
    about: "the services it may call, such as /api/ocr, /api/chat",
    value: (facts) => facts.services.map((service) => `/api/${service}`).join(", "),
  },
  "service-list": {
    about: "a line for each of them: what it does, as far as that is told, and its address",
    value: ({ services, descriptions = {}, publicUrl }) =>
      services
        .map(
          (name) =>
            `${name}: ${descriptions[name] === undefined ? "" : `${descriptions[name]} `}${publicUrl}/api/${name}`,
        )
        .join("\n") || "none yet",
  },
  limit: { about: "requests per minute", value: (facts) => String(facts.limitPerMinute) },
  expires: {
    about: "the last day of the access, or the time of its end in UTC, or: never",
    value: ({ expiresAt }) => (expiresAt === undefined ? "never" : expiryInWords(expiresAt)),
  },
  support: { about: "the support address", value: (facts) => facts.supportEmail ?? NO_SUPPORT_ADDRESS },
  sender: { about: "the sender's name", value: (facts) => facts.senderName ?? NO_SENDER_NAME },
  "token-command": {
    about: "step 1 of the quick start",
    value: (facts) => quickStart(facts).token,
    tellsPassword: true,
  },
  "call-commands": {
    about: "step 2 of the quick start, a command per service",
    value: (facts) => quickStart(facts).calls.join("\n"),
  },
  powershell: {
    about: "both steps for Windows PowerShell",
    value: (facts) => {
      const { token, calls } = powerShellQuickStart(facts);
      return [token, ...calls].join("\n");
    },
    tellsPassword: true,
  },
};

/** A template of the admin's own, checked. */
export interface EmailTemplate {
  readonly subject: string;
  readonly body: string;
}

/** As much as a mail with a few paragraphs can need. */
export const MAX_TEMPLATE_BYTES = 65_536;

const PLACEHOLDER = /\{\{([^{}\n]*)\}\}/g;

/**
 * `Subject: …` on the first line is optional. A placeholder is `{{name}}`; there is nothing else to learn.
 * @throws AigwError `invalid_value` naming the line and an unknown placeholder, and all that are known
 */
export const parseTemplate = (text: string): EmailTemplate => {
  const lines = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(lines)) throw refused("it is not plain text");
  for (const [index, line] of lines.split("\n").entries()) assertKnown(line, index + 1);
  const [, subject, rest = ""] = /^Subject:[ \t]*([^\n]*)(?:\n([\s\S]*))?$/i.exec(lines) ?? [];
  const body = (subject === undefined ? lines : rest).replace(/^\n+/, "").replace(/\s*$/, "\n");
  if (subject?.trim() === "") throw refused("the subject is empty");
  if (subject !== undefined && namesIn(subject).some((name) => tells(name) || name === "call-commands")) {
    throw refused("the subject may have neither the password nor a command: mail programs show and log it");
  }
  if (!namesIn(body).some(tells)) {
    throw refused("it has neither {{password}} nor {{token-command}}, so that nobody would learn the password");
  }
  return { subject: subject?.trim() ?? DEFAULT_SUBJECT, body };
};

/** In one pass: what a value holds is never taken for a placeholder. A value of several lines keeps the indentation. */
export const renderTemplate = (template: EmailTemplate, facts: OnboardingFacts): OnboardingEmail => {
  const filled = (given: string): string => placeholder(given)?.value(facts) ?? "";
  return {
    subject: template.subject.replace(PLACEHOLDER, (_, name: string) => filled(name)),
    body: template.body
      .split("\n")
      .map((line) => {
        const indentation = /^[ \t]*/.exec(line)?.[0] ?? "";
        return line.replace(PLACEHOLDER, (_, name: string) => filled(name).replaceAll("\n", `\n${indentation}`));
      })
      .join("\n"),
    credentials: [facts.username, facts.password],
  };
};

/** What the admin wrote, without the placeholders: the place to look for what a client must not learn. */
export const literalText = ({ subject, body }: EmailTemplate): string =>
  `${subject}\n${body}`.replace(PLACEHOLDER, " ");

const placeholder = (given: string): Placeholder | undefined => {
  const name = given.trim();
  return Object.hasOwn(PLACEHOLDERS, name) ? PLACEHOLDERS[name] : undefined;
};

const namesIn = (text: string): readonly string[] =>
  [...text.matchAll(PLACEHOLDER)].map(([, name = ""]) => name.trim());

const tells = (name: string): boolean => placeholder(name)?.tellsPassword === true;

const assertKnown = (line: string, number: number): void => {
  const known = `Known are: ${Object.keys(PLACEHOLDERS)
    .map((name) => `{{${name}}}`)
    .join(", ")}.`;
  const unknown = [...line.matchAll(PLACEHOLDER)].find(([, name = ""]) => placeholder(name) === undefined);
  if (unknown !== undefined) throw refused(`line ${number} has the unknown placeholder ${unknown[0]}. ${known}`);
  if (/\{\{\{|\}\}\}/.test(line) || /\{\{|\}\}/.test(line.replace(PLACEHOLDER, ""))) {
    throw refused(`line ${number} has {{ or }} that do not make a placeholder. ${known}`);
  }
};

const refused = (why: string): AigwError =>
  new AigwError("invalid_value", `The template is not valid: ${why}${why.endsWith(".") ? "" : "."}`);
