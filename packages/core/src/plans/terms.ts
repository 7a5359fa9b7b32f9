import { type Client, DEFAULT_LIMIT } from "../clients/client.ts";
import type { Plan } from "./plan.ts";

/** What a client may do in the end. Every field is there, so that a client's own record is never taken for its terms. */
export interface Terms {
  /** Requests admitted in any rolling 60 s. */
  readonly limit: number;
  /** Undefined: every service, also those added later. */
  readonly services: readonly string[] | undefined;
  /** In its canonical text; undefined: none. */
  readonly quota: string | undefined;
  /** Its share where calls wait for a service, beside the others' weights. */
  readonly weight: number;
}

/** Beside the others, where calls wait for a service. */
export const DEFAULT_WEIGHT = 1;
/** A client's own `quota` of this text: none, whatever its plan says. */
export const NO_QUOTA = "none";

/**
 * What counts of a client: what it has of its own, then what its plan says, then the default.
 * @param plan the one that the client names; undefined: it is on none
 */
export const termsOf = (client: Client, plan: Plan | undefined): Terms => {
  const quota = client.quota ?? plan?.quota;
  return {
    limit: client.limit ?? plan?.limit ?? DEFAULT_LIMIT,
    services: client.services ?? plan?.services,
    quota: quota === NO_QUOTA ? undefined : quota,
    weight: client.weight ?? plan?.weight ?? DEFAULT_WEIGHT,
  };
};

/** {@link termsOf} with the plan found by its name, among all that there are. */
export const termsAmong = (client: Client, plans: ReadonlyMap<string, Plan>): Terms =>
  termsOf(client, client.plan === undefined ? undefined : plans.get(client.plan));

export const mayCall = ({ services }: Pick<Terms, "services">, service: string): boolean =>
  services === undefined || services.includes(service);
