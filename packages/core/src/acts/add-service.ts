import { parseServiceCors } from "../config/cors-origins.ts";
import { AigwError } from "../errors.ts";
import { metersInWords, parseMeters } from "../meters/meter-spec.ts";
import { parseReserves, reservesInWords } from "../quotas/reserve.ts";
import { randomId } from "../random-id.ts";
import { sealHeader } from "../services/headers.ts";
import { parseHeaderName, parseHeaderValue, parseServiceName, parseUpstreamUrl } from "../services/parse-service.ts";
import { assertTellsNothing, parseDescription, parseDocsUrl, parseExample } from "../services/public-facts.ts";
import { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_TIMEOUT_MS, type Service } from "../services/service.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { assertServicesExist } from "./find.ts";
import { type JobsPatch, patchJobs } from "./patch-jobs.ts";
import { patchReach, type ReachPatch } from "./patch-reach.ts";

export interface HeaderInput {
  readonly name: string;
  /** In the clear; sealed before it is stored. */
  readonly value: string;
}

export interface AddServiceInput extends Omit<ReachPatch, "removeTargets" | "drain" | "undrain"> {
  readonly name: string;
  /** Its first target; `addTargets` are those behind it. */
  readonly url: string;
  readonly headers?: readonly HeaderInput[];
  readonly timeoutMs?: number;
  readonly idleTimeoutMs?: number;
  /** See {@link parseServiceCors}; without it the setting counts. */
  readonly corsOrigins?: string;
  readonly description?: string;
  readonly example?: string;
  readonly docsUrl?: string;
  /** See {@link parseMeters}. */
  readonly meter?: string;
  /** See askUsage of the runtime. */
  readonly askUsage?: boolean;
  /** See {@link parseReserves}. */
  readonly reserve?: string;
  readonly jobs?: JobsPatch;
}

/** @throws AigwError `already_exists`, `invalid_value` */
export const addService = (deps: ActDeps, input: AddServiceInput): Promise<Committed<Service>> => {
  const name = parseServiceName(input.name);
  const { url, ...reach } = patchReach(deps, name, { url: parseUpstreamUrl(input.url) }, input);
  const service: Service = {
    id: randomId("s_", 16),
    name,
    url,
    timeoutMs: input.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    idleTimeoutMs: input.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
    headers: (input.headers ?? []).map((header) => sealedHeader(deps, header)),
    createdAt: deps.clock.now(),
    ...(input.corsOrigins !== undefined && { corsOrigins: parseServiceCors(input.corsOrigins) }),
    ...(input.description !== undefined && { description: parseDescription(input.description) }),
    ...(input.example !== undefined && { example: parseExample(input.example) }),
    ...(input.docsUrl !== undefined && { docsUrl: parseDocsUrl(input.docsUrl) }),
    ...meterField(input.meter ?? "none"),
    ...(input.askUsage === true && { askUsage: true }),
    ...reserveField(input.reserve ?? "none"),
    ...patchJobs(name, undefined, input.jobs),
    ...reach,
  };
  assertTellsNothing(deps.sealer, service);
  return commit(deps, async () => {
    if ((await deps.store.control.service(name)) !== undefined) {
      throw new AigwError(
        "already_exists",
        `There is a service '${name}' already. Show it: aigw service show ${name}; change it: aigw service set ${name} --url <url>`,
        { details: { name } },
      );
    }
    await assertFallback(deps, name, input.fallback);
    return { draft: { action: "service.add", subject: name, after: service }, result: service };
  });
};

/** @throws AigwError `invalid_value` when there is no such service, or it is the service itself */
export const assertFallback = async (
  { store }: ActDeps,
  name: string,
  fallback: string | null | undefined,
): Promise<void> => {
  if (typeof fallback !== "string") return;
  if (fallback === name) throw new AigwError("invalid_value", `${name} cannot be its own fallback.`);
  await assertServicesExist(store.control, [fallback]);
};

export const sealedHeader = (deps: ActDeps, { name, value }: HeaderInput): Service["headers"][number] =>
  sealHeader(deps.sealer, parseHeaderName(name), parseHeaderValue(name, value));

/** As {@link meterField}. */
export const reserveField = (reserve: string): Pick<Service, "reserve"> => {
  const reserves = parseReserves(reserve);
  return reserves.length === 0 ? {} : { reserve: reservesInWords(reserves) };
};

/** As it is kept: in its shortest form, and not at all when there is none. */
export const meterField = (meter: string): Pick<Service, "meter"> => {
  const meters = parseMeters(meter);
  return meters.length === 0 ? {} : { meter: metersInWords(meters) };
};
