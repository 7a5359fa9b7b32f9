import type { UsageEvent } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import { effectiveSetting, UTC } from "@aigw/core/config";
import type { Terms } from "@aigw/core/plans";
import type { QuotaCall, QuotaClaim, QuotaLedger, QuotaStanding, QuotaTerms, QuotaVerdict } from "@aigw/core/quotas";
import { quotaTerms } from "@aigw/core/quotas";
import type { Service } from "@aigw/core/services";
import type { TokenClaims } from "@aigw/core/tokens";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { ApiCall } from "./api-call.ts";
import { lengthAhead, readAhead } from "./read-ahead.ts";
import { ServiceQuota } from "./service-quota.ts";

export type QuotaRefusal = Extract<QuotaVerdict, { claim: undefined }>;

export interface QuotaGateDeps {
  readonly follower: Pick<ControlFollower, "termsOf" | "services" | "settings">;
  readonly ledger: QuotaLedger;
  /** The environment's settings, which come before stored ones. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Requests that are being read before they are let in, at once: what is beyond is let in on what is known without it. */
const MAX_AHEAD_ALL = 64 * 1024 * 1024;

/** What clients with quotas may use: a client without one costs a look at its terms. */
export class QuotaGate {
  readonly #deps: QuotaGateDeps;
  readonly #terms = new WeakMap<Terms, QuotaTerms>();
  readonly #services = new WeakMap<Service, ServiceQuota>();
  #zone: string = UTC;
  /** Bytes that are being read ahead. */
  #ahead = 0;

  constructor(deps: QuotaGateDeps) {
    this.#deps = deps;
  }

  /** The settings may have changed. */
  refresh(): void {
    this.#zone = effectiveSetting("timezone", this.#deps.follower.settings, this.#deps.env).value ?? UTC;
  }

  /** Undefined: nothing to count. The trial of a quick start is not the client's. */
  termsOf(client: Client, { trial }: Pick<TokenClaims, "trial">): QuotaTerms | undefined {
    const terms = this.#deps.follower.termsOf(client);
    return terms.quota === undefined || trial ? undefined : this.#quotaTermsOf(client, terms);
  }

  #quotaTermsOf(client: Client, terms: Terms): QuotaTerms | undefined {
    const known = this.#terms.get(terms);
    if (known?.zone.name === this.#zone) return known;
    try {
      const made = quotaTerms(client, terms.quota, this.#zone);
      if (made !== undefined) this.#terms.set(terms, made);
      return made;
    } catch {
      // What another version has stored may say what this one does not know.
      return undefined;
    }
  }

  /**
   * What refuses a call before anything is asked for it; costs no store call. How much one wants that waits for its
   * request is not known yet: only what is used up refuses it.
   */
  refusal(terms: QuotaTerms, call: ApiCall): QuotaRefusal | undefined {
    const isOpen = call.body === undefined && this.waits(terms, call);
    const facts = isOpen
      ? { units: this.#serviceQuota(call.service).units, reserves: NOTHING }
      : this.#facts(call, undefined);
    return this.#deps.ledger.refusal(terms, facts);
  }

  /** Whether the request itself says how much it may use: {@link acquire} then waits for it. */
  waits(terms: QuotaTerms, { service, incoming }: ApiCall): boolean {
    const quota = this.#serviceQuota(service);
    if (!terms.quotas.some(({ units }) => quota.readsRequest(units))) return false;
    const length = lengthAhead(incoming);
    return length !== undefined && this.#ahead + length <= MAX_AHEAD_ALL;
  }

  /** The request, as far as it can be had. @param mayWait is asked several times a second */
  async body(call: ApiCall, mayWait: () => boolean): Promise<Buffer | undefined> {
    const { incoming, outgoing, expectsContinue } = call;
    const length = lengthAhead(incoming) ?? 0;
    if (expectsContinue) outgoing.writeContinue();
    call.expectsContinue = false;
    this.#ahead += length;
    try {
      return await readAhead(incoming, length, mayWait);
    } finally {
      this.#ahead -= length;
    }
  }

  acquire(terms: QuotaTerms, call: ApiCall, body: Buffer | undefined): QuotaVerdict | Promise<QuotaVerdict> {
    return this.#deps.ledger.acquire(terms, this.#facts(call, body));
  }

  cancel(claim: QuotaClaim): void {
    this.#deps.ledger.cancel(claim);
  }

  /** The request of a call that was let in was counted already, at an earlier try. */
  countedBefore(claim: QuotaClaim): void {
    this.#deps.ledger.countedBefore(claim);
  }

  /** What it used counts for nothing; its request does. */
  release(claim: QuotaClaim): void {
    this.#deps.ledger.settle(claim, []);
  }

  standing(terms: QuotaTerms): readonly QuotaStanding[] | Promise<readonly QuotaStanding[]> {
    return this.#deps.ledger.standing(terms);
  }

  /** Where the client of a call that was let in stands. */
  standingOf(claim: QuotaClaim): readonly QuotaStanding[] {
    return this.#deps.ledger.standingOf(claim);
  }

  /** What the call was worth, as it is on record. */
  settle(claim: QuotaClaim, { units, cost, bytesIn, bytesOut }: UsageEvent): void {
    const used: (readonly [string, number])[] = [
      ["bytes_in", bytesIn],
      ["bytes_out", bytesOut],
      ["cost", cost ?? 0],
    ];
    this.#deps.ledger.settle(claim, units === undefined ? used : [...used, ...Object.entries(units)]);
  }

  #facts({ service }: ApiCall, body: Buffer | undefined): QuotaCall {
    const quota = this.#serviceQuota(service);
    return { units: quota.units, reserves: quota.reserves(body) };
  }

  #serviceQuota(name: string): ServiceQuota {
    const service = this.#deps.follower.services.get(name);
    if (service === undefined) return NO_SERVICE;
    const known = this.#services.get(service);
    if (known !== undefined) return known;
    const quota = new ServiceQuota(service);
    this.#services.set(service, quota);
    return quota;
  }
}

/** One that was removed a moment ago. */
const NO_SERVICE = new ServiceQuota({});

const NOTHING: QuotaCall["reserves"] = new Map();
