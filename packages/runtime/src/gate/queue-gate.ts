import type { Permit } from "@aigw/core";
import { mayCall } from "@aigw/core/plans";
import type { FairQueue, QueuedCall, QueueRefusal, QueueStanding, QueueTerms, Ticket } from "@aigw/core/queue";
import type { TokenClaims } from "@aigw/core/tokens";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { Upstream } from "../proxy/call.ts";
import type { ReverseProxy } from "../proxy/reverse-proxy.ts";
import { isUpgrade } from "../proxy/websocket/handshake.ts";
import type { ApiCall, ForwardedCall } from "./api-call.ts";
import type { Authenticator } from "./authenticator.ts";

export interface QueueGateDeps {
  readonly follower: Pick<ControlFollower, "termsOf" | "clientById" | "upstream" | "upstreams">;
  readonly authenticator: Pick<Authenticator, "judge">;
  readonly proxy: Pick<ReverseProxy<ForwardedCall>, "takerOf">;
  readonly queue: FairQueue;
}

/** What becomes of a call that waits. */
export interface Waiter {
  /** It has its slot. */
  onTurn(waiting: WaitingCall): void;
  /** Its client has left. */
  onGone(waiting: WaitingCall): void;
  /** `ended`: it may not call any more, or what it waits for is not what it needs; see QueueRefusal for the others. */
  onRefused(waiting: WaitingCall, why: QueueRefusal): void;
}

/** What this gateway has of a service's queue. */
export interface QueueFigures extends QueueStanding {
  readonly service: string;
  readonly concurrency: number;
}

/** Calls of services that take only so many at once. */
export class QueueGate {
  readonly #deps: QueueGateDeps;
  /** The gateway is about to end: a WebSocket would be sent away as soon as it has its turn. */
  isGoingAway = false;
  /** WebSockets that wait. */
  readonly #sockets = new Set<WaitingCall>();

  constructor(deps: QueueGateDeps) {
    this.#deps = deps;
  }

  /**
   * What a call of this service waits for; undefined: nothing. While the service is down its slots say nothing: those
   * count of the one that stands in for it, and where there is none its calls are told so at once.
   */
  termsOf(upstream: Upstream): QueueTerms | undefined {
    if (upstream.queue === undefined && upstream.fallback === undefined) return undefined;
    return this.#deps.proxy.takerOf(upstream)?.queue;
  }

  /** @returns with its slot, refused, or waiting: only then `waiter` is told of it */
  enter(terms: QueueTerms, call: ApiCall, claims: TokenClaims, permit: Permit, waiter: Waiter): WaitingCall {
    const waiting = new WaitingCall(this, call, claims, permit, waiter, terms);
    waiting.ticket = this.#deps.queue.enter(terms, waiting);
    call.slot = waiting;
    if (waiting.ticket.state === "waits") waiting.watch();
    return waiting;
  }

  leave(ticket: Ticket): void {
    this.#deps.queue.leave(ticket);
  }

