import type { Client, CredentialsRequest, Service } from "@aigw/core";
import { LAST_INSTANT } from "@aigw/core/date-time";
import type { Person } from "./people.ts";

export interface Roster {
  readonly requests: readonly CredentialsRequest[];
  /** `line 3: …` each: what does not fit the store as it is. */
  readonly problems: readonly string[];
  /** `line 3: …` each: who exists, where that needs `--yes`. */
  readonly existing: readonly string[];
}

export interface RosterRules {
  readonly clients: readonly Client[];
  readonly services: readonly Service[];
  /** Every person needs an address to be written to. */
  readonly needsEmail: boolean;
  /** `--yes`: whoever exists gets a new password. */
  readonly replace: boolean;
}

/** What to do for each person, or why not. */
export const rosterOf = (
  people: readonly Person[],
  { clients, services, needsEmail, replace }: RosterRules,
): Roster => {
  const known = new Map(clients.map((client) => [client.name, client]));
  const serviceNames = new Set(services.map((service) => service.name));
  const requests: CredentialsRequest[] = [];
  const problems: string[] = [];
  const existing: string[] = [];
  for (const person of people) {
    const { line, ...facts } = person;
    const client = known.get(person.name);
    const complain = (what: string): void => void problems.push(`line ${line}: ${what}`);
    for (const name of person.services ?? []) {
      if (!serviceNames.has(name))
        complain(`there is no service '${name}'; services are: ${[...serviceNames].join(", ") || "none yet"}`);
    }
    if (needsEmail && person.name !== "" && (client?.email ?? person.email) === undefined)
      complain(`${person.name} has no e-mail address`);
    if (client === undefined) {
      requests.push({ kind: "add", facts });
      continue;
    }
    if (!replace) existing.push(`line ${line}: ${person.name} exists; with --yes the old password stops working`);
    const other = differences(person, client);
    if (other.length > 0)
      complain(
        `${person.name} exists with other facts (${other.join(", ")}); change them first: aigw client set ${person.name}`,
      );
    requests.push({ kind: "replace", known: client });
  }
  return { requests, problems, existing };
};

/** A new password is no way to change a client unseen: what the row says must be what is stored. */
const differences = (person: Person, client: Client): readonly string[] => {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ["e-mail", person.email, client.email],
    ["display name", person.displayName, client.displayName],
    ["services", person.services?.join(), client.services?.join()],
    ["limit", person.limit, client.limit],
    // An earlier aigw stored the end of 9999-12-31 as the first moment of a year that cannot be written.
    ["expires", person.expiresAt, client.expiresAt && Math.min(client.expiresAt, LAST_INSTANT)],
    ["note", person.note, client.note],
  ];
  return pairs.filter(([, row, stored]) => row !== undefined && row !== stored).map(([what]) => what);
};
