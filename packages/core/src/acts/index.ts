export { didYouMean } from "../did-you-mean.ts";
export { type AddClientInput, addClient, type ClientWithPassword } from "./add-client.ts";
export { type AddServiceInput, addService, type HeaderInput } from "./add-service.ts";
export { awaitGateways, type GatewayReceipt, INSTANCE_GONE_MS, isSilent, type Receipt } from "./await-gateways.ts";
export type { Changed } from "./change-several.ts";
export type { ActDeps, Committed } from "./commit.ts";
export { editClient } from "./edit-client.ts";
export { findClient, findClients, findPlan, findPlans, findService, findServices } from "./find.ts";
export { byGatewayName, gatewayName } from "./gateway-name.ts";
export {
  type Credentials,
  type CredentialsRequest,
  issueCredentials,
  makeCredentials,
  type TakenBack,
  takeBackCredentials,
} from "./issue-credentials.ts";
export { keyTime } from "./key-time.ts";
export type { JobsPatch } from "./patch-jobs.ts";
export type { ReachPatch } from "./patch-reach.ts";
export {
  type AddPlanInput,
  addPlan,
  namesOn,
  type PlanFacts,
  type PlanPatch,
  type PlanWithClients,
  removePlan,
  removePlans,
  setPlan,
} from "./plans.ts";
export { previewRotation, type RotationPreview } from "./preview-rotation.ts";
export { type GrantsInput, grantClient, resetQuotas } from "./quotas.ts";
export { recordProofs } from "./record-proof.ts";
export { rehashPassword } from "./rehash-password.ts";
export { removeClient, removeClients } from "./remove-client.ts";
export { removeService, removeServices } from "./remove-service.ts";
export { restoreClient, restoreClients } from "./restore-client.ts";
export { retireEndedKeys } from "./retire-keys.ts";
export { revokeClient, revokeClients } from "./revoke-client.ts";
export { type RotationResult, rotateSecret, rotateSecretWithGrace } from "./rotate-secret.ts";
export { type ClientPatch, setClient, setClients } from "./set-client.ts";
export { setPassword } from "./set-password.ts";
export { removePrices, setPrices } from "./set-prices.ts";
export { type ServicePatch, setService } from "./set-service.ts";
export { setSetting, unsetSetting, unsetSettings } from "./set-setting.ts";
