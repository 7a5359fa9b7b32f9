import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { AigwError } from "../errors.ts";
import type { ControlStore, MaybePromise, Store, TrafficStore } from "../store/store.ts";

type MethodsOf<T> = { readonly [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T];

/** Every method that an engine may answer later. */
export type StoreMethod =
  | `control.${MethodsOf<ControlStore> & string}`
  | `traffic.${Exclude<MethodsOf<TrafficStore>, "steadyNow"> & string}`;

/** How an engine treats a call. */
export type Treatment =
  /** As behind a network in health: done, and answered by a promise. */
  | { readonly kind: "promise" }
  /** The call is lost on the way: not done, not answered. */
  | { readonly kind: "never" }
  /** The answer is lost on the way: done, not answered. */
  | { readonly kind: "unanswered" }
  /** Done and answered after so many milliseconds. */
  | { readonly kind: "late"; readonly ms: number }
  /** Done and answered when {@link HostileStore.release} is called. */
  | { readonly kind: "held" }
  /** Not done; `later`: a rejection, so many milliseconds after. */
  | { readonly kind: "throws"; readonly later?: number }
  /** Done twice, as when a driver sends a call again; the second answer is given. */
  | { readonly kind: "twice" }
  /** Another answer than the engine's, such as half of it. */
  | { readonly kind: "instead"; readonly answer: (real: () => unknown) => unknown };

/**
 * An engine that fails in every way in which an engine behind a network can, over a real one. It is well until it is
 * told to {@link treat} a method otherwise; `steadyNow`, which costs no I/O, stays as it is.
 */
export class HostileStore implements Store {
  readonly control: ControlStore;
  readonly traffic: TrafficStore;
  readonly #real: Store;
  readonly #treatments = new Map<string, Treatment>();
  readonly #calls = new Map<string, number>();
  #held: (() => void)[] = [];

  constructor(real: Store) {
    this.#real = real;
    this.control = this.#treated("control", real.control);
    this.traffic = this.#treated("traffic", real.traffic);
  }

  /** From now on calls of these methods are treated so. */
  treat(methods: StoreMethod | readonly StoreMethod[], treatment: Treatment): void {
    for (const method of typeof methods === "string" ? [methods] : methods) this.#treatments.set(method, treatment);
  }

  /** The same for every method. */
  treatAll(treatment: Treatment): void {
    this.#treatments.clear();
    this.#treatments.set("*", treatment);
  }

  /** It is well again. What was lost stays lost, what is held stays held. */
  calm(): void {
    this.#treatments.clear();
  }

  /** Does and answers what was held, in the order of the calls or against it. */
  release(order: "first" | "last" = "first"): void {
    const held = this.#held;
    this.#held = [];
    for (const done of order === "first" ? held : held.toReversed()) done();
  }

  /** How often a method was called, however it was treated. */
  calls(method: StoreMethod): number {
    return this.#calls.get(method) ?? 0;
  }

  close(): Promise<void> {
    return this.#real.close();
  }

  #treated<T extends object>(part: "control" | "traffic", real: T): T {
    return new Proxy(real, {
      get: (target, name): unknown => {
        const found: unknown = Reflect.get(target, name, target);
        if (typeof found !== "function" || typeof name !== "string") return found;
        const call = (...args: unknown[]): unknown => Reflect.apply(found, target, args);
        if (name === "steadyNow") return call;
        return (...args: unknown[]) => this.#call(`${part}.${name}`, () => call(...args));
      },
    });
  }

  #call(method: string, real: () => unknown): MaybePromise<unknown> {
    this.#calls.set(method, (this.#calls.get(method) ?? 0) + 1);
    const treatment = this.#treatments.get(method) ?? this.#treatments.get("*");
    switch (treatment?.kind) {
      case undefined:
        return real();
      case "promise":
        return afterwards(0, real);
      case "never":
        return new Promise(() => undefined);
      case "unanswered":
        return afterwards(0, real).then(() => new Promise(() => undefined));
      case "late":
        return afterwards(treatment.ms, real);
      case "held":
        return new Promise<void>((released) => this.#held.push(released)).then(real);
      case "throws":
        if (treatment.later === undefined) throw away(method);
        return afterwards(treatment.later, () => {
          throw away(method);
        });
      case "twice":
        return afterwards(0, async () => {
          await real();
          return real();
        });
      case "instead":
        return treatment.answer(real);
    }
  }
}

const afterwards = async (ms: number, work: () => unknown): Promise<unknown> => {
  // A turn of the event loop at least, as an answer from outside takes.
  await (ms === 0 ? turn() : delay(ms));
  return work();
};

const away = (method: string): AigwError =>
  new AigwError("store_unavailable", `The store is away (${method}). Start it again.`);