  /** Seconds after which one that was refused may have more luck, by how long calls take. */
  retryAfter(terms: QueueTerms): number {
    return Math.min(600, Math.max(1, Math.ceil(this.#deps.queue.waitFor(terms) / 1_000)));
  }

  weightOf({ clientId }: TokenClaims): number {
    const client = this.#deps.follower.clientById(clientId);
    return client === undefined ? 1 : this.#deps.follower.termsOf(client).weight;
  }

  mayWait(call: ApiCall, claims: TokenClaims, { line }: Ticket): boolean {
    const { follower, authenticator } = this.#deps;
    if (this.isEnding(call)) return false;
    const who = authenticator.judge(claims);
    const upstream = follower.upstream(call.service);
    if (upstream === undefined || upstream.disabled !== undefined || who.kind !== "ok") return false;
    return mayCall(follower.termsOf(who.client), call.service) && this.termsOf(upstream)?.key === line.terms.key;
  }

  /** A WebSocket, which a gateway that is about to end does not open. */
  isEnding({ incoming }: ApiCall): boolean {
    return this.isGoingAway && isUpgrade(incoming);
  }

  /** No parser says that the client of a WebSocket has left. */
  watch(waiting: WaitingCall): void {
    if (isUpgrade(waiting.call.incoming)) this.#sockets.add(waiting);
  }

  unwatch(waiting: WaitingCall): void {
    this.#sockets.delete(waiting);
  }

  /** Of each service that has one. */
  figures(): readonly QueueFigures[] {
    const { follower, queue } = this.#deps;
    return [...follower.upstreams].flatMap((upstream) =>
      upstream.queue === undefined
        ? []
        : [
            {
              service: upstream.service ?? "",
              concurrency: upstream.queue.concurrency,
              ...queue.standingOf(upstream.queue),
            },
          ],
    );
  }

  /** Services, clients or plans have changed. */
  refresh(): void {
    const terms = new Map<string, QueueTerms>();
    for (const { queue } of this.#deps.follower.upstreams) if (queue !== undefined) terms.set(queue.key, queue);
    this.#deps.queue.follow((key) => terms.get(key));
    this.review();
  }

  /** Refuses those that may not call any more; O(calls that wait). */
  review(): void {
    for (const { call } of this.#sockets) {
      // That it is closed comes next.
      if (call.incoming.socket.readableEnded) call.incoming.socket.destroy();
    }
    this.#deps.queue.review();
  }

  /** The gateway ends as soon as its calls have. */
  goAway(): void {
    this.isGoingAway = true;
    this.review();
  }

  /** The gateway ends now. */
  refuseAll(): void {
    this.#deps.queue.refuseAll();
  }
}

/**
 * A call on its way through the queue. It holds no connection to the service. Of its request Node has read as much as
 * fits in one buffer, 64 KiB, and reads on when the service does: so a client that leaves with more than that to send is
 * noticed when its turn comes.
 */
export class WaitingCall implements QueuedCall {
  readonly call: ApiCall;
  readonly claims: TokenClaims;
  readonly permit: Permit;
  readonly client: string;
  readonly waitMs: number | undefined;
  ticket!: Ticket;
  readonly #gate: QueueGate;
  readonly #waiter: Waiter;
  #onClose: (() => void) | undefined;

  constructor(
    gate: QueueGate,
    call: ApiCall,
    claims: TokenClaims,
    permit: Permit,
    waiter: Waiter,
    { waitMs }: QueueTerms,
  ) {
    this.#gate = gate;
    this.call = call;
    this.claims = claims;
    this.permit = permit;
    this.client = claims.clientId;
    // Of one that has waited before, for another service's slot, what is left.
    const left = call.queuedMs === undefined ? undefined : waitMs - call.queuedMs;
    this.waitMs = call.queueWaitMs ?? left;
    this.#waiter = waiter;
  }

  /** Notices that its client leaves. */
  watch(): void {
    const onClose = (): void => {
      this.leave();
      this.#note();
      this.#waiter.onGone(this);
    };
    this.#onClose = onClose;
    this.call.outgoing.once("close", onClose);
    this.#gate.watch(this);
  }

  /** It does not wait any more, or the service is done with it; may be told twice. */
  leave(): void {
    this.#unwatch();
    this.#gate.leave(this.ticket);
  }

  weight(): number {
    return this.#gate.weightOf(this.claims);
  }

  mayWait(): boolean {
    return this.#gate.mayWait(this.call, this.claims, this.ticket);
  }

  onTurn(): void {
    this.#unwatch();
    this.#note();
    this.#waiter.onTurn(this);
  }

  onRefused(why: QueueRefusal): void {
    this.#unwatch();
    this.#note();
    this.#waiter.onRefused(this, why);
  }

  #note(): void {
    if (!this.ticket.isAtOnce) this.call.queuedMs = (this.call.queuedMs ?? 0) + this.ticket.endedAt - this.ticket.at;
  }

  #unwatch(): void {
    if (this.#onClose === undefined) return;
    this.call.outgoing.off("close", this.#onClose);
    this.#onClose = undefined;
    this.#gate.unwatch(this);
  }
}
