import type { Client } from "../clients/client.ts";
import { didYouMean } from "../did-you-mean.ts";
import { AigwError } from "../errors.ts";
import type { Plan } from "../plans/plan.ts";
import { readPlans } from "../plans/read-terms.ts";
import { termsAmong } from "../plans/terms.ts";
import { type Changed, type Conclusion, changeSeveral, onlyOne } from "./change-several.ts";
import type { ActDeps, Committed } from "./commit.ts";
import { assertPlanExists, assertServicesExist, findClients } from "./find.ts";

/**
 * Absent leaves a field as it is; null clears it: no e-mail, no expiry, no plan; services, limit and weight as its plan
 * says, or all services and the default.
 */
export interface ClientPatch {
  readonly email?: string | null;
  readonly displayName?: string | null;
  readonly note?: string | null;
  readonly services?: readonly string[] | null;
  readonly limit?: number | null;
  readonly plan?: string | null;
  /** Canonical text, see quotasInWords; `none`: none, whatever its plan says. */
  readonly quota?: string | null;
  readonly weight?: number | null;
  readonly expiresAt?: number | null;
  /** To those that it may call; not beside `services`. */
  readonly addServices?: readonly string[];
  /** From those that it may call; not beside `services`. */
  readonly removeServices?: readonly string[];
}

/** @throws AigwError `not_found`, `invalid_value` */
export const setClient = (deps: ActDeps, name: string, patch: ClientPatch): Promise<Committed<Client>> =>
  onlyOne(setClients(deps, [name], patch));

/** {@link setClient} with the same patch for all of them, or none. @throws AigwError `not_found`, `invalid_value` */
export const setClients = (
  deps: ActDeps,
  names: readonly string[],
  patch: ClientPatch,
): Promise<Committed<readonly Changed<Client>[]>> =>
  changeSeveral(
    deps,
    async () => {
      const known = await findClients(deps.store.control, names);
      await assertServicesExist(deps.store.control, [...(patch.services ?? []), ...(patch.addServices ?? [])]);
      await assertPlanExists(deps.store.control, patch.plan);
      const services = (await deps.store.control.services()).map(({ name }) => name);
      const plans = await readPlans(deps.store.control, known);
      return known.map((before) => ({ before, services, plans }));
    },
    ({ before, services, plans }) => settingOf(before, patch, services, plans),
  );

/**
 * @param existing names of the services that there are
 * @param plans those that there are: what is added to or taken from services that are the plan's makes them its own
 * @throws AigwError `invalid_value`
 */
export const settingOf = (
  before: Client,
  patch: ClientPatch,
  existing: readonly string[],
  plans: ReadonlyMap<string, Plan>,
): Conclusion<Client> => {
  const after = patched(before, patch, existing, plans);
  if (JSON.stringify(after) === JSON.stringify(before)) return { subject: before };
  return { draft: { action: "client.set", subject: before.name, after }, subject: after };
};

const patched = (
  client: Client,
  { addServices = [], removeServices = [], ...patch }: ClientPatch,
  existing: readonly string[],
  plans: ReadonlyMap<string, Plan>,
): Client => {
  const { services: known } = termsAmong(client, plans);
  const chosen = addServices.length + removeServices.length > 0 ? servicesOf(client.name, known, existing) : undefined;
  const services = chosen && { services: withServices(client.name, chosen, addServices, removeServices) };
  const entries = Object.entries({ ...client, ...patch, ...services }).filter(
    ([, value]) => value !== null && value !== undefined,
  );
  return Object.fromEntries(entries) as unknown as Client;
};

/** @throws AigwError `invalid_value` for a client that may call every service: one more or less of those to come is nothing */
const servicesOf = (
  name: string,
  services: readonly string[] | undefined,
  existing: readonly string[],
): readonly string[] => {
  if (services !== undefined) return services;
  const named = existing.length === 0 ? "<names>" : existing.join(",");
  throw new AigwError(
    "invalid_value",
    `${name} may call every service, also those to come. To name them instead: aigw client set ${name} --services ${named}`,
  );
};

const withServices = (
  client: string,
  services: readonly string[],
  added: readonly string[],
  removed: readonly string[],
): readonly string[] => {
  const foreign = removed.find((name) => !services.includes(name));
  if (foreign !== undefined) {
    throw new AigwError(
      "invalid_value",
      `${client} may not call '${foreign}' anyway, but ${services.join(", ")}.${didYouMean(foreign, services)}`,
    );
  }
  const left = [...new Set([...services.filter((name) => !removed.includes(name)), ...added])].sort();
  if (left.length > 0) return left;
  throw new AigwError(
    "invalid_value",
    `${client} would be left without a service. To refuse it everywhere: aigw client revoke ${client}`,
  );
};
