import type { OnboardingFacts } from "./facts.ts";

/** The commands that a client pastes: the token first, then one call per service it may use. */
export interface QuickStart {
  readonly token: string;
  readonly calls: readonly string[];
}

/** What a quick start is made of. */
export type CalledFacts = Pick<OnboardingFacts, "publicUrl" | "username" | "password" | "services">;

/** A call per service; where there is none yet, one that any token may make. */
export const quickStart = (facts: CalledFacts): QuickStart => ({
  token: tokenCommand(facts),
  calls: callCommands(facts),
});

/** The user's own template: a form body in double quotes. Only where a chosen password needs it, curl encodes the parts. */
const tokenCommand = ({ publicUrl, username, password }: CalledFacts): string => {
  const credentials = /^[A-Za-z0-9._~*@:,-]+$/.test(password)
    ? `-d "username=${username}&password=${password}"`
    : `--data-urlencode "username=${username}" \\\n  --data-urlencode ${singleQuoted(`password=${password}`)}`;
  return `curl -X POST "${publicUrl}/auth/token" \\\n  ${credentials}`;
};

export const calledPaths = ({ services }: Pick<OnboardingFacts, "services">): readonly string[] =>
  services.length === 0 ? ["/health"] : services.map((service) => `/api/${service}`);

const callCommands = (facts: CalledFacts): readonly string[] => {
  const { publicUrl } = facts;
  return calledPaths(facts).map((path) => `curl "${publicUrl}${path}" \\\n  -H "Authorization: Bearer YOUR_TOKEN"`);
};

const singleQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
