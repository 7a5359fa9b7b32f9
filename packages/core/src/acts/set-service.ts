import { parseServiceCors } from "../config/cors-origins.ts";
import {
  assertTellsNothing,
  type PublicFacts,
  parseDescription,
  parseDocsUrl,
  parseExample,
} from "../services/public-facts.ts";
import type { SealedHeader, Service } from "../services/service.ts";
import { assertFallback, type HeaderInput, meterField, reserveField, sealedHeader } from "./add-service.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { findService } from "./find.ts";
import { type JobsPatch, patchJobs } from "./patch-jobs.ts";
import { patchReach, type ReachPatch, withoutReach } from "./patch-reach.ts";

/** Absent leaves a field as it is. */
export interface ServicePatch extends ReachPatch {
  readonly timeoutMs?: number;
  readonly idleTimeoutMs?: number;
  /** Added to the service's own headers, or put in the place of the one of that name (in any case). */
  readonly headers?: readonly HeaderInput[];
  /** Names, in any case; one that is not there is no error. */
  readonly removeHeaders?: readonly string[];
  /** See {@link parseServiceCors}; null: the setting counts again. */
  readonly corsOrigins?: string | null;
  /** Null: clients are told nothing of the kind any more. */
  readonly description?: string | null;
  readonly example?: string | null;
  readonly docsUrl?: string | null;
  /** See {@link parseMeters}; `none` switches it off. */
  readonly meter?: string;
  readonly askUsage?: boolean;
  /** See {@link parseReserves}; `none` sets nothing aside any more. */
  readonly reserve?: string;
  readonly jobs?: JobsPatch;
}

/** @throws AigwError `not_found`, `invalid_value` */
export const setService = (deps: ActDeps, name: string, patch: ServicePatch): Promise<Committed<Service>> => {
  const givenCors = typeof patch.corsOrigins === "string" ? parseServiceCors(patch.corsOrigins) : patch.corsOrigins;
  const givenMeter = patch.meter === undefined ? undefined : meterField(patch.meter);
  const givenReserve = patch.reserve === undefined ? undefined : reserveField(patch.reserve);
  const fresh = (patch.headers ?? []).map((header) => sealedHeader(deps, header));
  const gone = [...fresh.map((header) => header.name), ...(patch.removeHeaders ?? [])];
  return commit(deps, async () => {
    const before = await findService(deps.store.control, name);
    const {
      corsOrigins: corsBefore,
      description,
      example,
      docsUrl,
      meter,
      askUsage,
      reserve,
      prices,
      jobs,
      ...rest
    } = withoutReach(before);
    const corsOrigins = givenCors === undefined ? corsBefore : givenCors;
    const { url, ...reach } = patchReach(deps, name, before, patch);
    const after: Service = {
      ...rest,
      url,
      timeoutMs: patch.timeoutMs ?? before.timeoutMs,
      idleTimeoutMs: patch.idleTimeoutMs ?? before.idleTimeoutMs,
      headers: [...without(before.headers, gone), ...fresh],
      ...(typeof corsOrigins === "string" && { corsOrigins }),
      ...patched("description", description, patch.description, parseDescription),
      ...patched("example", example, patch.example, parseExample),
      ...patched("docsUrl", docsUrl, patch.docsUrl, parseDocsUrl),
      ...(givenMeter ?? (meter !== undefined && { meter })),
      ...((patch.askUsage ?? askUsage === true) && { askUsage: true }),
      ...(givenReserve ?? (reserve !== undefined && { reserve })),
      ...(prices !== undefined && { prices }),
      ...patchJobs(name, jobs, patch.jobs),
      ...reach,
    };
    await assertFallback(deps, name, patch.fallback);
    assertTellsNothing(deps.sealer, after);
    if (JSON.stringify(after) === JSON.stringify(before)) return { result: before };
    return { draft: { action: "service.set", subject: name, after }, result: after };
  });
};

const patched = (
  key: keyof PublicFacts,
  before: string | undefined,
  given: string | null | undefined,
  parse: (value: string) => string,
): PublicFacts => {
  const value = given === undefined ? before : given === null ? undefined : parse(given);
  return value === undefined ? {} : { [key]: value };
};

const without = (headers: readonly SealedHeader[], names: readonly string[]): readonly SealedHeader[] => {
  const lower = new Set(names.map((name) => name.toLowerCase()));
  return headers.filter((header) => !lower.has(header.name.toLowerCase()));
};
