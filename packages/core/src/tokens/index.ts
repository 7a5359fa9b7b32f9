/** `@aigw/core/tokens`: apart from the rest, because it loads jose, which only the runtime needs. */
export { type IssuedToken, issueToken } from "./issue-token.ts";
export { realmOf, type TokenClaims, type TokenRealm, type VerifyingKey } from "./token.ts";
export { TokenMemory } from "./token-memory.ts";
export { verifyToken } from "./verify-token.ts";
