import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setImmediate as afterPoll } from "node:timers/promises";

interface Listener {
  onconnection(...args: readonly unknown[]): void;
  close(): void;
}

/** Published by Node with the server that has begun to listen. */
const LISTENS = "tracing:net.server.listen:asyncEnd";
/** Turns of the event loop that are waited at most for the system's queue of new connections to be empty. */
const ACCEPT_TURNS = 1_000;

/**
 * The listener that Node's primary opens for its workers. Left to itself it ends with the last worker that closes, and
 * what was accepted and not handed out by then is reset; closed before, all of it finds a worker.
 */
export class SharedListener {
  #listener: Listener | undefined;

  readonly #note = (message: unknown): void => {
    const { server } = message as { readonly server: { readonly _handle?: Listener } };
    this.#listener = server._handle ?? this.#listener;
  };

  /** To be called before the workers are forked. */
  watch(): void {
    subscribe(LISTENS, this.#note);
  }

  forget(): void {
    unsubscribe(LISTENS, this.#note);
  }

  /** Takes what the system has queued, then listens no more. */
  async close(): Promise<void> {
    const listener = this.#listener;
    if (listener === undefined) return;
    let fresh = true;
    const take = listener.onconnection;
    listener.onconnection = (...args) => {
      fresh = true;
      take.apply(listener, args as unknown[]);
    };
    for (let turn = 0; fresh && turn < ACCEPT_TURNS; turn += 1) {
      fresh = false;
      await afterPoll();
    }
    listener.close();
  }
}
