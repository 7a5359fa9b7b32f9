import { mayCall } from "@aigw/core";
import type { TokenClaims } from "@aigw/core/tokens";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { Exchange } from "../proxy/call.ts";
import type { Authenticator } from "./authenticator.ts";

/** A forwarded call under way, and by what right. */
export interface OpenCall {
  readonly claims: TokenClaims;
  readonly service: string;
  exchange: Exchange | undefined;
}

/**
 * The calls under way. A stream must not outlive the right it was opened by: after every change, and as clients expire,
 * those whose client, credentials, signing key or permission are gone are cut. A token that merely reaches its own
 * expiry does not end a transfer that began in time.
 */
export class OpenCalls {
  readonly #calls = new Set<OpenCall>();
  readonly #follower: ControlFollower;
  readonly #authenticator: Authenticator;

  constructor(follower: ControlFollower, authenticator: Authenticator) {
    this.#follower = follower;
    this.#authenticator = authenticator;
  }

  get size(): number {
    return this.#calls.size;
  }

  add(call: OpenCall): void {
    this.#calls.add(call);
  }

  delete(call: OpenCall): void {
    this.#calls.delete(call);
  }

  /** O(calls under way). */
  cutRevoked(): void {
    for (const call of this.#calls) if (!this.#mayGoOn(call)) call.exchange?.cut("revoked");
  }

  cutAll(): void {
    for (const call of this.#calls) call.exchange?.cut("incomplete");
  }

  #mayGoOn({ claims, service }: OpenCall): boolean {
    const client = this.#follower.clientById(claims.clientId);
    return (
      client !== undefined &&
      client.epoch === claims.epoch &&
      this.#authenticator.standing(client) === "active" &&
      (this.#follower.key(claims.kid) !== undefined || this.#follower.ranOut(claims.kid)) &&
      mayCall(client, service)
    );
  }
}
