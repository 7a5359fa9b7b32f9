import type { Client, Sealer, Service } from "@aigw/core";
import type { ControlState, Effect } from "@aigw/core/changes";
import { openSigningKey, type SigningKey } from "@aigw/core/keys";
import { parseMeters } from "@aigw/core/meters";
import { type Terms, termsAmong } from "@aigw/core/plans";
import { openHeaders } from "@aigw/core/services";
import type { VerifyingKey } from "@aigw/core/tokens";
import { type ServiceMeter, serviceMeter } from "../meters/service-meter.ts";
import type { Upstream } from "../proxy/call.ts";
import { openReach } from "./open-reach.ts";

/** A signing key that may verify, with its record. */
export interface OpenedKey extends VerifyingKey {
  readonly record: SigningKey;
}

/** What calls need of the control state, made ready once and not for each: keys and services, opened, and terms. */
export class OpenedState {
  readonly #sealer: Sealer;
  #keys = new Map<string, OpenedKey>();
  #upstreams = new Map<string, Upstream>();
  /** Of clients that called; a client that is changed is another record, and a plan that is changed begins anew. */
  #terms = new WeakMap<Client, Terms>();

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** @param client as the state has it */
  termsOf(client: Client, { plans }: ControlState): Terms {
    const known = this.#terms.get(client);
    if (known !== undefined) return known;
    const terms = termsAmong(client, plans);
    this.#terms.set(client, terms);
    return terms;
  }

  key(kid: string): OpenedKey | undefined {
    return this.#keys.get(kid);
  }

  signingKey(): OpenedKey | undefined {
    for (const key of this.#keys.values()) if (key.record.status === "active") return key;
    return undefined;
  }

  /** Of all services. */
  get upstreams(): Iterable<Upstream> {
    return this.#upstreams.values();
  }

  upstream(service: string): Upstream | undefined {
    return this.#upstreams.get(service);
  }

  openAll(state: ControlState): void {
    this.#openKeyring(state);
    this.#terms = new WeakMap();
    this.#upstreams = new Map();
    for (const name of state.services.keys()) this.#openService(name, state);
  }

  /** What an effect has changed that is folded into the state. */
  open({ action, subject }: Effect, state: ControlState): void {
    if (action.startsWith("secret.")) this.#openKeyring(state);
    else if (action.startsWith("service.")) this.#openService(subject, state);
    else if (action.startsWith("plan.")) this.#terms = new WeakMap();
  }

  #openKeyring({ keyring }: ControlState): void {
    const keys = new Map<string, OpenedKey>();
    for (const record of keyring) {
      const secret = openSigningKey(this.#sealer, record);
      if (secret !== undefined) keys.set(record.kid, { kid: record.kid, alg: record.alg, secret, record });
    }
    this.#keys = keys;
  }

  #openService(name: string, { services }: ControlState): void {
    const service = services.get(name);
    if (service === undefined) {
      this.#upstreams.delete(name);
      return;
    }
    this.#upstreams.set(name, {
      ...openReach(this.#sealer, service, (other) => this.#upstreams.get(other)),
      prefix: `/api/${name}`,
      headers: openHeaders(this.#sealer, service),
      timeoutMs: service.timeoutMs,
      idleTimeoutMs: service.idleTimeoutMs,
      meter: meterOf(service),
      asksUsage: service.askUsage === true,
      ...(service.jobs && { jobs: service.jobs }),
    });
  }
}

/** What another version has stored may say what this one does not know: the service works all the same. */
const meterOf = ({ meter }: Service): ServiceMeter | null => {
  if (meter === undefined) return null;
  try {
    return serviceMeter(parseMeters(meter));
  } catch {
    return null;
  }
};
