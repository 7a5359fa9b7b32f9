/**
 * Who has the slots of one service, and who waits for one, as the store keeps it. Whoever writes it gives free slots to
 * those whose turn it is, at whichever gateway they wait: see {@link withTurns}. Times are the store's steady milliseconds.
 */
export interface QueueRecord {
  /** How far turns have come: of the one that was given out last, in calls of a client of weight 1. */
  readonly turn: number;
  /** By client: what its last turn has taken it to, where that is ahead of {@link turn}. */
  readonly ahead: Readonly<Record<string, number>>;
  /** By the gateways' ids. */
  readonly holders: Readonly<Record<string, SlotHolder>>;
  /** How long a call has its slot, milliseconds, a mean of the last ones; 0: nobody knows yet. */
  readonly holdMs: number;
}

/** One gateway's part. */
export interface SlotHolder {
  /** Of its last write that is in the record: after an answer that was lost it tells whether that one is. */
  readonly seq: number;
  /** Until then it counts; it says before that it is still there. */
  readonly until: number;
  /** Those that it has, `given` included. */
  readonly slots: number;
  /** What others have given its clients since its last write, by client. */
  readonly given: Readonly<Record<string, number>>;
  /** By client. */
  readonly waiting: Readonly<Record<string, WaitingCalls>>;
}

/** A client's calls that wait at one gateway, one at least, and when the first and the last of them came. */
export type WaitingCalls = readonly [count: number, oldest: number, newest: number, weight: number];

/** One that is damaged is an empty one: what gateways have they say anew within a second. */
export const parseQueue = (text: string): QueueRecord => {
  try {
    const { turn, ahead, holders, holdMs } = JSON.parse(text) as QueueRecord;
    const isWhole = Number.isFinite(turn) && Number.isFinite(holdMs) && Object.values(holders).every(isHolder);
    return isWhole && typeof ahead === "object" ? { turn, ahead, holders, holdMs } : EMPTY_QUEUE;
  } catch {
    return EMPTY_QUEUE;
  }
};

const isHolder = ({ seq, until, slots, given, waiting }: SlotHolder): boolean =>
  [seq, until, slots].every(Number.isFinite) &&
  Object.values(given).every(Number.isFinite) &&
  Object.values(waiting).every((calls) => calls.length === 4 && calls.every(Number.isFinite));

export const EMPTY_QUEUE: QueueRecord = { turn: 0, ahead: {}, holders: {}, holdMs: 0 };

/** What a gateway has counts for so long after it said so: a killed one's slots come back then. */
export const LEASE_MS = 4_000;

/** The record without gateways that have not said for too long that they are there. @param but is there */
export const withoutLapsed = (record: QueueRecord, now: number, but?: string): QueueRecord => {
  const entries = Object.entries(record.holders);
  const current = entries.filter(([id, { until }]) => until > now || id === but);
  return current.length === entries.length ? record : { ...record, holders: Object.fromEntries(current) };
};

export const slotsIn = ({ holders }: QueueRecord, but?: string): number => {
  let sum = 0;
  for (const [id, { slots }] of Object.entries(holders)) if (id !== but) sum += slots;
  return sum;
};

export const waitingIn = ({ holders }: QueueRecord, but?: string): number => {
  let sum = 0;
  for (const [id, { waiting }] of Object.entries(holders)) {
    if (id !== but) for (const [count] of Object.values(waiting)) sum += count;
  }
  return sum;
};

/** When the call came that waits longest; undefined: none does. */
export const oldestIn = ({ holders }: QueueRecord): number | undefined => {
  let oldest: number | undefined;
  for (const { waiting } of Object.values(holders)) {
    for (const [, at] of Object.values(waiting)) if (oldest === undefined || at < oldest) oldest = at;
  }
  return oldest;
};

/** How long a call takes is known for so long: by it the first ones after a night are told when to come again. */
const HOLD_KNOWN_MS = 24 * 3_600_000;

/** When nothing in it matters any more. @param now when it is written */
export const endOfQueue = ({ holders, holdMs }: QueueRecord, now: number): number =>
  Object.values(holders).reduce((latest, { until }) => Math.max(latest, until), holdMs > 0 ? now + HOLD_KNOWN_MS : 0);

/**
 * Gives free slots to those whose turn it is. Each client's calls stand behind each other, 1/weight apart, beginning
 * where the turns are when it comes: so one that has waited for nothing yet is before the next call of one that has had
 * its turn, and who has a thousand waiting is before nobody (start-time fair queueing: Goyal, Vin, Cheng 1996). Of a
 * client's calls the oldest is first, at whichever gateway.
 * @returns the same record when there is nothing to give
 */
export const withTurns = (record: QueueRecord, slots: number): QueueRecord => {
  let free = slots - slotsIn(record);
  if (free <= 0) return record;
  const line = standingOf(record);
  if (line.length === 0) return record;
  const given = new Map<string, Map<string, number>>();
  let { turn } = record;
  const ahead: Record<string, number> = { ...record.ahead };
  while (free > 0) {
    const next = nextOf(line);
    if (next === undefined) break;
    free -= 1;
    turn = Math.max(turn, next.start);
    next.start += 1 / next.weight;
    ahead[next.client] = next.start;
    const at = takeOldest(next);
    const of = given.get(at) ?? new Map<string, number>();
    given.set(at, of.set(next.client, (of.get(next.client) ?? 0) + 1));
  }
  const holders: Record<string, SlotHolder> = { ...record.holders };
  for (const [id, clients] of given) {
    const holder = holders[id] as SlotHolder;
    const more: Record<string, number> = { ...holder.given };
    let sum = 0;
    for (const [client, count] of clients) {
      more[client] = (more[client] ?? 0) + count;
      sum += count;
    }
    holders[id] = { ...holder, slots: holder.slots + sum, given: more };
  }
  return { ...record, turn, ahead: stillAhead(ahead, turn), holders: withWaiting(holders, given.keys(), line) };
};

