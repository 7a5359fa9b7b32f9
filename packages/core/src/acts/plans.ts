import { AigwError } from "../errors.ts";
import { parsePlanName } from "../plans/parse-plan.ts";
import type { Plan } from "../plans/plan.ts";
import { NO_QUOTA } from "../plans/terms.ts";
import { parseQuotas, quotasInWords } from "../quotas/quota.ts";
import { type Changed, changeSeveral, onlyOne } from "./change-several.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { assertServicesExist, findPlan, findPlans, namesOn } from "./find.ts";

/** What a plan says, all of it optional; see {@link Plan}. */
export type PlanFacts = Omit<Plan, "name" | "createdAt">;

/** Absent leaves a field as it is; null clears it, so that the plan says nothing of it. */
export type PlanPatch = { readonly [K in keyof PlanFacts]?: PlanFacts[K] | null };

export interface AddPlanInput extends PlanFacts {
  readonly name: string;
}

/** A plan as it came to be, and who is on it. */
export interface PlanWithClients {
  readonly plan: Plan;
  /** Names, ascending. */
  readonly clients: readonly string[];
}

/** @throws AigwError `already_exists`, `invalid_value` */
export const addPlan = (deps: ActDeps, input: AddPlanInput): Promise<Committed<Plan>> => {
  const name = parsePlanName(input.name);
  const { quota = NO_QUOTA, ...facts } = input;
  const after: Plan = { ...facts, ...quotaField(quota), name, createdAt: deps.clock.now() };
  return commit(deps, async () => {
    if ((await deps.store.control.plan(name)) !== undefined) {
      throw new AigwError(
        "already_exists",
        `There is a plan '${name}' already. Show it: aigw plan show ${name}; change it: aigw plan set ${name} --limit <number>`,
        { details: { name } },
      );
    }
    await assertServicesExist(deps.store.control, after.services);
    return { draft: { action: "plan.add", subject: name, after }, result: after };
  });
};

/** Counts for every client of the plan that has none of its own. @throws AigwError `not_found`, `invalid_value` */
export const setPlan = (deps: ActDeps, name: string, given: PlanPatch): Promise<Committed<PlanWithClients>> => {
  const { quota } = given;
  const patch: PlanPatch = typeof quota === "string" ? { ...given, quota: quotaField(quota).quota ?? null } : given;
  return commit(deps, async () => {
    const before = await findPlan(deps.store.control, name);
    await assertServicesExist(deps.store.control, patch.services);
    const clients = namesOn(await deps.store.control.clients(), name);
    const entries = Object.entries({ ...before, ...patch }).filter(([, value]) => value !== null);
    const after = Object.fromEntries(entries) as unknown as Plan;
    if (JSON.stringify(after) === JSON.stringify(before)) return { result: { plan: before, clients } };
    return { draft: { action: "plan.set", subject: name, after }, result: { plan: after, clients } };
  });
};

/** As it is kept: in its canonical text, and not at all when there is none. */
const quotaField = (quota: string): Pick<Plan, "quota"> => {
  const quotas = parseQuotas(quota);
  return quotas.length === 0 ? {} : { quota: quotasInWords(quotas) };
};

/** @throws AigwError `not_found`; `in_use` while a client is on it */
export const removePlan = (deps: ActDeps, name: string): Promise<Committed<Plan>> => onlyOne(removePlans(deps, [name]));

/** {@link removePlan} for all of them or none. @throws AigwError `not_found` naming each unknown one; `in_use` */
export const removePlans = (deps: ActDeps, names: readonly string[]): Promise<Committed<readonly Changed<Plan>[]>> =>
  changeSeveral(
    deps,
    async () => {
      const plans = await findPlans(deps.store.control, names);
      const clients = await deps.store.control.clients();
      for (const { name } of plans) assertUnused(name, namesOn(clients, name));
      return plans;
    },
    (before) => ({ draft: { action: "plan.remove", subject: before.name, after: null }, subject: before }),
  );

/** So many are named; the rest is counted. */
const MOST_NAMED = 10;

/** Its clients would get the default in its place: what that allows may be more, unseen. */
const assertUnused = (plan: string, clients: readonly string[]): void => {
  if (clients.length === 0) return;
  const named = clients.slice(0, MOST_NAMED);
  const more = clients.length > MOST_NAMED ? ` and ${clients.length - MOST_NAMED} more` : "";
  throw new AigwError(
    "in_use",
    `The plan '${plan}' has clients: ${named.join(", ")}${more}. Take them off it first: aigw client set ${named.join(" ")} --no-plan`,
    { details: { name: plan, clients } },
  );
};
