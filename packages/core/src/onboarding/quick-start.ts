import type { OnboardingFacts } from "./facts.ts";

/** The commands that a client pastes: the token first, then one call per service it may use. */
export interface QuickStart {
  readonly token: string;
  readonly calls: readonly string[];
}

/** A call per service; where there is none yet, one that any token may make. */
export const quickStart = (facts: OnboardingFacts): QuickStart => ({
  token: tokenCommand(facts),
  calls: callCommands(facts),
});

/** The user's own template: a form body in double quotes. Only where a chosen password needs it, curl encodes the parts. */
const tokenCommand = ({ publicUrl, username, password }: OnboardingFacts): string => {
  const credentials = /^[A-Za-z0-9._~*@:,-]+$/.test(password)
    ? `-d "username=${username}&password=${password}"`
    : `--data-urlencode "username=${username}" \\\n  --data-urlencode ${singleQuoted(`password=${password}`)}`;
  return `curl -X POST "${publicUrl}/auth/token" \\\n  ${credentials}`;
};

const callCommands = ({ publicUrl, services }: OnboardingFacts): readonly string[] => {
  const paths = services.length === 0 ? ["/health"] : services.map((service) => `/api/${service}`);
  return paths.map((path) => `curl "${publicUrl}${path}" \\\n  -H "Authorization: Bearer YOUR_TOKEN"`);
};

const singleQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
