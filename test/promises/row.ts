/** What a run of a promise saw. */
export interface Seen {
  readonly what: string;
  /** As measured, with its unit: `0 of 31,900`. */
  readonly seen: string;
  /** The bound, in the same words: `0`. */
  readonly promised: string;
  readonly kept: boolean;
}

/** A promise at its full size: `pnpm promises <name>`. */
export interface Row {
  readonly name: string;
  /** The promise in one line. */
  readonly promise: string;
  /** It has failed when it takes longer. */
  readonly minutes: number;
  /** Programs that npm cannot bring; without them the row is not run, and says so. */
  readonly needs?: readonly string[];
  /** It is about what gateways share, so that `--mongodb` runs it, too: with homes on a real replica set of three. */
  readonly onMongodb?: true;
  /** Only with that engine: it harms servers of its own. */
  readonly engine?: "mongodb";
  run(run: Run): Promise<readonly Seen[]>;
}

/** Set up and taken down like a test, so that everything in test/support serves here too. */
export interface Run {
  /** Registers a clean-up; the last one registered is the first one called. */
  after(cleanUp: () => unknown): void;
  say(line: string): void;
  /** The promised size, or with `--quick` a part of it: to see that a row works. */
  size(full: number, least?: number): number;
}

export const count = (value: number): string => value.toLocaleString("en");

/** A promise that something never happens. */
export const never = (what: string, times: number, of: number): Seen => ({
  what,
  seen: `${count(times)} of ${count(of)}`,
  promised: "0",
  kept: times === 0 && of > 0,
});

export const atMost = (what: string, value: number, bound: number, unit: string): Seen => ({
  what,
  seen: `${rounded(value)} ${unit}`,
  promised: `≤ ${rounded(bound)} ${unit}`,
  kept: value <= bound,
});

export const exactly = (what: string, value: number, promised: number): Seen => ({
  what,
  seen: count(value),
  promised: count(promised),
  kept: value === promised,
});

const rounded = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 });

/** Nearest rank. @param share 0…1 */
export const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)] ?? Number.NaN;
