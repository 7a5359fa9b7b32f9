export { openSigningKey } from "./create-key.ts";
export { endedKey } from "./rotate.ts";
export { activeKey, type Keyring, type KeyTime, onWallClock, type SigningKey, verifies } from "./signing-key.ts";
