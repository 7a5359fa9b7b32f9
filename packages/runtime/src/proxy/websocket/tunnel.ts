import type { Socket } from "node:net";
import type { Fault } from "@aigw/core/services";
import { onPassedOn, ownCopy } from "../passed-on.ts";
import { READING_TURNS, type TurnReader } from "../reading-turns.ts";
import { type SendQueues, STEP_MS } from "../send-queues.ts";
import type { Connection, ResponseHandler } from "../upstream/connection.ts";
import { codeOf } from "../upstream-failure.ts";
import { closeFrame, FrameTracker, GOING_AWAY, POLICY_VIOLATION } from "./frames.ts";

export interface TunnelEnd {
  readonly outcome: "ok" | "aborted" | "incomplete" | "revoked";
  readonly fault?: Fault;
}

export interface TunnelOwner {
  /** Monotonic, milliseconds. */
  readonly clock: () => number;
  readonly sendQueues: SendQueues;
}

export interface TunnelOptions {
  readonly client: Socket;
  readonly connection: Connection;
  /** How long nothing may move in either direction, milliseconds. */
  readonly idleTimeoutMs: number;
  readonly owner: TunnelOwner;
  /** Called once, when both ends are closed. */
  readonly onEnd: (end: TunnelEnd) => void;
}

/** The right to it has ended, the gateway is about to, or nothing has moved for too long. */
type Why = "revoked" | "goingAway" | "silent";

/** A side that was told that it is over has so long to close. */
const CLOSING_MS = 400;

/** The Close frame for each way of the gateway to end a tunnel. */
const LAST_WORDS: Readonly<Record<Why, readonly [code: number, reason: string]>> = {
  revoked: [POLICY_VIOLATION, "access has ended"],
  goingAway: [GOING_AWAY, "the gateway is going away"],
  silent: [GOING_AWAY, "nothing was sent for too long"],
};

const TUNNEL: unique symbol = Symbol("tunnel");
type TunnelSocket = Socket & { [TUNNEL]?: Tunnel | undefined };

/**
 * A client's connection and one to its service, each of which gets what the other sends, as it comes. The frames are not
 * looked into: only where one ends is known, because a Close frame may be put there.
 */
export class Tunnel implements ResponseHandler, TurnReader {
  bytesIn = 0;
  bytesOut = 0;
  readonly #client: TunnelSocket;
  readonly #connection: Connection;
  readonly #idleTimeoutMs: number;
  readonly #owner: TunnelOwner;
  readonly #onEnd: (end: TunnelEnd) => void;
  readonly #fromClient = new FrameTracker();
  readonly #fromService = new FrameTracker();
  #movedAt: number;
  /** When this end came to be the tunnel's last task; 0 before. */
  #closingAt = 0;
  #outcome: TunnelEnd["outcome"] | undefined;
  #fault: Fault | undefined;
  #clientEnded = false;
  #serviceEnded = false;
  #clientGone = false;
  #serviceGone = false;
  /** The service does not keep pace with the client. */
  #held = false;
  /** Others read first. */
  #waits = false;

  constructor({ client, connection, idleTimeoutMs, owner, onEnd }: TunnelOptions) {
    this.#client = client;
    this.#connection = connection;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#owner = owner;
    this.#onEnd = onEnd;
    this.#movedAt = owner.clock();
  }

  /** From now on both sides are read, first of all what came behind their heads. */
  start(): void {
    const client = this.#client;
    client[TUNNEL] = this;
    client.on("data", onClientData);
    client.on("end", onClientEnd);
    client.on("drain", onClientDrain);
    client.on("close", onClientClose);
    this.#connection.handOver(this);
    client.resume();
    if (client.readableEnded) this.onClientEnd();
  }

