import { mayCall } from "@aigw/core/plans";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { ReverseProxy } from "../proxy/reverse-proxy.ts";
import { isUpgrade } from "../proxy/websocket/handshake.ts";
import type { ForwardedCall } from "./api-call.ts";
import type { Authenticator } from "./authenticator.ts";

/**
 * The calls under way. A stream must not outlive the right it was opened by: after every change, and as clients expire,
 * those whose client, credentials, signing key or permission are gone are cut. A token that merely reaches its own
 * expiry does not end a transfer that began in time; it does end a WebSocket, which has no end of its own.
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

  /** Ends what would not end by itself. */
  goAway(): void {
    this.#proxy.goAway();
  }

  cutAll(): void {
    this.#proxy.cutUnless(() => false, "incomplete");
  }

  #mayGoOn({ claims, service, incoming }: ForwardedCall): boolean {
    // A preflight has no right to lose.
    if (claims === undefined) return true;
    if (isUpgrade(incoming)) {
      const who = this.#authenticator.judge(claims);
      const isThere = this.#follower.upstream(service) !== undefined;
      return who.kind === "ok" && isThere && mayCall(this.#follower.termsOf(who.client), service);
    }
    if (claims.job === true) {
      const who = this.#authenticator.judge(claims);
      return who.kind === "ok" && mayCall(this.#follower.termsOf(who.client), service);
    }
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
