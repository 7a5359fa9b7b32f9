import {
  EMPTY_QUEUE,
  type QueueRecord,
  type SlotHolder,
  slotsIn,
  type WaitingCalls,
  waitingIn,
} from "./queue-record.ts";

/** How many calls a service takes at once, and how the others wait. */
export interface QueueTerms {
  /** The service's id: one of the same name that comes later is another. */
  readonly key: string;
  readonly concurrency: number;
  /** Waiting, at most. */
  readonly most: number;
  readonly waitMs: number;
}

/** Why a call that waited does not get a slot. */
export type QueueRefusal =
  /** More would wait than may. */
  | "full"
  /** It has waited for as long as it may. */
  | "too_long"
  /** {@link QueuedCall.mayWait} says no. */
  | "ended"
  /** The gateway ends. */
  | "closing";

/** A call that wants a slot, whoever it is for: nothing here knows of a connection. */
export interface QueuedCall {
  /** The client's id. */
  readonly client: string;
  /** The client's share beside the others', 1 to 100. */
  weight(): number;
  /** How long it waits at most, milliseconds; as its service says unless given. */
  readonly waitMs?: number | undefined;
  /** Asked after every change of the control state, and several times a second. */
  mayWait(): boolean;
  /** It has its slot. Not called for one that had it when {@link FairQueue.enter} returned. */
  onTurn(): void;
  /** It will not get one. Not called for one that was refused when {@link FairQueue.enter} returned. */
  onRefused(why: QueueRefusal): void;
}

/** One call's place in a line, and then its slot. */
export interface Ticket {
  readonly call: QueuedCall;
  readonly line: Line;
  /** Steady milliseconds: when it came, and when its waiting ended, with a slot or without one. */
  readonly at: number;
  endedAt: number;
  state: "waits" | "has_slot" | "refused" | "left";
  why: QueueRefusal | undefined;
  /** There was room when it came: it waited for nothing but the store's answer. */
  isAtOnce: boolean;
  /** {@link FairQueue.enter} has not returned yet, which says what became of it. */
  isEntering: boolean;
  /** Of the write that told the store of it; 0: none did. */
  written: number;
}

/** What a gateway knows of one service's queue. */
export interface Line {
  terms: QueueTerms;
  /** Its service takes every call from now on, or is gone. */
  isOff: boolean;
  /** See PatientCalls. */
  turn: Promise<unknown> | undefined;
  /** A store call is under way, until what it answered is taken in. */
  isBusy: boolean;
  record: QueueRecord;
  version: number;
  mustRead: boolean;
  /** Steady milliseconds. */
  lookedAt: number;
  wroteAt: number;
  /** As far as it is known: when others may take what is held here. */
  until: number;
  /** Of the last write, and of the last one that is known to be in the record. */
  seq: number;
  okSeq: number;
  /** The write of which nobody knows whether it is in the record; 0: there is none. */
  doubtful: number;
  /** Something is to be written: at once, or with the next look. */
  isDue: boolean;
  isChanged: boolean;
  /** Slots that the record says are here, and calls that have one. */
  held: number;
  running: number;
  /** Those calls, in the order in which they began. */
  readonly begun: Set<Ticket>;
  /** Slots that were here when the record was last seen or written. */
  leased: number;
  lastUse: number;
  /** Of what others have given: what has been taken up, by client. */
  readonly taken: Map<string, number>;
  /** In order of arrival. */
  readonly waiting: Map<string, Ticket[]>;
  count: number;
  /** How long calls had their slots, since the last write. */
  holds: number[];
}

export const newLine = (terms: QueueTerms): Line => ({
  terms,
  isOff: false,
  turn: undefined,
  isBusy: false,
  record: EMPTY_QUEUE,
  version: 0,
  mustRead: true,
  lookedAt: Number.NEGATIVE_INFINITY,
  wroteAt: Number.NEGATIVE_INFINITY,
  until: 0,
  seq: 0,
  okSeq: 0,
  doubtful: 0,
  isDue: false,
  isChanged: false,
  held: 0,
  running: 0,
  begun: new Set(),
  leased: 0,
  lastUse: Number.NEGATIVE_INFINITY,
  taken: new Map(),
  waiting: new Map(),
  count: 0,
  holds: [],
});

export const addTicket = (ticket: Ticket): void => {
  const { line, call } = ticket;
  const tickets = line.waiting.get(call.client);
  if (tickets === undefined) line.waiting.set(call.client, [ticket]);
  else tickets.push(ticket);
  line.count += 1;
};

/** @returns false when it does not wait */
export const removeTicket = (ticket: Ticket): boolean => {
  const { line, call } = ticket;
  const tickets = line.waiting.get(call.client);
  const index = tickets?.indexOf(ticket) ?? -1;
  if (tickets === undefined || index < 0) return false;
  tickets.splice(index, 1);
  if (tickets.length === 0) line.waiting.delete(call.client);
  line.count -= 1;
  return true;
};

/** Whether the store knows that it waits. */
export const isIn = ({ written, line }: Ticket): boolean => written > 0 && written <= line.okSeq;

/** All that wait. */
export const allOf = (line: Line): readonly Ticket[] => (line.count === 0 ? [] : [...line.waiting.values()].flat());

export const hasJoining = (line: Line): boolean => {
  for (const tickets of line.waiting.values()) {
    const last = tickets.at(-1);
    if (last !== undefined && !isIn(last)) return true;
  }
  return false;
};

/** This gateway's part of the record: calls that have a slot and so many that none has, and who waits. */
export const holderOf = (line: Line, idle: number, until: number): SlotHolder => {
  const waiting: Record<string, WaitingCalls> = {};
  for (const [client, tickets] of line.waiting) {
    const [first, last] = [tickets[0], tickets.at(-1)];
    if (first !== undefined && last !== undefined) {
      waiting[client] = [tickets.length, Math.round(first.at), Math.round(last.at), last.call.weight()];
    }
  }
  return { seq: line.seq, until, slots: line.running + idle, given: {}, waiting };
};

/** Whether somebody waits elsewhere, as far as is known. */
export const othersWait = ({ record }: Line, id: string): boolean => waitingIn(record, id) > 0;

/** Slots that others have, as far as is known. */
export const heldElsewhere = ({ record }: Line, id: string, now: number): number => {
  const current = Object.entries(record.holders).filter(([, { until }]) => until > now);
  return slotsIn({ ...record, holders: Object.fromEntries(current) }, id);
};
