import type { IncomingMessage } from "node:http";
import { BlockList, isIPv6 } from "node:net";
import type { Clock, UntrustedForwarder } from "@aigw/core";
import { effectiveSetting, SETTINGS, type SettingKey, TRUST_NOBODY, trustedNetworks } from "@aigw/core/config";
import type { Logger } from "../log.ts";
import { peerAddress, sourceOfAddress } from "./address.ts";
import { hasForwardedFields, type Said, saidByForwarded, saidByXForwarded, type Trusted } from "./forwarded.ts";
import { UntrustedForwarders } from "./untrusted-forwarders.ts";

/** A request, and who is calling: what its upstream is told of the client. */
export interface Identified {
  readonly incoming: IncomingMessage;
  /** Canonical; IPv4-mapped ones as IPv4. */
  clientAddress: string;
  /** The client's own, which ends at a proxy in front that does TLS. */
  scheme: "http" | "https";
  /** The authority that the client called. */
  host: string | undefined;
}

/** A proxy that contradicts itself is mentioned so often, milliseconds. */
const SAY_AGAIN_MS = 600_000;

export interface CallersOptions {
  /** Whether this gateway speaks it. */
  readonly tls: boolean;
  /** What the command line says of `trust-proxy`, in its stored form; before the environment and what is stored. */
  readonly flag: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Logger;
}

/**
 * Knows who is calling: the peer, or whom a trusted proxy names. Everything that asks for an address, a scheme or a host
 * of the client asks here; see docs/decisions/026-who-is-calling.md.
 */
export class Callers {
  readonly #options: CallersOptions;
  readonly #scheme: "http" | "https";
  readonly #untrusted: UntrustedForwarders;
  #trusted: BlockList | undefined;
  #value = TRUST_NOBODY;
  #contradictionSaidAt = Number.NEGATIVE_INFINITY;

  constructor(options: CallersOptions) {
    this.#options = options;
    this.#scheme = options.tls ? "https" : "http";
    this.#untrusted = new UntrustedForwarders(options.clock, (peer) => {
      options.log.warn(
        { peer, mend: this.#mend(peer) },
        "forwarded fields from a peer that is no trusted proxy count for nothing: if it is your proxy, all its clients share one bound on guessing",
      );
    });
  }

  /** Takes up the setting `trust-proxy` as it is in force now; every later request is judged by it. */
  trust(stored: ReadonlyMap<SettingKey, string>): void {
    const value =
      this.#options.flag ?? effectiveSetting("trust-proxy", stored, this.#options.env).value ?? TRUST_NOBODY;
    if (value === this.#value) return;
    this.#value = value;
    const list = new BlockList();
    const networks = trustedNetworks(value);
    for (const { address, prefix, family } of networks) list.addSubnet(address, prefix, family);
    this.#trusted = networks.length === 0 ? undefined : list;
    this.#untrusted.forget();
  }

  /** Sets what is known of the client. @returns false when it has left, and nothing is known */
  identify(call: Identified): boolean {
    const { incoming } = call;
    const peer = peerAddress(incoming.socket);
    if (peer === undefined) return false;
    const said = this.#saidOf(incoming, peer);
    call.clientAddress = said?.address ?? peer;
    call.scheme = said?.scheme ?? this.#scheme;
    call.host = said?.host ?? incoming.headers.host;
    return true;
  }

  /** Whose guesses are counted together: an IPv4 address or an IPv6 /64; empty for who has left already. */
  sourceOf(incoming: IncomingMessage): string {
    const peer = peerAddress(incoming.socket);
    return peer === undefined ? "" : sourceOfAddress(this.#saidOf(incoming, peer)?.address ?? peer);
  }

  /** Who has sent forwarded fields within ten minutes without being trusted; 4 at most. */
  untrustedForwarders(): readonly UntrustedForwarder[] {
    return this.#untrusted.peers().map((peer) => ({ peer, mend: this.#mend(peer) }));
  }

  #saidOf({ headers }: IncomingMessage, peer: string): Said | undefined {
    const trusted = this.#trusted;
    if (trusted === undefined || !trusts(trusted, peer)) {
      if (hasForwardedFields(headers)) this.#untrusted.note(peer);
      return undefined;
    }
    const isTrusted: Trusted = (address) => trusts(trusted, address);
    const one = saidByXForwarded(headers, peer, isTrusted);
    const other = saidByForwarded(headers, peer, isTrusted);
    if (one.address !== undefined && other.address !== undefined && one.address !== other.address) {
      this.#sayContradiction(peer);
    }
    return {
      address: agreed(one.address, other.address),
      scheme: agreed(one.scheme, other.scheme),
      host: agreed(one.host, other.host),
    };
  }

  #mend(peer: string): string {
    const list = this.#value === TRUST_NOBODY ? peer : `${this.#value},${peer}`;
    const { flag, env } = this.#options;
    if (flag !== undefined) return `aigw serve --trust-proxy ${list}`;
    const variable = SETTINGS["trust-proxy"].env;
    return env[variable] ? `${variable}=${list} aigw serve` : `aigw config set trust-proxy ${list}`;
  }

  #sayContradiction(peer: string): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#contradictionSaidAt < SAY_AGAIN_MS) return;
    this.#contradictionSaidAt = now;
    this.#options.log.warn(
      { peer },
      "X-Forwarded-For and Forwarded of a trusted proxy name two clients, so neither counts: let it remove the one that it does not write",
    );
  }
}

const trusts = (list: BlockList, address: string): boolean => list.check(address, isIPv6(address) ? "ipv6" : "ipv4");

/** Proxies pass on what they do not know: of two fields that differ, one may be the client's, and nobody can say which. */
const agreed = <T>(one: T | undefined, other: T | undefined): T | undefined => {
  if (one === undefined) return other;
  return other === undefined || one === other ? one : undefined;
};
