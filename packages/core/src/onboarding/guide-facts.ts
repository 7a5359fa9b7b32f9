import { DEFAULT_LIMIT, LIMIT_WINDOW_MS } from "../clients/client.ts";
import type { EffectiveSetting, SettingKey } from "../config/settings.ts";
import { TOKEN_LIFETIME_S } from "../tokens/token.ts";

/** All that the client guide says of this installation. Anybody may read it, so nothing else can get into it. */
export interface GuideFacts {
  /** Without a trailing slash. */
  readonly publicUrl: string;
  /** Names, ascending. */
  readonly services: readonly string[];
  /** Requests in any rolling window of {@link limitWindowS}, for clients without a limit of their own. */
  readonly defaultLimit: number;
  readonly limitWindowS: number;
  readonly tokenLifetimeS: number;
  readonly supportEmail: string | undefined;
  /** Some web pages may call from a browser. Which is not said: their names may be other clients'. */
  readonly hasCors: boolean;
}

/** @param ownUrl what stands in for a public URL that nobody has set */
export const guideFacts = (
  services: readonly string[],
  settings: Readonly<Record<SettingKey, EffectiveSetting>>,
  ownUrl?: string,
): GuideFacts => {
  const { value = "", source } = settings["public-url"];
  return {
    publicUrl: source === "default" ? (ownUrl ?? value) : value,
    services: [...services].sort(),
    defaultLimit: DEFAULT_LIMIT,
    limitWindowS: LIMIT_WINDOW_MS / 1000,
    tokenLifetimeS: TOKEN_LIFETIME_S,
    supportEmail: settings["support-email"].value,
    hasCors: settings["cors-origins"].value !== undefined,
  };
};
