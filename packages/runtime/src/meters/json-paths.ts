import type { Pointer } from "@aigw/core/meters";

/** What is wanted of the value that a path leads to. */
export type Want = "number" | "text" | "some" | "count";

/** A step that any key and any index matches. */
export const ANY: unique symbol = Symbol("any");

export type Path = readonly (string | typeof ANY)[];

/** A place in documents, as far as anybody wants something there or below. */
export interface PathNode {
  /** Keys of an object, as UTF-8, and the same as an index of an array (−1: none). */
  readonly keys: readonly Uint8Array[];
  /** Bit n: a key has n bytes; what is longer is compared. */
  readonly lengths: number;
  readonly names: readonly string[];
  readonly indexes: readonly number[];
  readonly children: readonly PathNode[];
  readonly any: PathNode | undefined;
  /** A number or the length of an array goes to this slot; −1: nobody wants it. */
  readonly number: number;
  readonly text: number;
  readonly count: number;
  /** That there is something is wanted: a string or array that is not empty, any other value but null. */
  readonly some: boolean;
  /** Slots of numbers here and below: what an earlier key of the same name has left there is void. */
  readonly slots: readonly number[];
}

/** Paths into documents, gathered once for a service and followed all at once. */
export class JsonPaths {
  readonly #root = new Draft();
  #numbers = 0;
  #texts = 0;

  /** Slots for numbers (those of `number` and `count`) and for texts. */
  get numbers(): number {
    return this.#numbers;
  }

  get texts(): number {
    return this.#texts;
  }

  /** @returns the slot that a scanner leaves it in; the same for the same path. 0 for `some`, which has none */
  add(path: Path | Pointer, want: Want): number {
    let draft = this.#root;
    for (const step of path) draft = draft.child(step);
    if (want === "some") {
      draft.some = true;
      return 0;
    }
    if (draft[want] < 0) {
      if (want === "text") draft.text = this.#texts++;
      else draft[want] = this.#numbers++;
    }
    return draft[want];
  }

  compile(): PathNode {
    return this.#root.compile();
  }
}

const INDEX = /^(?:0|[1-9][0-9]{0,8})$/;

class Draft {
  readonly children = new Map<string, Draft>();
  any: Draft | undefined;
  number = -1;
  text = -1;
  count = -1;
  some = false;

  child(step: string | typeof ANY): Draft {
    if (step === ANY) {
      this.any ??= new Draft();
      return this.any;
    }
    let child = this.children.get(step);
    if (child === undefined) {
      child = new Draft();
      this.children.set(step, child);
    }
    return child;
  }

  /** What is wanted of any child is wanted of those that are named, too. */
  #include(other: Draft): Draft {
    const both = new Draft();
    both.number = Math.max(this.number, other.number);
    both.text = Math.max(this.text, other.text);
    both.count = Math.max(this.count, other.count);
    both.some = this.some || other.some;
    both.any =
      this.any !== undefined && other.any !== undefined ? this.any.#include(other.any) : (this.any ?? other.any);
    for (const name of new Set([...this.children.keys(), ...other.children.keys()])) {
      const [one, two] = [this.children.get(name), other.children.get(name)];
      const child = one !== undefined && two !== undefined ? one.#include(two) : (one ?? two);
      if (child !== undefined) both.children.set(name, child);
    }
    return both;
  }

  compile(): PathNode {
    const names = [...this.children.keys()];
    const any = this.any?.compile();
    const children = [...this.children.values()].map((child) =>
      (this.any === undefined ? child : child.#include(this.any)).compile(),
    );
    const below = [...children, ...(any === undefined ? [] : [any])].flatMap(({ slots }) => slots);
    const keys = names.map((name) => Buffer.from(name));
    return {
      keys,
      lengths: keys.reduce((bits, { length }) => (length > 31 ? bits : bits | (1 << length)), 0),
      names,
      indexes: names.map((name) => (INDEX.test(name) ? Number(name) : -1)),
      children,
      any,
      number: this.number,
      text: this.text,
      count: this.count,
      some: this.some,
      slots: this.number < 0 ? below : [this.number, ...below],
    };
  }
}

/** @returns which of the keys stands there, −1: none */
export const indexOfKey = (keys: readonly Uint8Array[], bytes: Buffer, start: number, end: number): number => {
  const length = end - start;
  search: for (let k = 0; k < keys.length; k += 1) {
    const key = keys[k] as Uint8Array;
    if (key.length !== length) continue;
    for (let i = 0; i < length; i += 1) if (key[i] !== bytes[start + i]) continue search;
    return k;
  }
  return -1;
};

/** What is wanted of an array's element. */
export const childAt = ({ indexes, children, any }: PathNode, index: number): PathNode | undefined => {
  for (let i = 0; i < indexes.length; i += 1) if (indexes[i] === index) return children[i];
  return any;
};
