import { DEFAULT_LIMIT, LIMIT_WINDOW_MS } from "../clients/client.ts";
import type { EffectiveSetting, SettingKey } from "../config/settings.ts";
import type { PublicFacts } from "../services/public-facts.ts";
import { splitUrl } from "../services/reach.ts";
import type { Service } from "../services/service.ts";
import { TOKEN_LIFETIME_S } from "../tokens/token.ts";

/** All that the client guide says of this installation. Anybody may read it, so nothing else can get into it. */
export interface GuideFacts {
  /** Without a trailing slash. */
  readonly publicUrl: string;
  /** By name, ascending. */
  readonly services: readonly GuideService[];
  /** Requests in any rolling window of {@link limitWindowS}, for clients without a limit of their own. */
  readonly defaultLimit: number;
  readonly limitWindowS: number;
  readonly tokenLifetimeS: number;
  readonly supportEmail: string | undefined;
  /** Some web pages may call from a browser. Which is not said: their names may be other clients'. */
  readonly hasCors: boolean;
}

/** A service as clients know it. Of its upstream there is nothing but the one word that they have to say themselves. */
export interface GuideService extends PublicFacts {
  readonly name: string;
  /**
   * What a program that speaks the OpenAI API writes behind `/api/<name>`: nothing, where the upstream's base path has the
   * version already.
   */
  readonly openAiSuffix: "" | "/v1";
  /** Its calls may become jobs. */
  readonly takesJobs?: true;
}

/** @param ownUrl what stands in for a public URL that nobody has set */
export const guideFacts = (
  services: readonly Pick<Service, "name" | "url" | "jobs" | keyof PublicFacts>[],
  settings: Readonly<Record<SettingKey, EffectiveSetting>>,
  ownUrl?: string,
): GuideFacts => {
  const { value = "", source } = settings["public-url"];
  const publicUrl = source === "default" ? (ownUrl ?? value) : value;
  return {
    publicUrl,
    services: services
      .map((service) => guideService(service, publicUrl))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
    defaultLimit: DEFAULT_LIMIT,
    limitWindowS: LIMIT_WINDOW_MS / 1000,
    tokenLifetimeS: TOKEN_LIFETIME_S,
    supportEmail: settings["support-email"].value,
    hasCors: settings["cors-origins"].value !== undefined,
  };
};

const guideService = (
  { name, url, jobs, description, example, docsUrl }: Pick<Service, "name" | "url" | "jobs" | keyof PublicFacts>,
  publicUrl: string,
): GuideService => ({
  name,
  openAiSuffix: /\/v\d\w*(\/|$)/.test(splitUrl(url).basePath) ? "" : "/v1",
  ...(jobs !== undefined && { takesJobs: true as const }),
  ...(description !== undefined && { description }),
  ...(example !== undefined && { example: example.replaceAll("{{endpoint}}", publicUrl) }),
  ...(docsUrl !== undefined && { docsUrl }),
});
