import type { Line, QueueRefusal, Ticket } from "./queue-line.ts";
import { removeTicket } from "./queue-line.ts";

/** What becomes of calls that wait; they are told of it once all is as they are told. */
export class Turns {
  readonly #onError: (error: unknown) => void;
  readonly #news: Ticket[] = [];
  #isTelling = false;

  /** @param onError a call threw when it was told */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** It has a slot from now on. */
  start(ticket: Ticket, now: number): void {
    removeTicket(ticket);
    ticket.state = "has_slot";
    ticket.endedAt = now;
    ticket.line.running += 1;
    ticket.line.begun.add(ticket);
    ticket.line.lastUse = now;
    if (!ticket.isEntering) this.#news.push(ticket);
  }

  /** It will not have one. What does not wait any more is left as it is. */
  refuse(ticket: Ticket, why: QueueRefusal, now: number): void {
    if (ticket.state !== "waits") return;
    if (removeTicket(ticket)) withdraw(ticket);
    ticket.state = "refused";
    ticket.why = why;
    ticket.endedAt = now;
    if (!ticket.isEntering) this.#news.push(ticket);
  }

  /** It does not want one any more. */
  leave(ticket: Ticket, now: number): void {
    ticket.state = "left";
    ticket.endedAt = now;
    if (removeTicket(ticket)) withdraw(ticket);
  }

  /** Whoever is told may enter and leave in that moment. */
  tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let ticket = this.#news.shift(); ticket !== undefined; ticket = this.#news.shift()) {
      try {
        if (ticket.state === "has_slot") ticket.call.onTurn();
        else if (ticket.state === "refused") ticket.call.onRefused(ticket.why ?? "closing");
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#isTelling = false;
  }
}

/** The store may have been told of it, or is being told. */
const withdraw = ({ line, written }: { readonly line: Line; readonly written: number }): void => {
  if (written > 0) line.isChanged = true;
};
