import type { CredentialsRequest } from "../acts/issue-credentials.ts";
import type { Client } from "../clients/client.ts";
import { LAST_INSTANT } from "../date-time.ts";
import type { Service } from "../services/service.ts";

/** Who is to get credentials, and what is wished of the client. What is absent is not wished otherwise. */
export interface Person {
  readonly name: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly services?: readonly string[];
  readonly limit?: number;
  readonly plan?: string;
  /** In its canonical text. */
  readonly quota?: string;
  readonly weight?: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number;
  /** The expiry was given as a number of days from now, so that it is another with every run. */
  readonly expiryIsRelative?: boolean;
  readonly note?: string;
}

/** A person of a file. */
export interface Row extends Person {
  /** The first of its row, from 1. */
  readonly line: number;
}

/** What to do for a person. */
export type Task =
  | CredentialsRequest
  /** An earlier run of the same file made the credentials, and the e-mail with them still waits. */
  | { readonly kind: "deliver"; readonly known: Client }
  /** An earlier run of the same file has handed them out. */
  | { readonly kind: "done"; readonly known: Client };

export interface Roster {
  /** In the order of the rows. */
  readonly tasks: readonly Task[];
  /** `line 3: …` each: what does not fit the store as it is. */
  readonly problems: readonly string[];
  readonly unknown: readonly Row[];
  readonly existing: readonly Row[];
}

export interface RosterRules {
  readonly clients: readonly Client[];
  readonly services: readonly Service[];
  /** Names of the plans that there are. */
  readonly plans: readonly string[];
  /** Every person needs an address to be written to. */
  readonly needsEmail: boolean;
  /** Whose e-mails of an earlier run of the same file still wait; none: there was no such run, or it came to its end. */
  readonly waiting: ReadonlySet<string>;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: number;
}

/** What to do for each person, or why not. */
export const rosterOf = (rows: readonly Row[], rules: RosterRules): Roster => {
  const { services, plans, needsEmail, waiting, now } = rules;
  const known = new Map(rules.clients.map((client) => [client.name, client]));
  const serviceNames = new Set(services.map((service) => service.name));
  const tasks: Task[] = [];
  const problems: string[] = [];
  const unknown: Row[] = [];
  const existing: Row[] = [];
  for (const row of rows) {
    const { name, line } = row;
    const client = known.get(name);
    const complain = (what: string): void => void problems.push(`line ${line}: ${what}`);
    for (const service of row.services ?? []) {
      if (!serviceNames.has(service))
        complain(`there is no service '${service}'; services are: ${[...serviceNames].join(", ") || "none yet"}`);
    }
    if (row.plan !== undefined && !plans.includes(row.plan))
      complain(`there is no plan '${row.plan}'; plans are: ${plans.join(", ") || "none yet"}`);
    if (needsEmail && name !== "" && (client?.email ?? row.email) === undefined)
      complain(`${name} has no e-mail address`);
    if (client === undefined) {
      tasks.push({ kind: "add", facts: factsOf(row) });
      unknown.push(row);
      continue;
    }
    const other = differences(row, client, now);
    if (other.length > 0) complain(existsOtherwise(name, other));
    if (waiting.size > 0) {
      tasks.push({ kind: waiting.has(name) ? "deliver" : "done", known: client });
      continue;
    }
    tasks.push({ kind: "replace", known: client });
    existing.push(row);
  }
  return { tasks, problems, unknown, existing };
};

/** What an added client is made of. */
export const factsOf = ({
  name,
  email,
  displayName,
  services,
  limit,
  plan,
  quota,
  weight,
  expiresAt,
  note,
}: Person): Extract<CredentialsRequest, { kind: "add" }>["facts"] => ({
  name,
  ...(email !== undefined && { email }),
  ...(displayName !== undefined && { displayName }),
  ...(services !== undefined && { services }),
  ...(limit !== undefined && { limit }),
  ...(plan !== undefined && { plan }),
  ...(quota !== undefined && { quota }),
  ...(weight !== undefined && { weight }),
  ...(expiresAt !== undefined && { expiresAt }),
  ...(note !== undefined && { note }),
});

export const existsOtherwise = (name: string, other: readonly string[]): string =>
  `${name} exists with other facts (${other.join(", ")}); change them first: aigw client set ${name}`;

/** A new password is no way to change a client unseen: what is wished must be what is stored. @returns what differs */
export const differences = (person: Person, client: Client, now: number): readonly string[] => {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ["e-mail", person.email, client.email],
    ["display name", person.displayName, client.displayName],
    ["services", person.services?.join(), client.services?.join()],
    ["limit", person.limit, client.limit],
    ["plan", person.plan, client.plan],
    ["quota", person.quota, client.quota],
    ["weight", person.weight, client.weight],
    ["expires", person.expiresAt, expiryToCompare(person, client, now)],
    ["note", person.note, client.note],
  ];
  return pairs.filter(([, wished, stored]) => wished !== undefined && wished !== stored).map(([what]) => what);
};

const expiryToCompare = (person: Person, { expiresAt }: Client, now: number): number | undefined => {
  if (expiresAt === undefined) return undefined;
  // `30d` of an earlier run lies before the `30d` of this one.
  if (person.expiryIsRelative === true && expiresAt > now && expiresAt <= (person.expiresAt ?? 0)) {
    return person.expiresAt;
  }
  // An earlier aigw stored the end of 9999-12-31 as the first moment of a year that cannot be written.
  return Math.min(expiresAt, LAST_INSTANT);
};
