import { mayCall } from "@aigw/core/plans";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { ReverseProxy } from "../proxy/reverse-proxy.ts";
import type { ForwardedCall } from "./api-call.ts";
import type { Authenticator } from "./authenticator.ts";

/**
 * The calls under way. A stream must not outlive the right it was opened by: after every change, and as clients expire,
 * those whose client, credentials, signing key or permission are gone are cut. A token that merely reaches its own
 * expiry does not end a transfer that began in time.
 */
export class OpenCalls {
  readonly #proxy: ReverseProxy<ForwardedCall>;
  readonly #follower: ControlFollower;
  readonly #authenticator: Authenticator;

  constructor(proxy: ReverseProxy<ForwardedCall>, follower: ControlFollower, authenticator: Authenticator) {
    this.#proxy = proxy;
    this.#follower = follower;
    this.#authenticator = authenticator;
  }

  get size(): number {
    return this.#proxy.open;
  }

  /** O(calls under way). */
  cutRevoked(): void {
    this.#proxy.cutUnless((call) => this.#mayGoOn(call), "revoked");
  }

  cutAll(): void {
    this.#proxy.cutUnless(() => false, "incomplete");
  }

  #mayGoOn({ claims, service }: ForwardedCall): boolean {
    // A preflight has no right to lose.
    if (claims === undefined) return true;
    const client = this.#follower.clientById(claims.clientId);
    return (
      client !== undefined &&
      client.epoch === claims.epoch &&
      this.#authenticator.standing(client) === "active" &&
      (this.#follower.key(claims.kid) !== undefined || this.#follower.ranOut(claims.kid)) &&
      mayCall(this.#follower.termsOf(client), service)
    );
  }
}
