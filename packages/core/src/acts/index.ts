export { type AddClientInput, addClient, type ClientWithPassword } from "./add-client.ts";
export { type AddServiceInput, addService, type HeaderInput } from "./add-service.ts";
export { awaitGateways, type GatewayReceipt, INSTANCE_GONE_MS, isSilent, type Receipt } from "./await-gateways.ts";
export type { ActDeps, Committed } from "./commit.ts";
export { didYouMean } from "./did-you-mean.ts";
export { findClient, findService } from "./find.ts";
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
export { previewRotation, type RotationPreview } from "./preview-rotation.ts";
export { recordProofs } from "./record-proof.ts";
export { rehashPassword } from "./rehash-password.ts";
export { removeClient } from "./remove-client.ts";
export { removeService } from "./remove-service.ts";
export { restoreClient } from "./restore-client.ts";
export { retireEndedKeys } from "./retire-keys.ts";
export { revokeClient } from "./revoke-client.ts";
export { type RotationResult, rotateSecret, rotateSecretWithGrace } from "./rotate-secret.ts";
export { type ClientPatch, setClient } from "./set-client.ts";
export { setPassword } from "./set-password.ts";
export { type ServicePatch, setService } from "./set-service.ts";
export { setSetting, unsetSetting } from "./set-setting.ts";
