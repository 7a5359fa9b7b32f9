import type { Client } from "../clients/client.ts";
import { isClientName } from "../clients/parse-client.ts";
import { didYouMean } from "../did-you-mean.ts";
import { AigwError } from "../errors.ts";
import type { Plan } from "../plans/plan.ts";
import type { Service } from "../services/service.ts";
import type { ControlStore, MaybePromise } from "../store/store.ts";

/** @throws AigwError `not_found` */
export const findClient = async (control: ControlStore, name: string): Promise<Client> =>
  (await control.client(name)) ?? unknown("client", [name], await control.clients());

/** In the order given. @throws AigwError `not_found` naming each that there is not */
export const findClients = (control: ControlStore, names: readonly string[]): Promise<readonly Client[]> =>
  findEach(
    "client",
    names,
    (name) => control.client(name),
    () => control.clients(),
  );

/** @throws AigwError `not_found` */
export const findService = async (control: ControlStore, name: string): Promise<Service> =>
  (await control.service(name)) ?? unknown("service", [name], await control.services());

/** In the order given. @throws AigwError `not_found` naming each that there is not */
export const findServices = (control: ControlStore, names: readonly string[]): Promise<readonly Service[]> =>
  findEach(
    "service",
    names,
    (name) => control.service(name),
    () => control.services(),
  );

/** @throws AigwError `not_found` */
export const findPlan = async (control: ControlStore, name: string): Promise<Plan> =>
  (await control.plan(name)) ?? unknown("plan", [name], await control.plans());

/** In the order given. @throws AigwError `not_found` naming each that there is not */
export const findPlans = (control: ControlStore, names: readonly string[]): Promise<readonly Plan[]> =>
  findEach(
    "plan",
    names,
    (name) => control.plan(name),
    () => control.plans(),
  );

const findEach = async <T extends { readonly name: string }>(
  kind: Kind,
  names: readonly string[],
  one: (name: string) => MaybePromise<T | undefined>,
  all: () => MaybePromise<readonly T[]>,
): Promise<readonly T[]> => {
  const found = await Promise.all(names.map(one));
  const known = found.filter((subject) => subject !== undefined);
  return known.length === names.length ? known : unknown(kind, absent(names, found), await all());
};

type Kind = "client" | "service" | "plan";

const absent = (names: readonly string[], found: readonly unknown[]): readonly string[] =>
  names.filter((_, index) => found[index] === undefined);

/** So many are named; the rest is counted. */
const MOST_NAMED = 10;

const unknown = (kind: Kind, names: readonly string[], known: readonly { readonly name: string }[]): never => {
  const existing = known.map(({ name }) => name);
  const named = names.slice(0, MOST_NAMED).map((name) => unknownOne(kind, name, didYouMean(name, existing)));
  const more = names.length > MOST_NAMED ? ` And ${names.length - MOST_NAMED} more that there are not.` : "";
  throw new AigwError("not_found", `${[...new Set(named)].join(" ")}${more} List them: aigw ${kind} list`, {
    details: names.length === 1 ? { name: String(names[0]) } : { names },
  });
};

/** What can be no name may be a password that somebody typed where none belongs: it is not repeated. */
const unknownOne = (kind: Kind, name: string, guess: string): string =>
  guess !== "" || isClientName(name)
    ? `There is no ${kind} '${name}'.${guess}`
    : `There is no ${kind} of a name that holds other characters than a-z, 0-9, '.', '_' and '-'.`;

/** @throws AigwError `invalid_value` when a client is to be put on a plan that does not exist */
export const assertPlanExists = async (control: ControlStore, name: string | null | undefined): Promise<void> => {
  if (name === undefined || name === null || (await control.plan(name)) !== undefined) return;
  const known = (await control.plans()).map((plan) => plan.name);
  const choice = known.length === 0 ? "no plan has been added yet" : `plans are: ${known.join(", ")}`;
  throw new AigwError(
    "invalid_value",
    `There is no plan '${name}'; ${choice}.${didYouMean(name, known)} Add it: aigw plan add ${name}`,
  );
};

/** @throws AigwError `invalid_value` when a client is to be allowed a service that does not exist */
export const assertServicesExist = async (
  control: ControlStore,
  names: readonly string[] | null | undefined,
): Promise<void> => {
  if (!names) return;
  const known = new Set((await control.services()).map((service) => service.name));
  const missing = names.find((name) => !known.has(name));
  if (missing === undefined) return;
  const choice = known.size === 0 ? "no service has been added yet" : `services are: ${[...known].join(", ")}`;
  throw new AigwError(
    "invalid_value",
    `There is no service '${missing}'; ${choice}.${didYouMean(missing, [...known])} Add it: aigw service add ${missing} <url>`,
  );
};

/** Names of the clients on a plan, in their order. */
export const namesOn = (clients: readonly Client[], plan: string): readonly string[] =>
  clients.filter((client) => client.plan === plan).map(({ name }) => name);
