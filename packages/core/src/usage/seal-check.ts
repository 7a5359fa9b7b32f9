import { DAY_MS } from "./report-plan.ts";
import type { UsageEvent } from "./usage-event.ts";
import {
  canonical,
  codeOf,
  numberOf,
  parseSeal,
  type SealedBatch,
  type UsageMac,
  type UsageSeal,
} from "./usage-seal.ts";

/** Of hours, of days, of the hours and the days of all clients together, and of months. */
export type SumsTable = "hours" | "days" | "totals" | "dayTotals" | "months";

/** What is wrong with what a store says. Numbers are a gateway's own. */
export type UsageProblem =
  /** Events are gone: those of a batch, or all of what lay between two. */
  | {
      readonly kind: "missing";
      readonly gateway: string;
      readonly from: number;
      readonly to: number;
      readonly events: number;
    }
  /** An event or the seal of a batch is not what was recorded. */
  | { readonly kind: "altered"; readonly gateway: string; readonly from: number; readonly to: number }
  /** An event stands there twice. */
  | { readonly kind: "repeated"; readonly gateway: string; readonly from: number; readonly to: number }
  /** Nobody who has the key recorded these. */
  | {
      readonly kind: "unsealed";
      readonly gateway: string;
      readonly from: number;
      readonly to: number;
      readonly events: number;
    }
  /** The id is none that a gateway gives. */
  | { readonly kind: "foreign"; readonly id: string }
  /** Sums are not what the events come to. */
  | {
      readonly kind: "sums";
      readonly sums: SumsTable;
      readonly day: number;
      readonly key: readonly (string | number)[];
    };

interface Batch extends UsageSeal {
  readonly last: number;
}

interface Chain {
  /** Events that no seal was found for yet, in their canonical form. */
  readonly open: Map<number, string>;
  /** When the newest and the oldest of those were, for what was pruned. */
  readonly times: Map<number, number>;
  /** Seals some of whose events did not come yet. */
  waiting: Batch[];
  /** Compared, ascending. */
  readonly batches: Batch[];
  firstAt: number;
}

/** A gateway seals at most some hundred events at once. */
const MOST_OPEN = 50_000;

/** Compares events with the seals that their gateways gave them. Holds what is not compared yet, and each seal. */
export class SealCheck {
  readonly #mac: UsageMac;
  readonly #cut: number;
  readonly #until: number;
  readonly #chains = new Map<string, Chain>();
  readonly problems: UsageProblem[] = [];
  /** Events that were compared with their seals. */
  events = 0;
  batches = 0;
  /** Numbers of events that were dropped in outages, as their gateways say. */
  dropped = 0;
  /** Of gateways that seal nothing, and were there before the first that does: of a version before. */
  unproven = 0;

  /**
   * @param cut events before it may be gone, milliseconds since the epoch; 0: none are
   * @param until events from then on are not shown to it
   */
  constructor(mac: UsageMac, cut: number, until: number = Number.POSITIVE_INFINITY) {
    this.#mac = mac;
    this.#cut = cut;
    this.#until = until;
  }

  /** @param isLate it was stored while others were read, and may have been among them */
  take(event: UsageEvent, isLate = false): void {
    const of = numberOf(event.id);
    if (of === undefined) {
      this.problems.push({ kind: "foreign", id: event.id });
      return;
    }
    const chain = this.#chain(of.gateway, event.at);
    const { number } = of;
    if (chain.open.has(number) || isCompared(chain, number)) {
      if (isLate) return;
      this.problems.push({ kind: "repeated", gateway: of.gateway, from: number, to: number });
      return;
    }
    chain.open.set(number, canonical(event));
    chain.times.set(number, event.at);
    if (event.seal !== undefined) {
      const seal = parseSeal(event.seal);
      const range = { gateway: of.gateway, from: number, to: number };
      if (seal === undefined || seal.first > number) this.problems.push({ kind: "altered", ...range });
      else chain.waiting.push({ ...seal, last: number });
    }
    chain.waiting = chain.waiting.filter(
      (batch) => number < batch.first || number > batch.last || !this.#isWhole(of.gateway, chain, batch),
    );
    if (chain.open.size > MOST_OPEN && chain.batches.length + chain.waiting.length === 0) {
      // It seals nothing: what is held of it is of no use.
      this.unproven += chain.open.size;
      chain.open.clear();
      chain.times.clear();
    }
  }

  /** After the last event. */
  finish(): void {
    const sealedSince = Math.min(
      ...[...this.#chains.values()]
        .filter(({ batches, waiting }) => batches.length + waiting.length > 0)
        .map(({ firstAt }) => firstAt),
    );
    for (const [gateway, chain] of this.#chains) {
      for (const batch of chain.waiting) this.#incomplete(gateway, chain, batch);
      this.#linked(gateway, chain);
      this.#rest(gateway, chain, sealedSince);
    }
    this.#told();
  }

  /** Batches that other gateways have named: what followed them is told by no seal of their own. */
  #told(): void {
    const newest = new Map<string, SealedBatch>();
    for (const { batches } of this.#chains.values())
      for (const { others } of batches)
        for (const named of others)
          if (this.#isShown(named) && named.last > (newest.get(named.gateway)?.last ?? 0))
            newest.set(named.gateway, named);
    for (const { gateway, last, code } of newest.values()) {
      const { batches, open } = this.#chains.get(gateway) ?? { batches: [], open: new Map<number, string>() };
      const there = batches.find((batch) => batch.last === last);
      if (there !== undefined && there.code !== code) this.#altered(gateway, there);
      if (there !== undefined || this.problems.some((problem) => isOf(problem, gateway, last))) continue;
      const known = [...batches.map((batch) => batch.last), ...open.keys()].filter((number) => number < last);
      // Where none of it is there and some may be pruned, it is no less than this one.
      const before = known.reduce(
        (most, number) => Math.max(most, number),
        this.#cut > 0 && known.length === 0 ? last - 1 : 0,
      );
      this.problems.push({ kind: "missing", gateway, from: before + 1, to: last, events: last - before });
    }
  }

  #isShown({ at }: SealedBatch): boolean {
    return at >= this.#cut && at < this.#until;
  }

  #altered(gateway: string, { first, last }: Batch): void {
    this.problems.push({ kind: "altered", gateway, from: first, to: last });
  }

