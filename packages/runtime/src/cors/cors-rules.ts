import type { Service } from "@aigw/core";
import { effectiveSetting } from "@aigw/core/config";
import { API, serviceIn } from "../api-target.ts";
import type { ControlFollower } from "../follow/control-follower.ts";
import { type CorsAnswer, type CorsPolicy, corsPolicy, NO_CORS, upstreamsPolicy } from "./cors-answer.ts";

export interface CorsRulesOptions {
  readonly follower: Pick<ControlFollower, "settings" | "services">;
  /** Settings in it come before stored ones. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Which web pages may read what, as of the revision in force: the setting `cors-origins`, and services with origins of
 * their own. See docs/decisions/023-cors.md.
 */
export class CorsRules {
  readonly #options: CorsRulesOptions;
  #off = true;
  /** Services without a policy of their own, also those that do not exist. */
  #setting: CorsPolicy = corsPolicy(undefined);
  #byService: ReadonlyMap<string, CorsPolicy> = new Map();
  /** Where every page has to go that may call anything: the token endpoint, and the rest. */
  #outside: CorsPolicy = corsPolicy(undefined);

  /** @throws AigwError `invalid_value` for what the environment says */
  constructor(options: CorsRulesOptions) {
    this.#options = options;
    this.refresh();
  }

  /** The state has moved on to a new revision. */
  refresh(): void {
    const { follower, env } = this.#options;
    const setting = effectiveSetting("cors-origins", follower.settings, env).value;
    const own = [...follower.services.values()].filter(hasOwn);
    this.#off = setting === undefined && own.every(({ corsOrigins }) => corsOrigins === "none");
    this.#setting = corsPolicy(setting);
    const upstreams = upstreamsPolicy(this.#setting);
    this.#byService = new Map(
      own.map(({ name, corsOrigins }) => [name, corsOrigins === "upstream" ? upstreams : corsPolicy(corsOrigins)]),
    );
    this.#outside = corsPolicy(union([setting, ...own.map(({ corsOrigins }) => corsOrigins)]));
  }

  /** @param target the request's, from its path on */
  answerTo(target: string, origin: string | undefined): CorsAnswer {
    if (this.#off) return NO_CORS;
    if (!target.startsWith(API)) return this.#outside.answerTo(origin);
    const service = serviceIn(target);
    return (this.#byService.get(service) ?? this.#setting).answerTo(origin);
  }
}

const hasOwn = (service: Service): service is Service & { readonly corsOrigins: string } =>
  service.corsOrigins !== undefined;

/** Every origin that one of them names. */
const union = (lists: readonly (string | undefined)[]): string | undefined => {
  const named = lists.filter((list) => list !== undefined && list !== "none" && list !== "upstream");
  if (named.length === 0) return undefined;
  return named.includes("*") ? "*" : [...new Set(named.flatMap((list) => list?.split(",") ?? []))].join(",");
};
