import type { OnboardingFacts } from "./facts.ts";

export interface OnboardingEmail {
  readonly subject: string;
  /** Lines ended by `\n`. */
  readonly body: string;
  /** The commands of the quick start, as printed: the token first, then one call per service. */
  readonly commands: readonly string[];
}

export const renderOnboardingEmail = (facts: OnboardingFacts): OnboardingEmail => {
  const token = tokenCommand(facts);
  const calls = callCommands(facts);
  const body = [
    `Hi ${facts.greetingName},`,
    "",
    "Here are your API credentials:",
    "",
    `API Endpoint: ${facts.publicUrl}`,
    `Username: ${facts.username}`,
    `Password: ${facts.password}`,
    "",
    `Documentation: ${facts.guideUrl}`,
    "",
    "Quick Start:",
    "1. Get your token:",
    indent(token),
    "",
    "2. Use the token for API calls:",
    ...calls.map(indent),
    "",
    `Support: ${facts.supportEmail ?? "reply to this e-mail"}`,
    "",
    "Best regards,",
    facts.senderName ?? "Your AI Gateway team",
    "",
  ].join("\n");
  return { subject: "AI Gateway API Access", body, commands: [token, ...calls] };
};

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

const indent = (command: string): string => command.replace(/^/gm, "   ");
