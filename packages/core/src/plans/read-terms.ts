import type { Client } from "../clients/client.ts";
import type { ControlStore } from "../store/store.ts";
import type { Plan } from "./plan.ts";
import { type Terms, termsOf } from "./terms.ts";

/** The plans that there are, by their names. Where none of these clients is on one, the store is not asked. */
export const readPlans = async (
  control: ControlStore,
  clients: readonly Pick<Client, "plan">[],
): Promise<ReadonlyMap<string, Plan>> =>
  clients.some(({ plan }) => plan !== undefined)
    ? new Map((await control.plans()).map((plan) => [plan.name, plan]))
    : new Map();

/** The terms of one client, as they are in the store. */
export const readTerms = async (control: ControlStore, client: Client): Promise<Terms> =>
  termsOf(client, client.plan === undefined ? undefined : await control.plan(client.plan));
