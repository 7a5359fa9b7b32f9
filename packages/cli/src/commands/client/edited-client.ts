import type { Client } from "@aigw/core";
import type { ClientPatch } from "@aigw/core/acts";
import {
  DEFAULT_LIMIT,
  expiryDay,
  parseEmail,
  parseExpiry,
  parseLimit,
  parseLine,
  parseServiceList,
} from "@aigw/core/clients";
import { didYouMean } from "@aigw/core/did-you-mean";
import { AigwError } from "@aigw/core/errors";
import { parseWeight } from "@aigw/core/plans";
import { parseQuotas, quotasInWords } from "@aigw/core/quotas";
import { problemOf } from "../../app/flag.ts";
import { escapeText } from "../../terminal/output/escape.ts";

/** What an edited text may refer to. */
export interface Surroundings {
  /** Names of the services that there are. */
  readonly services: readonly string[];
  /** Names of the plans. */
  readonly plans: readonly string[];
  /** Wall clock, milliseconds since the epoch. */
  readonly now: number;
}

export interface Problem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

interface Field {
  readonly about: string;
  readonly shown: (client: Client) => string;
  /** @param value not empty. @throws AigwError `invalid_value` */
  readonly patch: (value: string, around: Surroundings) => ClientPatch;
  /** What an empty value does; absent: a word has to say it, for it gives the client more. */
  readonly cleared?: ClientPatch;
}

const FIELDS: Readonly<Record<string, Field>> = {
  email: {
    about: "e-mail address",
    shown: ({ email = "" }) => escapeText(email),
    patch: (value) => ({ email: parseEmail(value) }),
    cleared: { email: null },
  },
  "display-name": {
    about: "how the e-mail greets it",
    shown: ({ displayName = "" }) => escapeText(displayName),
    patch: (value) => ({ displayName: parseLine("display name", value, 100) }),
    cleared: { displayName: null },
  },
  services: {
    about: "services it may call, such as ocr,chat, or: all",
    shown: ({ services }) => services?.join(",") ?? "all",
    patch: (value, { services }) => ({ services: existing(parseServiceList(value), services) ?? null }),
  },
  limit: {
    about: `requests in any 60 seconds, or: default (${DEFAULT_LIMIT})`,
    shown: ({ limit }) => (limit === undefined ? "default" : String(limit)),
    patch: (value) => ({ limit: value === "default" ? null : parseLimit(value) }),
  },
  quota: {
    about: "how much in each hour, day, week or month, such as requests=10000/day; none, or: default (the plan's)",
    shown: ({ quota = "default" }) => quota,
    patch: (value) => ({ quota: value === "default" ? null : quotasInWords(parseQuotas(value)) }),
  },
  plan: {
    about: "the plan that says what this does not, or: none",
    shown: ({ plan = "none" }) => plan,
    patch: (value, { plans }) => ({ plan: value === "none" ? null : existingPlan(value, plans) }),
  },
  weight: {
    about: "its share where calls wait for a service, 1 to 100, or: default",
    shown: ({ weight }) => (weight === undefined ? "default" : String(weight)),
    patch: (value) => ({ weight: value === "default" ? null : parseWeight(value) }),
  },
  expires: {
    about: "last day such as 2027-01-31 (UTC), a date-time, 30d, or: never",
    shown: ({ expiresAt }) => (expiresAt === undefined ? "never" : expiryDay(expiresAt)),
    patch: (value, { now }) => ({ expiresAt: value === "never" ? null : parseExpiry(value, now) }),
  },
  note: {
    about: "a note for yourself",
    shown: ({ note = "" }) => escapeText(note),
    patch: (value) => ({ note: parseLine("note", value, 500) }),
    cleared: { note: null },
  },
};

/** A client as a text that a person edits. */
export const editable = (client: Client): string => {
  const width = Math.max(...Object.keys(FIELDS).map((name) => name.length));
  return [
    `# ${client.name}: change what stands behind the colons, save, and leave the editor.`,
    "# As it is, or without any text, nothing is done.",
    "#",
    ...Object.entries(FIELDS).map(([name, { about }]) => `#   ${name.padEnd(width)}  ${about}`),
    "",
    ...Object.entries(FIELDS).map(([name, { shown }]) => `${name}: ${shown(client)}`.trimEnd()),
    "",
  ].join("\n");
};

const FOUND = "# ✗ ";

/**
 * What an edited text asks for. Lines that were not touched are not judged: they hold what the store holds.
 * @returns an empty patch for a text that changes nothing
 */
export const readEdited = (
  text: string,
  client: Client,
  around: Surroundings,
): { readonly patch: ClientPatch; readonly problems: readonly Problem[] } => {
  const seen = new Set<string>();
  const problems: Problem[] = [];
  let patch: ClientPatch = {};
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const read = readLine(line, client, around, seen);
    if (typeof read === "string") problems.push({ line: index + 1, message: read });
    else patch = { ...patch, ...read };
  }
  return { patch, problems };
};

/** @returns what it changes, or what is wrong with it */
const readLine = (line: string, client: Client, around: Surroundings, seen: Set<string>): ClientPatch | string => {
  const [, name = "", value = ""] = /^\s*([\w-]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (field === undefined) {
    const names = Object.keys(FIELDS);
    return `'${name || line.trim()}' is not a field: use one of ${names.join(", ")}.${didYouMean(name, names)}`;
  }
  if (seen.has(name)) return `${name} is there twice: take one of them out.`;
  seen.add(name);
  if (value === field.shown(client)) return {};
  if (value === "") return field.cleared ?? `${name} is empty: ${field.about}.`;
  return problemOf((given) => field.patch(given, around), value) ?? field.patch(value, around);
};

/** @throws AigwError `invalid_value` */
const existing = (names: readonly string[] | undefined, services: readonly string[]): readonly string[] | undefined => {
  const missing = names?.find((name) => !services.includes(name));
  if (missing === undefined) return names;
  const choice = services.length === 0 ? "no service has been added yet" : `services are: ${services.join(", ")}`;
  throw new AigwError("invalid_value", `There is no service '${missing}'; ${choice}.${didYouMean(missing, services)}`);
};

/** @throws AigwError `invalid_value` */
const existingPlan = (name: string, plans: readonly string[]): string => {
  if (plans.includes(name)) return name;
  const choice = plans.length === 0 ? "no plan has been added yet" : `plans are: ${plans.join(", ")}`;
  throw new AigwError("invalid_value", `There is no plan '${name}'; ${choice}.${didYouMean(name, plans)}`);
};

/** The same text with each problem above its line, and without those of the last time. */
export const withProblems = (text: string, problems: readonly Problem[]): string =>
  text
    .split("\n")
    .flatMap((line, index) => [
      ...problems.filter((problem) => problem.line === index + 1).map(({ message }) => FOUND + message),
      ...(line.startsWith(FOUND) ? [] : [line]),
    ])
    .join("\n");