/**
 * The client that has most waiting for its weight; undefined: nobody waits.
 * @param isJoining of two with as much, the one of which this is so
 */
export const heaviestOf = (line: readonly Standing[], isJoining: (client: string) => boolean): Standing | undefined => {
  let heaviest: Standing | undefined;
  let most = 0;
  for (const one of line) {
    const load = one.places.reduce((sum, { calls }) => sum + calls[0], 0) / one.weight;
    if (load === 0 || load < most || (load === most && !isJoining(one.client))) continue;
    most = load;
    heaviest = one;
  }
  return heaviest;
};

/** The gateway where a client's newest call waits. */
export const newestOf = ({ places }: Standing): string => {
  const waiting = places.filter(({ calls }) => calls[0] > 0);
  return waiting.reduce((last, place) => (place.calls[2] > last.calls[2] ? place : last)).id;
};

/** The client's newest call at that gateway waits no more. */
export const dropNewest = ({ places }: Standing, id: string): void => {
  const place = places.find((one) => one.id === id);
  if (place === undefined) return;
  const [count, oldest, newest, weight] = place.calls;
  place.calls = [count - 1, oldest, count > 2 ? newest - stepOf(place.calls) : oldest, weight];
};

/** Of these gateways, who waits as in `line`: each one's is made once, be there thousands of clients. */
export const withWaiting = (
  holders: Readonly<Record<string, SlotHolder>>,
  ids: Iterable<string>,
  line: readonly Standing[],
): Record<string, SlotHolder> => {
  const waiting = new Map<string, Record<string, WaitingCalls>>();
  for (const id of ids) waiting.set(id, {});
  for (const { client, places } of line) {
    for (const { id, calls } of places) {
      const left = waiting.get(id);
      if (left !== undefined && calls[0] > 0) left[client] = calls;
    }
  }
  const next = { ...holders };
  for (const [id, left] of waiting) next[id] = { ...(holders[id] as SlotHolder), waiting: left };
  return next;
};

/** A mean in which the last twenty or so count. */
export const withHold = (record: QueueRecord, ms: number): QueueRecord => ({
  ...record,
  holdMs: Math.round((record.holdMs === 0 ? ms : record.holdMs + (ms - record.holdMs) / 20) * 10) / 10,
});

/** One client that waits, at every gateway. */
export interface Standing {
  readonly client: string;
  readonly weight: number;
  /** Of its next call. */
  start: number;
  readonly places: { readonly id: string; calls: WaitingCalls }[];
}

export const standingOf = ({ turn, ahead, holders }: QueueRecord): Standing[] => {
  const line = new Map<string, Standing>();
  for (const [id, { waiting }] of Object.entries(holders)) {
    for (const [client, calls] of Object.entries(waiting)) {
      const known = line.get(client);
      if (known !== undefined) known.places.push({ id, calls });
      else {
        const start = Math.max(turn, ahead[client] ?? 0);
        line.set(client, { client, weight: calls[3], start, places: [{ id, calls }] });
      }
    }
  }
  return [...line.values()];
};

/** Of those that are equally far, the one that waits longest. */
const nextOf = (line: readonly Standing[]): Standing | undefined => {
  let next: Standing | undefined;
  let nextAt = 0;
  for (const one of line) {
    const at = oldestOf(one);
    if (at === undefined) continue;
    // Sums of parts such as 1/3 differ in their last digits.
    const isBefore = next === undefined || one.start < next.start - 1e-9;
    if (!isBefore && (one.start > (next?.start ?? 0) + 1e-9 || at >= nextAt)) continue;
    next = one;
    nextAt = at;
  }
  return next;
};

const oldestOf = ({ places }: Standing): number | undefined => {
  let oldest: number | undefined;
  for (const { calls } of places) if (calls[0] > 0 && (oldest === undefined || calls[1] < oldest)) oldest = calls[1];
  return oldest;
};

/** @returns the gateway at which it waited */
const takeOldest = ({ places }: Standing): string => {
  const waiting = places.filter(({ calls }) => calls[0] > 0);
  const place = waiting.reduce((first, other) => (other.calls[1] < first.calls[1] ? other : first));
  const [count, oldest, newest, weight] = place.calls;
  // When the one behind it came only its own gateway knows, which says so with its next write.
  place.calls = [count - 1, oldest + stepOf(place.calls), newest, weight];
  return place.id;
};

const stepOf = ([count, oldest, newest]: WaitingCalls): number => (count > 1 ? (newest - oldest) / (count - 1) : 0);

const stillAhead = (ahead: Record<string, number>, turn: number): Record<string, number> =>
  Object.fromEntries(Object.entries(ahead).filter(([, at]) => at > turn));
