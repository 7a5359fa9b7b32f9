export { credentialsMark } from "./credentials-mark.ts";
export { NO_SENDER_NAME, NO_SUPPORT_ADDRESS, type OnboardingEmail, renderOnboardingEmail } from "./email.ts";
export { effectiveSettings, type OnboardingFacts, onboardingFacts } from "./facts.ts";
export { createGuide } from "./guide.ts";
export { GUIDE_ERRORS, type GuideError } from "./guide-errors.ts";
export { type GuideFacts, type GuideService, guideFacts } from "./guide-facts.ts";
export { renderGuideMarkdown } from "./guide-markdown.ts";
export type { Block, CodeLanguage, Guide, Inline, Section, Text } from "./guide-text.ts";
export { htmlOf } from "./html.ts";
export { type Forbidden, leakIn, namesStandingIn } from "./leak.ts";
export { type People, readPeople } from "./people.ts";
export { powerShellQuickStart } from "./power-shell.ts";
export { type QuickStart, quickStart } from "./quick-start.ts";
export {
  differences,
  existsOtherwise,
  factsOf,
  type Person,
  type Roster,
  type RosterRules,
  type Row,
  rosterOf,
  type Task,
} from "./roster.ts";
export {
  type EmailTemplate,
  literalText,
  MAX_TEMPLATE_BYTES,
  PLACEHOLDERS,
  parseTemplate,
  renderTemplate,
} from "./template.ts";
