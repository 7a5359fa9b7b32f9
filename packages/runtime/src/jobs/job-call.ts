import type { Client } from "@aigw/core/clients";
import type { TokenClaims } from "@aigw/core/tokens";
import { ApiCall } from "../gate/api-call.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import type { CallMeter } from "../metering/call-meter.ts";
import type { CallResult } from "../proxy/call.ts";

/** What the gate judges a job by, in place of a token. */
export const jobClaims = (client: Pick<Client, "id" | "epoch">, trial: boolean): TokenClaims => ({
  kid: "",
  clientId: client.id,
  epoch: client.epoch,
  expiresAt: 0,
  trial,
  job: true,
});

/** The call of a job on its way through the gateway: it is recorded when the job's end is, not when its own comes. */
export class JobCall extends ApiCall {
  /** Set when it has ended; a call that was refused has none, and is recorded by who refused it. */
  result: CallResult | undefined;
  readonly #onRan: () => void;

  constructor(request: GatewayRequest, meter: CallMeter, onRan: () => void) {
    super(request, meter);
    this.#onRan = onRan;
  }

  override onEnd(result: CallResult): void {
    this.onServed();
    this.result = result;
    this.#onRan();
  }

  /** Records its usage, and tells its quotas. */
  count(outcome?: CallResult["outcome"]): void {
    if (this.result !== undefined) super.onEnd(outcome === undefined ? this.result : { ...this.result, outcome });
  }

  /** A request that was counted at an earlier try stays counted. */
  override cancelClaim(): void {
    if (this.isCountedBefore) this.releaseClaim();
    else super.cancelClaim();
  }

  /** Another gateway has taken the job over, and takes its request for counted: so it is, here. */
  releaseClaim(): void {
    if (this.claim !== undefined) this.quotas?.release(this.claim);
    this.claim = undefined;
  }

  override onFailed(): void {
    this.#onRan();
  }

  /** Whether the gate has let it go to its service. */
  get isSent(): boolean {
    return (this.responseFields as readonly string[] | undefined) !== undefined;
  }
}
