export { openSigningKey } from "./create-key.ts";
export { activeKey, type Keyring, type SigningKey, verifies } from "./signing-key.ts";
