import type { IncomingMessage, ServerResponse } from "node:http";
import type { QuotaClaim, QuotaTerms } from "@aigw/core/quotas";
import type { TokenClaims } from "@aigw/core/tokens";
import { trialName } from "@aigw/core/usage";
import { API, endOfService } from "../api-target.ts";
import type { CorsAnswer } from "../cors/cors-answer.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import { SERVICE_SECONDS } from "../metering/call-cost.ts";
import type { CallMeter, Metered } from "../metering/call-meter.ts";
import type { Identified } from "../peer/callers.ts";
import type { Call, CallResult, Upstream } from "../proxy/call.ts";
import type { PreflightCall } from "./preflight-call.ts";
import type { WaitingCall } from "./queue-gate.ts";
import type { QuotaGate } from "./quota-gate.ts";

/** Whose usage it is: the trial of a quick start is not the client's. */
export const recordedAs = (clientName: string, { trial }: TokenClaims): string =>
  trial ? trialName(clientName) : clientName;

/** What goes to a service. */
export type ForwardedCall = ApiCall | PreflightCall;

/**
 * One request under `/api/` on its way through the gateway, with what each step finds out about it: one object for all
 * of them, so that a request costs no copies and no closures.
 */
export class ApiCall implements Call, Metered, Identified {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly requestId: string;
  expectsContinue: boolean;
  readonly cors: CorsAnswer;
  readonly method: string;
  /** `/api/ocr/v1/x?y=1` → `/api/ocr/v1/x`, `ocr`, `/v1/x?y=1`. */
  readonly path: string;
  readonly service: string;
  readonly rest: string;
  at = 0;
  start = 0;
  /** The gate sets these before it forwards the call. */
  claims!: TokenClaims;
  /** The client's, as soon as it is known. */
  plan: string | undefined = undefined;
  clientName!: string;
  clientAddress!: string;
  scheme!: "http" | "https";
  host: string | undefined;
  upstream!: Upstream;
  responseFields!: readonly string[];
  /** Its content, read before it was let in; null: it could not be. */
  body: Buffer | null | undefined = undefined;
  /** Of a client with quotas: what they are, what it was let in by, and who is told what it was worth. */
  quotaTerms: QuotaTerms | undefined = undefined;
  claim: QuotaClaim | undefined = undefined;
  quotas: QuotaGate | undefined = undefined;
  /** Of a service that takes only so many calls at once. */
  slot: WaitingCall | undefined = undefined;
  queuedMs: number | undefined = undefined;
  /** A job's, whose request was counted already, at an earlier try. */
  isCountedBefore = false;
  /** How long it waits for that at most, milliseconds; as the service says unless set. See QueuedCall. */
  queueWaitMs: number | undefined = undefined;
  readonly #meter: CallMeter;

  constructor({ incoming, outgoing, target, requestId, expectsContinue, cors }: GatewayRequest, meter: CallMeter) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.requestId = requestId;
    this.expectsContinue = expectsContinue;
    this.cors = cors;
    this.method = incoming.method ?? "GET";
    const query = target.indexOf("?");
    this.path = query === -1 ? target : target.slice(0, query);
    const end = endOfService(target);
    this.service = target.slice(API.length, end);
    this.rest = target.slice(end);
    this.#meter = meter;
    meter.begin(this);
  }

  get countsTime(): boolean {
    return this.quotaTerms?.quotas.some(({ units }) => units.includes(SERVICE_SECONDS)) === true;
  }

  onServed(): void {
    this.slot?.leave();
  }

  /** The gateway failed to answer it: no end of it is told. */
  onFailed(): void {}

  /** A call that was let in and does not begin counts for nothing. */
  cancelClaim(): void {
    if (this.claim !== undefined) this.quotas?.cancel(this.claim);
    this.claim = undefined;
  }

  onEnd(result: CallResult): void {
    this.onServed();
    const event = this.#meter.end(this, recordedAs(this.clientName, this.claims), result);
    if (this.claim !== undefined) this.quotas?.settle(this.claim, event);
  }
}
