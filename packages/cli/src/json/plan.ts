import type { Plan } from "@aigw/core";
import { rfc3339 } from "../terminal/output/time.ts";

/** A plan as scripts see it: every field always there; null: the plan says nothing of it. */
export interface PlanJson {
  readonly name: string;
  readonly limit: number | null;
  /** Null: all. */
  readonly services: readonly string[] | null;
  /** As `--quota` takes it. */
  readonly quotas: string | null;
  readonly weight: number | null;
  /** How many are on it. */
  readonly clients: number;
  readonly createdAt: string;
}

export const planJson = (plan: Plan, clients: number): PlanJson => ({
  name: plan.name,
  limit: plan.limit ?? null,
  services: plan.services ?? null,
  quotas: plan.quota ?? null,
  weight: plan.weight ?? null,
  clients,
  createdAt: rfc3339(plan.createdAt),
});
