export { didYouMean } from "../did-you-mean.ts";
export type { AddClientInput, ClientWithPassword } from "./add-client.ts";
export type { AddServiceInput, HeaderInput } from "./add-service.ts";
export { awaitGateways, type GatewayReceipt, INSTANCE_GONE_MS, isSilent, type Receipt } from "./await-gateways.ts";
export type { Changed } from "./change-several.ts";
export type { ActDeps, Committed } from "./commit.ts";
export { findClient, findClients, findPlan, findPlans, findService, findServices, namesOn } from "./find.ts";
export { byGatewayName, gatewayName } from "./gateway-name.ts";
export type { Credentials, CredentialsRequest, TakenBack } from "./issue-credentials.ts";
export { keyTime } from "./key-time.ts";
export type { JobsPatch } from "./patch-jobs.ts";
export type { ReachPatch } from "./patch-reach.ts";
export type { AddPlanInput, PlanFacts, PlanPatch, PlanWithClients } from "./plans.ts";
export type { RotationPreview } from "./preview-rotation.ts";
export type { GrantsInput } from "./quotas.ts";
export type { RotationResult } from "./rotate-secret.ts";
export type { ClientPatch } from "./set-client.ts";
export type { ServicePatch } from "./set-service.ts";

// A command needs one or two of what follows, and what only looks needs none: each is loaded when it is called.

export const addClient: typeof import("./add-client.ts").addClient = async (...given) =>
  (await import("./add-client.ts")).addClient(...given);
export const addService: typeof import("./add-service.ts").addService = async (...given) =>
  (await import("./add-service.ts")).addService(...given);
export const editClient: typeof import("./edit-client.ts").editClient = async (...given) =>
  (await import("./edit-client.ts")).editClient(...given);
export const issueCredentials: typeof import("./issue-credentials.ts").issueCredentials = async (...given) =>
  (await import("./issue-credentials.ts")).issueCredentials(...given);
export const makeCredentials: typeof import("./issue-credentials.ts").makeCredentials = async (...given) =>
  (await import("./issue-credentials.ts")).makeCredentials(...given);
export const takeBackCredentials: typeof import("./issue-credentials.ts").takeBackCredentials = async (...given) =>
  (await import("./issue-credentials.ts")).takeBackCredentials(...given);
export const addPlan: typeof import("./plans.ts").addPlan = async (...given) =>
  (await import("./plans.ts")).addPlan(...given);
export const removePlan: typeof import("./plans.ts").removePlan = async (...given) =>
  (await import("./plans.ts")).removePlan(...given);
export const removePlans: typeof import("./plans.ts").removePlans = async (...given) =>
  (await import("./plans.ts")).removePlans(...given);
export const setPlan: typeof import("./plans.ts").setPlan = async (...given) =>
  (await import("./plans.ts")).setPlan(...given);
export const previewRotation: typeof import("./preview-rotation.ts").previewRotation = async (...given) =>
  (await import("./preview-rotation.ts")).previewRotation(...given);
export const grantClient: typeof import("./quotas.ts").grantClient = async (...given) =>
  (await import("./quotas.ts")).grantClient(...given);
export const resetQuotas: typeof import("./quotas.ts").resetQuotas = async (...given) =>
  (await import("./quotas.ts")).resetQuotas(...given);
export const recordProofs: typeof import("./record-proof.ts").recordProofs = async (...given) =>
  (await import("./record-proof.ts")).recordProofs(...given);
export const rehashPassword: typeof import("./rehash-password.ts").rehashPassword = async (...given) =>
  (await import("./rehash-password.ts")).rehashPassword(...given);
export const removeClient: typeof import("./remove-client.ts").removeClient = async (...given) =>
  (await import("./remove-client.ts")).removeClient(...given);
export const removeClients: typeof import("./remove-client.ts").removeClients = async (...given) =>
  (await import("./remove-client.ts")).removeClients(...given);
export const removeService: typeof import("./remove-service.ts").removeService = async (...given) =>
  (await import("./remove-service.ts")).removeService(...given);
export const removeServices: typeof import("./remove-service.ts").removeServices = async (...given) =>
  (await import("./remove-service.ts")).removeServices(...given);
export const restoreClient: typeof import("./restore-client.ts").restoreClient = async (...given) =>
  (await import("./restore-client.ts")).restoreClient(...given);
export const restoreClients: typeof import("./restore-client.ts").restoreClients = async (...given) =>
  (await import("./restore-client.ts")).restoreClients(...given);
export const retireEndedKeys: typeof import("./retire-keys.ts").retireEndedKeys = async (...given) =>
  (await import("./retire-keys.ts")).retireEndedKeys(...given);
export const revokeClient: typeof import("./revoke-client.ts").revokeClient = async (...given) =>
  (await import("./revoke-client.ts")).revokeClient(...given);
export const revokeClients: typeof import("./revoke-client.ts").revokeClients = async (...given) =>
  (await import("./revoke-client.ts")).revokeClients(...given);
export const rotateSecret: typeof import("./rotate-secret.ts").rotateSecret = async (...given) =>
  (await import("./rotate-secret.ts")).rotateSecret(...given);
export const rotateSecretWithGrace: typeof import("./rotate-secret.ts").rotateSecretWithGrace = async (...given) =>
  (await import("./rotate-secret.ts")).rotateSecretWithGrace(...given);
export const setClient: typeof import("./set-client.ts").setClient = async (...given) =>
  (await import("./set-client.ts")).setClient(...given);
export const setClients: typeof import("./set-client.ts").setClients = async (...given) =>
  (await import("./set-client.ts")).setClients(...given);
export const setPassword: typeof import("./set-password.ts").setPassword = async (...given) =>
  (await import("./set-password.ts")).setPassword(...given);
export const removePrices: typeof import("./set-prices.ts").removePrices = async (...given) =>
  (await import("./set-prices.ts")).removePrices(...given);
export const setPrices: typeof import("./set-prices.ts").setPrices = async (...given) =>
  (await import("./set-prices.ts")).setPrices(...given);
export const setService: typeof import("./set-service.ts").setService = async (...given) =>
  (await import("./set-service.ts")).setService(...given);
export const setSetting: typeof import("./set-setting.ts").setSetting = async (...given) =>
  (await import("./set-setting.ts")).setSetting(...given);
export const unsetSetting: typeof import("./set-setting.ts").unsetSetting = async (...given) =>
  (await import("./set-setting.ts")).unsetSetting(...given);
export const unsetSettings: typeof import("./set-setting.ts").unsetSettings = async (...given) =>
  (await import("./set-setting.ts")).unsetSettings(...given);
