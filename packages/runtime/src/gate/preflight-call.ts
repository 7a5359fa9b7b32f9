import type { IncomingMessage, ServerResponse } from "node:http";
import { endOfService } from "../api-target.ts";
import type { CorsAnswer } from "../cors/cors-answer.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import type { CallMeterOptions } from "../metering/call-meter.ts";
import type { Identified } from "../peer/callers.ts";
import type { Call, CallResult, Upstream } from "../proxy/call.ts";

export interface PreflightCallDeps {
  readonly onFault: CallMeterOptions["onFault"];
}

/** What a preflight consists of. Anything else would be somebody's way to make a service do something without a token. */
const FIELDS =
  /^(?:origin|access-control-request-[a-z-]+|accept|accept-language|accept-encoding|user-agent|referer|sec-fetch-[a-z]+|traceparent|tracestate)$/i;

/** A preflight on its way to a service: nobody's, so without a name, a limit and a record. */
export class PreflightCall implements Call, Identified {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly upstream: Upstream;
  readonly service: string;
  readonly rest: string;
  readonly requestId: string;
  readonly clientName = "";
  /** The gate sets these before it forwards the call. */
  clientAddress!: string;
  scheme!: "http" | "https";
  host: string | undefined;
  readonly responseFields: readonly string[] = [];
  readonly expectsContinue = false;
  readonly cors: CorsAnswer;
  readonly claims = undefined;
  readonly #onFault: PreflightCallDeps["onFault"];

  constructor(
    { incoming, outgoing, target, requestId, cors }: GatewayRequest,
    service: string,
    upstream: Upstream,
    { onFault }: PreflightCallDeps,
  ) {
    incoming.rawHeaders = incoming.rawHeaders.filter((_, index, raw) => FIELDS.test(raw[index - (index % 2)] ?? ""));
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.upstream = upstream;
    this.service = service;
    this.rest = target.slice(endOfService(target));
    this.requestId = requestId;
    this.cors = cors;
    this.#onFault = onFault;
  }

  onEnd({ fault, error }: CallResult): void {
    if (fault !== undefined) this.#onFault(this, fault, error);
  }
}
