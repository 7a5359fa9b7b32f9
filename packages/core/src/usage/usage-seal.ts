import { hash } from "node:crypto";
import type { Sealer } from "../sealing/sealer.ts";
import type { UsageEvent } from "./usage-event.ts";

/**
 * What a gateway says of a batch of its events: it stands in the last of them. Batches of a gateway follow each other
 * without a gap: a number that no event of the batch has is one that was dropped.
 */
export interface UsageSeal {
  /** Number of the first event that it is of; the last one is the event that it stands in. */
  readonly first: number;
  /** How many numbers between have no event, because neither the store nor the gateway could hold it. */
  readonly dropped: number;
  /** The earliest event's time: what was pruned of the batch is known by it. */
  readonly oldest: number;
  /** Code of the gateway's batch before; empty for its first. */
  readonly before: string;
  /** Other gateways' newest batches that were seen in the store before it: whoever removes one is told on by this. */
  readonly others: readonly SealedBatch[];
  readonly code: string;
}

/** A batch as others name it. */
export interface SealedBatch {
  readonly gateway: string;
  /** Number of its last event, and when that was. */
  readonly last: number;
  readonly at: number;
  readonly code: string;
}

/** So many gateways' batches are named at once. */
const MOST_NAMED = 16;

/** A keyed hash of a text, as base64url: who lacks the master key cannot make one. */
export type UsageMac = (text: string) => string;

/** The keyed hash of a store; half of an HMAC-SHA-256, as base64url. */
export const usageMac =
  (sealer: Pick<Sealer, "mac">, storeId: string): UsageMac =>
  (text) =>
    Buffer.from(sealer.mac("usage-seal", storeId, text).subarray(0, 16)).toString("base64url");

/** The gateway and the number that an event's id is made of; undefined for another id. */
export const numberOf = (id: string): { readonly gateway: string; readonly number: number } | undefined => {
  const [, gateway, digits] = /^(.+)\.([0-9a-z]{1,10})$/.exec(id) ?? [];
  return gateway === undefined || digits === undefined ? undefined : { gateway, number: Number.parseInt(digits, 36) };
};

/** Seals the events of one gateway in the order of their numbers. */
export class UsageSealer {
  readonly #mac: UsageMac;
  #last = 0;
  #before = "";
  #others: readonly SealedBatch[] = [];

  constructor(mac: UsageMac) {
    this.#mac = mac;
  }

  /** What the store has of other gateways: the next seal names it. */
  noteOthers(batches: readonly SealedBatch[]): void {
    this.#others = batches.slice(-MOST_NAMED);
  }

