export { type AddClientInput, addClient, type ClientWithPassword } from "./acts/add-client.ts";
export { type AddServiceInput, addService, type HeaderInput } from "./acts/add-service.ts";
export { awaitGateways, type GatewayReceipt, INSTANCE_GONE_MS, type Receipt } from "./acts/await-gateways.ts";
export type { ActDeps, Committed } from "./acts/commit.ts";
export { findClient, findService } from "./acts/find.ts";
export { byGatewayName, gatewayName } from "./acts/gateway-name.ts";
export { type CredentialsRequest, issueCredentials } from "./acts/issue-credentials.ts";
export { previewRotation, type RotationPreview } from "./acts/preview-rotation.ts";
export { recordProof } from "./acts/record-proof.ts";
export { rehashPassword } from "./acts/rehash-password.ts";
export { removeClient } from "./acts/remove-client.ts";
export { removeService } from "./acts/remove-service.ts";
export { restoreClient } from "./acts/restore-client.ts";
export { revokeClient } from "./acts/revoke-client.ts";
export { type RotationResult, rotateSecret, rotateSecretWithGrace } from "./acts/rotate-secret.ts";
export { type ClientPatch, setClient } from "./acts/set-client.ts";
export { setPassword } from "./acts/set-password.ts";
export { type ServicePatch, setService } from "./acts/set-service.ts";
export { setSetting, unsetSetting } from "./acts/set-setting.ts";
export type { Action, Change, ChangeDraft } from "./changes/change.ts";
export { type ControlState, emptyControlState, fold } from "./changes/control-state.ts";
export {
  type Client,
  type ClientStanding,
  DEFAULT_LIMIT,
  LIMIT_WINDOW_MS,
  limitOf,
  mayCall,
  standingOf,
} from "./clients/client.ts";
export {
  parseClientName,
  parseEmail,
  parseExpiry,
  parseLimit,
  parseLine,
  parseServiceList,
} from "./clients/parse-client.ts";
export { hashPassword, MAX_PASSWORD_LENGTH, needsRehash, verifyPassword } from "./clients/password.ts";
export { type Clock, steadyWallClock, systemClock } from "./clock.ts";
export {
  type EffectiveSetting,
  effectiveSetting,
  isPlainHttp,
  openSetting,
  parseSettingKey,
  SETTING_DEFAULTS,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  type SettingSource,
} from "./config/settings.ts";
export {
  parseSmtpTls,
  type SmtpAddress,
  type SmtpTlsMode,
  smtpAddress,
  smtpPasswordIn,
} from "./config/smtp.ts";
export { AigwError, type ErrorCode, type ErrorDetails, isAigwError, isStoreFault } from "./errors.ts";
export {
  defaultStoreUrl,
  type Environment,
  examineHome,
  type HomeExamination,
  type HomeLocation,
  type HomeState,
  type InitHomeOptions,
  initHome,
  inspectHome,
  masterKeyPath,
  type OpenedHome,
  type OpenHomeOptions,
  openHome,
  type RestoredHome,
  type RestoreHomeOptions,
  resolveHome,
  restoreHome,
} from "./home/index.ts";
export { type ClientFacts, readClientFacts } from "./insight/client-facts.ts";
export { type ClientFinding, type ClientFindingCode, explainClient } from "./insight/explain-client.ts";
export { explainRequest, type RequestFinding, type RequestFindingCode } from "./insight/explain-request.ts";
export type { Finding, Severity, When } from "./insight/finding.ts";
export { type ReviewCode, type ReviewFinding, reviewClients } from "./insight/review-clients.ts";
export { readReviewFacts } from "./insight/review-facts.ts";
export { openSigningKey } from "./keys/create-key.ts";
export { activeKey, type Keyring, type SigningKey, verifies } from "./keys/signing-key.ts";
export type { Permit } from "./limits/holding.ts";
export { Limiter, type LimiterOptions } from "./limits/limiter.ts";
export { type OnboardingEmail, renderOnboardingEmail } from "./onboarding/email.ts";
export { effectiveSettings, type OnboardingFacts, onboardingFacts } from "./onboarding/facts.ts";
export { createGuide } from "./onboarding/guide.ts";
export { GUIDE_ERRORS, type GuideError } from "./onboarding/guide-errors.ts";
export { type GuideFacts, guideFacts } from "./onboarding/guide-facts.ts";
export { renderGuideMarkdown } from "./onboarding/guide-markdown.ts";
export type { Block, CodeLanguage, Guide, Inline, Section, Text } from "./onboarding/guide-text.ts";
export { htmlOf } from "./onboarding/html.ts";
export { type Forbidden, leakIn, namesStandingIn } from "./onboarding/leak.ts";
export { type QuickStart, quickStart } from "./onboarding/quick-start.ts";
export {
  type EmailTemplate,
  literalText,
  MAX_TEMPLATE_BYTES,
  PLACEHOLDERS,
  parseTemplate,
  renderTemplate,
} from "./onboarding/template.ts";
export { randomId } from "./random-id.ts";
export type { Sealer } from "./sealing/sealer.ts";
export { openHeaders } from "./services/headers.ts";
export { parseDuration, parseHeaderName, parseServiceName, parseUpstreamUrl } from "./services/parse-service.ts";
export type { Service } from "./services/service.ts";
export type {
  BackupFacts,
  BackupOptions,
  StoreFile,
  StoreInspection,
} from "./store/maintenance.ts";
export {
  type OpenedStore,
  type OpenStoreOptions,
  openStore,
  parseStoreUrl,
  peekNames,
  type StoredNames,
} from "./store/open-store.ts";
export type {
  ControlStore,
  Instance,
  MaybePromise,
  SeenInstance,
  Store,
  TokenIssue,
  TrafficStore,
  UsagePage,
  UsageSlice,
  UsageSpan,
} from "./store/store.ts";
export { type KeepUsageOptions, type KeptUsage, keepUsage, pruneTime } from "./usage/keep-usage.ts";
export { LATENCY_BOUNDS } from "./usage/latency-buckets.ts";
export { DAY_MS, HOUR_MS } from "./usage/report-plan.ts";
export { OUTCOMES, type Outcome, type UsageEvent, type UsageFilter } from "./usage/usage-event.ts";
export {
  emptyTally,
  latencyOf,
  sumTallies,
  USAGE_KEYS,
  type UsageKey,
  type UsageReport,
  type UsageReportQuery,
  type UsageRow,
  type UsageTally,
} from "./usage/usage-report.ts";
