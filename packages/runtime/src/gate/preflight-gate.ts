import { serviceIn } from "../api-target.ts";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import type { ProblemCode } from "../http-errors.ts";
import type { Callers } from "../peer/callers.ts";
import type { Upstream } from "../proxy/call.ts";
import { refuse } from "../proxy/lingering-close.ts";
import type { ReverseProxy } from "../proxy/reverse-proxy.ts";
import type { ForwardedCall } from "./api-call.ts";
import { PreflightBudget } from "./preflight-budget.ts";
import { PreflightCall, type PreflightCallDeps } from "./preflight-call.ts";

export interface PreflightGateDeps extends PreflightCallDeps {
  readonly follower: Pick<ControlFollower, "upstream">;
  readonly proxy: ReverseProxy<ForwardedCall>;
  readonly callers: Callers;
  /** A request that belongs to nobody was refused. */
  readonly onStranger: (code: ProblemCode) => void;
}

/**
 * Hands preflights to a service that answers them itself. Browsers send them without a token, so anybody can: the
 * service gets nothing with them but what the question consists of, not its own key either, and a bounded number.
 */
export class PreflightGate {
  readonly #deps: PreflightGateDeps;
  readonly #budget = new PreflightBudget();
  /** Upstreams without the service's own fields, by those with them. */
  readonly #bare = new WeakMap<Upstream, Upstream>();

  constructor(deps: PreflightGateDeps) {
    this.#deps = deps;
  }

  /** Takes a preflight under `/api/` over; always answers it. */
  handle(request: GatewayRequest): void {
    const { incoming, target } = request;
    const service = serviceIn(target);
    const { follower, callers, proxy } = this.#deps;
    const upstream = follower.upstream(service);
    if (upstream === undefined) {
      this.#refuse(request, "unknown_service", "There is no service of this name.", []);
    } else if (upstream.disabled !== undefined) {
      this.#refuse(request, "service_disabled", "The service is out of use.", ["Retry-After", "60"]);
    } else if (!this.#budget.take(callers.sourceOf(incoming), performance.now())) {
      this.#refuse(request, "rate_limited", "Too many preflights: try again in 1 s.", ["Retry-After", "1"]);
    } else {
      const call = new PreflightCall(request, service, this.#withoutFields(upstream), this.#deps);
      if (callers.identify(call)) proxy.forward(call);
      else incoming.socket.destroy();
    }
  }

  /** Nor goes it to a fallback, which has fields of its own. */
  #withoutFields(upstream: Upstream): Upstream {
    const known = this.#bare.get(upstream);
    if (known !== undefined) return known;
    const { fallback: _none, ...rest } = upstream;
    const bare: Upstream = { ...rest, headers: [] };
    this.#bare.set(upstream, bare);
    return bare;
  }

  #refuse(request: GatewayRequest, code: ProblemCode, detail: string, fields: readonly string[]): void {
    const { incoming, outgoing, requestId, cors } = request;
    this.#deps.onStranger(code);
    refuse(incoming, outgoing, { code, detail, requestId }, [...fields, ...cors.own]);
  }
}