  /** @param events the next ones by number, one at least @returns the last of them, with the seal of all */
  seal(events: readonly UsageEvent[]): UsageEvent {
    const last = events.at(-1);
    const { gateway, number } = numberOf(last?.id ?? "") ?? {};
    if (last === undefined || gateway === undefined || number === undefined)
      throw new TypeError(`cannot seal ${last?.id}`);
    const first = this.#last + 1;
    const seal = {
      first,
      dropped: number - first + 1 - events.length,
      oldest: events.reduce((oldest, { at }) => Math.min(oldest, at), last.at),
      before: this.#before,
      others: this.#others,
    };
    const code = codeOf(this.#mac, gateway, number, seal, events.map(canonical));
    this.#last = number;
    this.#before = code;
    this.#others = [];
    return { ...last, seal: sealInWords({ ...seal, code }) };
  }
}

/** @param events the canonical form of each, by number */
export const codeOf = (
  mac: UsageMac,
  gateway: string,
  last: number,
  { first, dropped, oldest, before, others }: Omit<UsageSeal, "code">,
  events: readonly string[],
): string => {
  // At once: two calls of a hash for each event cost as much as hashing them does.
  const digest = hash("sha256", events.map((event) => `${event}\n`).join(""));
  return mac([before, gateway, first, last, dropped, oldest, digest, ...othersInWords(others)].join(" "));
};

const sealInWords = ({ first, dropped, oldest, before, others, code }: UsageSeal): string =>
  [first, dropped, oldest, before, code, ...othersInWords(others)].join(" ");

const othersInWords = (others: readonly SealedBatch[]): readonly string[] =>
  others.map(({ gateway, last, at, code }) => `${gateway}.${last.toString(36)}:${at}:${code}`);

/** Undefined for what no gateway writes. */
export const parseSeal = (text: string): UsageSeal | undefined => {
  const [, first, dropped, oldest, before, code, named = ""] =
    /^(\d{1,15}) (\d{1,15}) (\d{1,16}(?:\.\d+)?) ([\w-]*) ([\w-]+)((?: \S+)*)$/.exec(text) ?? [];
  if (before === undefined || code === undefined) return undefined;
  const others = named.split(" ").flatMap((name) => batchNamed(name) ?? []);
  return { first: Number(first), dropped: Number(dropped), oldest: Number(oldest), before, others, code };
};

const batchNamed = (text: string): SealedBatch | undefined => {
  const [, id = "", at, code = ""] = /^([^:]+):(\d{1,16}(?:\.\d+)?):([\w-]+)$/.exec(text) ?? [];
  const of = numberOf(id);
  return of && { gateway: of.gateway, last: of.number, at: Number(at), code };
};

/** Of each gateway but one's own, the newest batch that was sealed. @param events in the order in which they were stored */
export const newestBatches = (events: readonly UsageEvent[], own: string): readonly SealedBatch[] => {
  const newest = new Map<string, SealedBatch>();
  for (const { id, at, seal } of events) {
    const of = numberOf(id);
    const code = parseSeal(seal ?? "")?.code;
    if (of === undefined || code === undefined || of.gateway === own) continue;
    if (of.number > (newest.get(of.gateway)?.last ?? 0))
      newest.set(of.gateway, { gateway: of.gateway, last: of.number, at, code });
  }
  return [...newest.values()];
};

/** All of an event but its seal, the same before it was stored and after, on every engine. */
export const canonical = (event: UsageEvent): string => {
  const values: unknown[] = [];
  for (let index = 0; index < FIELDS.length; index += 1) values.push(FIELDS[index]?.(event));
  for (const [name, value] of LATER) if (value(event) !== undefined) values.push([name, value(event)]);
  return JSON.stringify(values);
};

/** A surrogate without its other half is none any more once a store has had it. */
const text = (value: string | undefined): string | undefined => value?.toWellFormed();

/** Fields that came when there were seals: under their names, and only where they are, so that those seals still fit. */
type LaterField = "queuedMs";

const LATER_VALUES: Readonly<Record<LaterField, (event: UsageEvent) => unknown>> = {
  queuedMs: ({ queuedMs }) => queuedMs,
};

/** Exhaustive: a field that is added does not compile until it is sealed. */
const VALUES: Readonly<Record<Exclude<keyof UsageEvent, "seal" | LaterField>, (event: UsageEvent) => unknown>> = {
  id: ({ id }) => id,
  at: ({ at }) => at,
  client: ({ client }) => client,
  service: ({ service }) => service,
  method: ({ method }) => method,
  path: ({ path }) => text(path),
  status: ({ status }) => status,
  latencyMs: ({ latencyMs }) => latencyMs,
  upstreamMs: ({ upstreamMs }) => upstreamMs,
  bytesIn: ({ bytesIn }) => bytesIn,
  bytesOut: ({ bytesOut }) => bytesOut,
  requestId: ({ requestId }) => text(requestId),
  outcome: ({ outcome }) => outcome,
  fallback: ({ fallback }) => fallback,
  reason: ({ reason }) => reason,
  count: ({ count }) => count,
  units: ({ units }) => units && Object.entries(units).sort(([one], [other]) => (one < other ? -1 : 1)),
  metered: ({ metered }) => metered,
  from: ({ from }) => from,
  model: ({ model }) => text(model),
  unread: ({ unread }) => unread,
  // No price is not the same as nothing to price.
  cost: ({ cost }) => (cost === undefined ? "" : cost),
  plan: ({ plan }) => plan,
};

const FIELDS = Object.values(VALUES);
const LATER = Object.entries(LATER_VALUES);
