import { join } from "node:path";
import type { Client, OnboardingFacts } from "@aigw/core";
import { isAigwError } from "@aigw/core/errors";
import type { Context } from "../../context.ts";
import type { Home } from "../../home.ts";
import { reserveMessageFile } from "../../mail/message-file.ts";
import { composeMessage } from "../../mail/nodemailer.ts";
import type { SmtpServer } from "../../mail/smtp-server.ts";
import type { Trial } from "../../quick-start/try-quick-start.ts";
import type { Letter } from "./letter.ts";
import { keep, type Posted, post } from "./postbox.ts";
import { type Prover, prove } from "./proof.ts";
import { messageOf, type Sender } from "./sender.ts";

export interface Recipient {
  readonly client: Client;
  readonly password: string;
  readonly created: boolean;
  readonly facts: OnboardingFacts;
}

export interface HandedOut extends Recipient {
  readonly trial: Trial | undefined;
  readonly file: string | undefined;
  readonly posted: Posted | undefined;
  /** Why it did not get its e-mail. */
  readonly problem: string | undefined;
}

export interface Given {
  /** Undefined: the table itself hands out the passwords. */
  readonly letter: Letter | undefined;
  readonly sender: Sender | undefined;
  readonly server: SmtpServer | undefined;
  /** Where the messages go. */
  readonly folder: string | undefined;
  readonly force: boolean;
  readonly prover: Prover;
  /** True once Ctrl-C was pressed: nothing is tried or sent any more, but every e-mail is still put where it is not lost. */
  readonly stop: AbortSignal;
}

/** A gateway hashes two passwords at once. */
const PROOFS_AT_ONCE = 2;

/** Proves each quick start, and writes and sends the e-mails that work. One that fails does not stop the others. */
export const handOutAll = async (
  ctx: Context,
  home: Home,
  recipients: readonly Recipient[],
  given: Given,
  onDone: (done: number, name: string) => void,
): Promise<readonly HandedOut[]> => {
  const handed: HandedOut[] = [];
  let broken: Posted | undefined;
  for (let at = 0; at < recipients.length; at += PROOFS_AT_ONCE) {
    const proven = await Promise.all(
      recipients.slice(at, at + PROOFS_AT_ONCE).map((recipient) => proveOne(ctx, home, recipient, given)),
    );
    for (const one of proven) {
      const done = one.problem === undefined ? await mailOne(ctx, home, one, given, broken) : one;
      if (done.posted?.everyMessage === true) broken = done.posted;
      handed.push(done);
      onDone(handed.length, done.client.name);
    }
  }
  return handed;
};

const proveOne = async (
  ctx: Context,
  home: Home,
  recipient: Recipient,
  { letter, prover, stop }: Given,
): Promise<HandedOut> => {
  const { client, facts } = recipient;
  const proof = await prove(ctx, home, stop.aborted ? undefined : prover, {
    client,
    facts,
    text: letter?.(facts).body ?? "",
  });
  // A proof that was broken off says nothing.
  const problem =
    proof.problem === undefined || stop.aborted ? undefined : `the quick start does not work: ${proof.problem}`;
  return {
    ...recipient,
    client: proof.client,
    trial: stop.aborted && proof.problem !== undefined ? undefined : proof.trial,
    file: undefined,
    posted: undefined,
    problem,
  };
};

/** @param broken what the mail server did to a message before, when it would do the same to this one */
const mailOne = async (
  ctx: Context,
  home: Home,
  one: HandedOut,
  { letter, sender, server, folder, force, stop }: Given,
  broken: Posted | undefined,
): Promise<HandedOut> => {
  const { client, facts } = one;
  const to = client.email;
  if (letter === undefined || sender === undefined || to === undefined) return one;
  const at = ctx.clock.now();
  const bytes = await composeMessage(messageOf(sender, { address: to, name: client.displayName }, letter(facts), at));
  const message = { bytes, from: sender.from.address, to, name: client.name, at };
  let file: string | undefined;
  try {
    if (folder !== undefined) {
      const place = reserveMessageFile(join(folder, `${client.name}.eml`), force);
      place.write(bytes);
      file = place.path;
    }
  } catch (error) {
    if (!isAigwError(error)) throw error;
    const kept = keep(home, message);
    return { ...one, file: kept, problem: `${error.message}${kept === undefined ? "" : ` It is in ${kept} instead.`}` };
  }
  if (server === undefined) return { ...one, file };
  const posted: Posted =
    broken === undefined
      ? await post(home, server, message, file, stop)
      : { ...broken, to, keptAt: file ?? keep(home, message) };
  if (posted.sent) return { ...one, file, posted };
  const where = posted.keptAt === undefined ? "" : `; kept in ${posted.keptAt}`;
  return { ...one, file, posted, problem: `not sent: ${posted.answer}${where}` };
};
