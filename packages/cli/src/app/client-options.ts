import type { Clock } from "@aigw/core";
import { isRelativeExpiry, parseEmail, parseExpiry, parseLimit, parseLine, parseServiceList } from "@aigw/core/clients";
import { parsePlanName, parseWeight } from "@aigw/core/plans";
import { parseQuotas, quotasInWords } from "@aigw/core/quotas";
import { type Command, Option } from "commander";
import { flag } from "./flag.ts";

/** What an option takes away again with `--no-…` is false. */
export interface ClientFactOptions {
  readonly email?: string | false;
  readonly displayName?: string | false;
  readonly services?: ServiceChoice;
  readonly limit?: number | false;
  /** `--plan none`, too, makes it false. */
  readonly plan?: string | false;
  readonly quota?: string | false;
  readonly weight?: number | false;
  readonly expires?: Expiry | false;
  readonly note?: string | false;
}

export interface Expiry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** It was given as a number of days from now. */
  readonly isRelative: boolean;
}

/** Wrapped, because all services are `undefined`, which is also an option that was not given. */
export interface ServiceChoice {
  readonly names: readonly string[] | undefined;
}

/** The facts of a client, for `add` and `set`. */
export const addFactOptions = (command: Command, clock: Clock): Command =>
  addFactsBesideEmail(
    command.optionsGroup(FACTS).option("--email <address>", "e-mail address", flag("--email", parseEmail)),
    clock,
  );

/** The heading in help. */
export const FACTS = "What is known of a client:";

/** For `onboard`, whose `--email` does more. */
export const addFactsBesideEmail = (command: Command, clock: Clock): Command =>
  command
    .optionsGroup(FACTS)
    .option("--display-name <name>", "how the e-mail greets it", flag("--display-name", parseDisplayName))
    .option("--services <names>", "services it may call, such as ocr,chat, or: all", flag("--services", parseServices))
    .option("--plan <name>", "the plan that says what its own record does not, or: none", flag("--plan", parsePlan))
    .addOption(limitOption())
    .addOption(quotaOption())
    .option(
      "--expires <when>",
      "last day such as 2027-01-31 (UTC), a date-time, or 30d",
      flag("--expires", (value) => ({ at: parseExpiry(value, clock.now()), isRelative: isRelativeExpiry(value) })),
    )
    .option(
      "--weight <number>",
      "its share where calls wait for a service, 1 to 100 (1)",
      flag("--weight", parseWeight),
    )
    .option("--note <text>", "a note for yourself", flag("--note", parseNote))
    .optionsGroup("Options:");

/** As a client and a plan have it. */
export const limitOption = (): Option =>
  new Option("--limit <number>", "requests in any 60 seconds").argParser(flag("--limit", parseLimit));

/** As a client and a plan have it. */
export const quotaOption = (): Option =>
  new Option(
    "--quota <quotas>",
    "how much in each hour, day, week or month, such as 'requests=10000/day, pages=500/week'; or none",
  ).argParser(flag("--quota", (value) => quotasInWords(parseQuotas(value))));

const parsePlan = (value: string): string | false => (value === "none" ? false : parsePlanName(value));
const parseDisplayName = (value: string): string => parseLine("display name", value, 100);
const parseNote = (value: string): string => parseLine("note", value, 500);
export const parseServices = (value: string): ServiceChoice => ({ names: parseServiceList(value) });

/** What `--no-…` takes away is false in a command's flags, and null for the act. */
export const cleared = <T>(value: T | false): T | null => (value === false ? null : value);