  #chain(gateway: string, at: number): Chain {
    let chain = this.#chains.get(gateway);
    if (chain === undefined) {
      chain = { open: new Map(), times: new Map(), waiting: [], batches: [], firstAt: at };
      this.#chains.set(gateway, chain);
    }
    return chain;
  }

  /** Whether all events of the batch are there; then they are compared. */
  #isWhole(gateway: string, chain: Chain, batch: Batch): boolean {
    const wanted = batch.last - batch.first + 1 - batch.dropped;
    if (wanted > chain.open.size) return false;
    const there = numbersOf(chain, batch);
    if (there.length < wanted) return false;
    const events = there.map((number) => chain.open.get(number) ?? "");
    const isSame = there.length === wanted && codeOf(this.#mac, gateway, batch.last, batch, events) === batch.code;
    if (!isSame) this.#altered(gateway, batch);
    this.#compared(chain, batch, there);
    return true;
  }

  #compared(chain: Chain, batch: Batch, numbers: readonly number[]): void {
    for (const number of numbers) {
      chain.open.delete(number);
      chain.times.delete(number);
    }
    // In the order of their numbers: a long call is read before those that were recorded before it.
    chain.batches.splice(chain.batches.findLastIndex(({ first }) => first < batch.first) + 1, 0, batch);
    this.events += numbers.length;
    this.batches += 1;
    this.dropped += batch.dropped;
  }

  /** Events of the batch are gone: pruned, which its oldest tells, or removed. */
  #incomplete(gateway: string, chain: Chain, batch: Batch): void {
    const there = numbersOf(chain, batch);
    const events = batch.last - batch.first + 1 - batch.dropped - there.length;
    if (batch.oldest >= this.#cut)
      this.problems.push({ kind: "missing", gateway, from: batch.first, to: batch.last, events });
    this.#compared(chain, batch, there);
  }

  /** Batches follow each other; the first is the gateway's first, unless some were pruned. */
  #linked(gateway: string, { batches }: Chain): void {
    let before: Batch | undefined;
    for (const batch of batches) {
      const from = (before?.last ?? 0) + 1;
      // Calls may be a day long: an event that was recorded with others may be older than they by so much.
      // Of a gateway's beginning all may be pruned, however long it was idle since; of what was between two batches what
      // was recorded together with calls of that day.
      const mayBePruned = before === undefined ? this.#cut > 0 : batch.oldest < this.#cut + DAY_MS;
      if (batch.first > from && !mayBePruned)
        this.problems.push({ kind: "missing", gateway, from, to: batch.first - 1, events: batch.first - from });
      else if (batch.first < from || (batch.first === from && batch.before !== (before?.code ?? "")))
        this.#altered(gateway, batch);
      before = batch;
    }
  }

  /** Events without a seal. */
  #rest(gateway: string, { open, times, batches, firstAt }: Chain, sealedSince: number): void {
    if (open.size === 0) return;
    if (batches.length === 0 && firstAt < sealedSince) {
      this.unproven += open.size;
      return;
    }
    const left = [...open.keys()].filter((number) => (times.get(number) ?? 0) >= this.#cut + DAY_MS || this.#cut === 0);
    for (const { from, to, events } of runsOf(left))
      this.problems.push({ kind: "unsealed", gateway, from, to, events });
  }
}

const isOf = (problem: UsageProblem, gateway: string, number: number): boolean =>
  "gateway" in problem && problem.gateway === gateway && problem.from <= number && number <= problem.to;

const isCompared = ({ batches }: Chain, number: number): boolean => {
  // Most numbers come in order, so that the newest batches are looked at first.
  for (let index = batches.length - 1; index >= 0; index -= 1) {
    const batch = batches[index];
    if (batch !== undefined && number >= batch.first && number <= batch.last) return true;
    if (batch !== undefined && number > batch.last) return false;
  }
  return false;
};

const numbersOf = ({ open }: Chain, { first, last }: Batch): readonly number[] =>
  [...open.keys()].filter((number) => number >= first && number <= last).sort((one, other) => one - other);

const runsOf = (
  numbers: readonly number[],
): readonly { readonly from: number; readonly to: number; readonly events: number }[] => {
  const runs: { from: number; to: number; events: number }[] = [];
  for (const number of numbers.toSorted((one, other) => one - other)) {
    const run = runs.at(-1);
    if (run !== undefined && run.to === number - 1) {
      run.to = number;
      run.events += 1;
    } else runs.push({ from: number, to: number, events: 1 });
  }
  return runs;
};
