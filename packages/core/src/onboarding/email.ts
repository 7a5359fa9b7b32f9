import type { OnboardingFacts } from "./facts.ts";
import { powerShellQuickStart } from "./power-shell.ts";
import { quickStart } from "./quick-start.ts";

export interface OnboardingEmail {
  readonly subject: string;
  /** Lines ended by `\n`. */
  readonly body: string;
  /** What stands in the body and has to be read to the letter: username and password. */
  readonly credentials: readonly string[];
  /** A form of the quick start that the HTML part has beside the body's. An own template has what it says, and no more. */
  readonly powerShell?: string;
}

export const DEFAULT_SUBJECT = "AI Gateway API Access";
export const NO_SUPPORT_ADDRESS = "reply to this e-mail";
export const NO_SENDER_NAME = "Your AI Gateway team";

/** The user's own template; see docs/decisions and the contract of the command line. */
export const renderOnboardingEmail = (facts: OnboardingFacts): OnboardingEmail => {
  const { token, calls } = quickStart(facts);
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
    `Support: ${facts.supportEmail ?? NO_SUPPORT_ADDRESS}`,
    "",
    "Best regards,",
    facts.senderName ?? NO_SENDER_NAME,
    "",
  ].join("\n");
  const windows = powerShellQuickStart(facts);
  const powerShell = [windows.token, ...windows.calls].join("\n");
  return { subject: DEFAULT_SUBJECT, body, credentials: [facts.username, facts.password], powerShell };
};

const indent = (command: string): string => command.replace(/^/gm, "   ");
