import { LIFE_SIGN_MS } from "./messages.ts";

/**
 * A worker that says nothing for so many looks hangs: stopped, or in a loop without an end. Seven seconds: a store that
 * blocks it for its longest, and a machine that is short of everything, are less; and with the start of another one in
 * its place it is over in ten.
 */
const SILENT_LOOKS = 7;
const LOOK_MS = LIFE_SIGN_MS;

/** What is watched of a worker. */
export interface Watched {
  /** Undefined while it does not listen yet. */
  readonly gatewayId: string | undefined;
  /** Whether it has said anything since this was asked last. */
  takeLifeSign(): boolean;
}

/**
 * Finds workers that hang without dying. It counts its own looks and no time: after all processes were stopped and
 * continued, or the machine slept, nobody has missed any.
 */
export class WorkerWatch<W extends Watched> {
  readonly #running: () => readonly W[];
  readonly #onHung: (process: W, silentMs: number) => void;
  readonly #silent = new Map<W, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(running: () => readonly W[], onHung: (process: W, silentMs: number) => void) {
    this.#running = running;
    this.#onHung = onHung;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const before = new Map(this.#silent);
    this.#silent.clear();
    for (const process of this.#running()) {
      // Who loads a hundred thousand clients says nothing meanwhile.
      if (process.gatewayId === undefined || process.takeLifeSign()) continue;
      const looks = (before.get(process) ?? 0) + 1;
      if (looks < SILENT_LOOKS) this.#silent.set(process, looks);
      else this.#onHung(process, looks * LOOK_MS);
    }
  }
}
