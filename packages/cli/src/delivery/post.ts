import { deliverMessage, INTERRUPTED } from "./mail/nodemailer.ts";
import type { SmtpServer } from "./mail/smtp-server.ts";
import { messageIn, takeOut, type Waiting } from "./outbox.ts";

/** What became of a message that was to be sent. */
export interface Posted {
  readonly to: string;
  /** What the server answered, or why it did not take the message. */
  readonly answer: string;
  readonly sent: boolean;
  /** Where the message waits; undefined when it was sent. */
  readonly keptAt: string | undefined;
  /** True when sending the next one would meet the same. */
  readonly everyMessage: boolean;
}

/** Sends a message that waits, and takes it out when it was taken. */
export const post = async (server: SmtpServer, message: Waiting, stop: AbortSignal): Promise<Posted> => {
  const { from, to, path } = message;
  const delivery = stop.aborted ? INTERRUPTED : await deliverMessage(messageIn(message), { from, to }, server, stop);
  if (delivery.kind !== "sent") {
    return { to, answer: delivery.why, sent: false, keptAt: path, everyMessage: delivery.everyMessage };
  }
  takeOut(message);
  return { to, answer: delivery.answer, sent: true, keptAt: undefined, everyMessage: false };
};

/** Field names are stable. */
export const postedJson = (posted: Posted | undefined): unknown =>
  posted === undefined
    ? null
    : { to: posted.to, ok: posted.sent, answer: posted.answer, keptAt: posted.keptAt ?? null };