  /** Ends it at both sides: with a Close frame where one may stand, and by force soon afterwards. */
  cut(why: Why): void {
    if (this.#closingAt !== 0) return;
    const [code, reason] = LAST_WORDS[why];
    // Both are told in good order, or one sees no more than the end.
    const isWhole = this.#fromService.isBetween && this.#fromClient.isBetween;
    this.#close(why === "revoked" ? why : (this.#outcome ?? (isWhole ? "ok" : "incomplete")));
    if (this.#fromService.isBetween && !this.#fromService.closed && !this.#serviceEnded) {
      this.#client.write(closeFrame(code, reason, false));
    } else if (!this.#fromService.isBetween) this.#client.destroy();
    this.#client.end();
    if (this.#fromClient.isBetween && !this.#fromClient.closed && !this.#clientEnded) {
      this.#connection.write(closeFrame(code, reason, true), false);
    } else if (!this.#fromClient.isBetween) this.#destroyService();
    this.#connection.endWriting();
    this.#look();
  }

  checkTime(now: number): void {
    if (this.#closingAt !== 0) {
      if (now - this.#closingAt >= CLOSING_MS) this.#destroy();
      return;
    }
    if (now - this.#movedAt < this.#idleTimeoutMs / 4) return;
    const taker = this.#taker();
    if (taker !== undefined && this.#owner.sendQueues.moved(taker, this.#movedAt, now)) this.#movedAt = now;
    else if (now - this.#movedAt >= Math.max(this.#idleTimeoutMs, taker === undefined ? 0 : STEP_MS)) {
      if (taker !== undefined) this.#outcome ??= taker === this.#client ? "aborted" : "incomplete";
      this.cut("silent");
    }
  }

  /** The side for which bytes wait. */
  #taker(): Socket | undefined {
    if (this.#client.writableLength > 0) return this.#client;
    const { socket } = this.#connection;
    return socket !== undefined && socket.writableLength > 0 ? socket : undefined;
  }

  onClientData(bytes: Buffer): void {
    if (!READING_TURNS.mayReadOn(this, bytes.length)) {
      this.#waits = true;
      this.#client.pause();
    }
    // What comes from one that was told that it is over goes nowhere.
    if (this.#closingAt !== 0) return;
    this.#movedAt = this.#owner.clock();
    this.bytesIn += bytes.length;
    this.#fromClient.read(bytes);
    if (this.#connection.write(bytes, false)) return;
    this.#held = true;
    this.#client.pause();
  }

  onClientEnd(): void {
    this.#clientEnded = true;
    if (this.#closingAt !== 0) return;
    this.#endedBy("aborted");
    this.#connection.endWriting();
  }

  onClientDrain(): void {
    this.#movedAt = this.#owner.clock();
    this.#connection.resume();
  }

  onClientClose(): void {
    this.#clientGone = true;
    this.#endedBy("aborted");
    // Nobody is left to take what it says. One that has ended, too, may still have to take what the client said.
    if (!this.#serviceEnded || !this.#clientEnded) this.#destroyService();
    this.#close();
    this.#look();
  }

  readOn(): void {
    this.#waits = false;
    if (!this.#held) this.#client.resume();
  }

  onContent(bytes: Buffer): void {
    if (this.#closingAt !== 0) return;
    this.#movedAt = this.#owner.clock();
    this.bytesOut += bytes.length;
    this.#fromService.read(bytes);
    const copy = ownCopy(bytes);
    if (!this.#client.write(copy, onPassedOn(copy))) this.#connection.pause();
  }

  onDrain(): void {
    this.#movedAt = this.#owner.clock();
    this.#held = false;
    if (!this.#waits) this.#client.resume();
  }

  /** The service has sent its last byte. */
  onEnd(): void {
    this.#serviceEnded = true;
    if (this.#closingAt !== 0) return;
    this.#endedBy("incomplete");
    this.#client.end();
  }

  /** The connection to the service is closed. */
  onError(error: Error): void {
    this.#serviceGone = true;
    if (this.#outcome === undefined && codeOf(error) === "ECONNRESET") this.#fault = "reset";
    this.#endedBy("incomplete");
    this.#close();
    this.#client.end();
    this.#look();
  }

  onInterim(): void {}

  onHead(): void {}

  onReadEnd(): void {}

  /** What it was, when a side ended of itself: in order behind a Close frame, whoever sent it. */
  #endedBy(outcome: "aborted" | "incomplete"): void {
    this.#outcome ??= this.#fromClient.closed || this.#fromService.closed ? "ok" : outcome;
  }

  /** Nothing is passed on any more; what comes is read only to see the end. */
  #close(outcome?: TunnelEnd["outcome"]): void {
    if (this.#closingAt !== 0) return;
    this.#outcome = outcome ?? this.#outcome;
    this.#closingAt = this.#owner.clock();
    this.#held = false;
    if (!this.#waits) this.#client.resume();
    this.#connection.resume();
  }

  #destroyService(): void {
    this.#serviceGone = true;
    this.#connection.destroy();
  }

  #destroy(): void {
    this.#destroyService();
    this.#client.destroy();
    this.#look();
  }

  #look(): void {
    if (!this.#clientGone || !this.#serviceGone) return;
    // Once: nothing calls it behind the end of both.
    this.#client[TUNNEL] = undefined;
    this.#onEnd({ outcome: this.#outcome ?? "ok", ...(this.#fault && { fault: this.#fault }) });
  }
}

function onClientData(this: TunnelSocket, bytes: Buffer): void {
  this[TUNNEL]?.onClientData(bytes);
}

function onClientEnd(this: TunnelSocket): void {
  this[TUNNEL]?.onClientEnd();
}

function onClientDrain(this: TunnelSocket): void {
  this[TUNNEL]?.onClientDrain();
}

function onClientClose(this: TunnelSocket): void {
  this[TUNNEL]?.onClientClose();
}
