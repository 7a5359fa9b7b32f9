import { isIn, type Line, type Ticket } from "./queue-line.ts";
import {
  dropNewest,
  heaviestOf,
  newestOf,
  type QueueRecord,
  standingOf,
  waitingIn,
  withWaiting,
} from "./queue-record.ts";

/**
 * Where more would wait than may, the newest call of whoever has most waiting for its weight goes, be it one that comes or
 * one that waits already: so who fills a queue keeps nobody else out of it.
 * @param next what this gateway is about to write, with all that wait here
 * @returns what to write, and which of the calls that wait here are refused
 */
export const makeRoom = (
  here: Line,
  id: string,
  next: QueueRecord,
  most: number,
): { readonly next: QueueRecord; readonly refused: readonly Ticket[] } => {
  let over = waitingIn(next) - most;
  if (over <= 0) return { next, refused: [] };
  const left = new Map<string, Ticket[]>();
  let joining = 0;
  for (const [client, tickets] of here.waiting) {
    // Those that are given a slot by this write leave from the front.
    const count = next.holders[id]?.waiting[client]?.[0] ?? 0;
    const waiting = count === 0 ? [] : tickets.slice(-count);
    left.set(client, waiting);
    joining += waiting.filter((ticket) => !isIn(ticket)).length;
  }
  const refused: Ticket[] = [];
  const line = standingOf(next);
  const touched = new Set<string>();
  // Only those that come make it more: a queue that was made shorter goes on until it is.
  for (; over > 0 && joining > 0; over -= 1, joining -= 1) {
    const heaviest = heaviestOf(line, (client) => !isLastIn(left.get(client)));
    if (heaviest === undefined) break;
    const own = left.get(heaviest.client);
    // Its own newest is as good as the newest of all gateways.
    const place = isLastIn(own) ? newestOf(heaviest) : id;
    if (place === id) {
      const ticket = own?.pop();
      if (ticket !== undefined) refused.push(ticket);
    }
    dropNewest(heaviest, place);
    touched.add(place);
  }
  return { next: { ...next, holders: withWaiting(next.holders, touched, line) }, refused };
};

const isLastIn = (tickets: readonly Ticket[] | undefined): boolean => {
  const last = tickets?.at(-1);
  return last === undefined || isIn(last);
};
