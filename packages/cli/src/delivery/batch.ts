import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "@aigw/core";
import type { Credentials } from "@aigw/core/acts";
import { isAigwError } from "@aigw/core/errors";
import type { Context } from "../app/context.ts";
import type { Home } from "../app/home.ts";
import { reserveMessageFile } from "./mail/message-file.ts";
import type { SmtpServer } from "./mail/smtp-server.ts";
import { messageIn, takeOut, type Waiting } from "./outbox.ts";
import { type Posted, post } from "./post.ts";
import { type Prover, prove, recorded } from "./proof.ts";
import type { Steps } from "./quick-start/commands.ts";
import type { Trial } from "./quick-start/try-quick-start.ts";
import { takeBack } from "./take-back.ts";

/** One of many, whose credentials are in force. */
export interface Recipient {
  readonly client: Client;
  /** Undefined when an earlier run made them: then the password stands in the message alone. */
  readonly credentials: Credentials | undefined;
  /** What is tried; undefined when nothing can be. */
  readonly steps: Steps | undefined;
  /** Undefined: the table itself hands out the password. */
  readonly waiting: Waiting | undefined;
}

export interface HandedOut extends Recipient {
  readonly trial: Trial | undefined;
  readonly file: string | undefined;
  readonly posted: Posted | undefined;
  /** Why it did not get its credentials. */
  readonly problem: string | undefined;
}

export interface Given {
  readonly server: SmtpServer | undefined;
  /** Where the messages go. */
  readonly folder: string | undefined;
  readonly force: boolean;
  readonly prover: Prover;
  /** True once Ctrl-C was pressed: nothing is tried or sent any more. What waits goes on waiting. */
  readonly stop: AbortSignal;
}

/** The first credentials did not work, and so, most likely, would no others: nobody got any. */
export interface NobodyGot {
  readonly problem: string;
  /** What is true by now, in sentences. */
  readonly ending: string;
}

/** A gateway hashes two passwords at once. */
const PROOFS_AT_ONCE = 2;

/**
 * Proves each quick start, and hands out what works. When the first does not, everything is taken back; a later one that
 * does not stops no others: its message waits, or where the table would hand it out, its credentials are taken back.
 */
export const handOutAll = async (
  ctx: Context,
  home: Home,
  recipients: readonly Recipient[],
  given: Given,
  onDone: (done: number, name: string) => void,
): Promise<readonly HandedOut[] | NobodyGot> => {
  const handed: HandedOut[] = [];
  let broken: Posted | undefined;
  for (let at = 0; at < recipients.length; at += PROOFS_AT_ONCE) {
    const proven = await Promise.all(
      recipients.slice(at, at + PROOFS_AT_ONCE).map((recipient) => proveOne(ctx, home, recipient, given)),
    );
    const [first] = proven;
    // Of what an earlier run had begun, some is handed out by now.
    if (at === 0 && first?.problem !== undefined && recipients.every(isFresh)) {
      return { problem: first.problem, ending: await takeAllBack(home, recipients) };
    }
    for (const one of proven) {
      const done = one.problem === undefined ? await mailOne(one, given, broken) : waitingStill(one);
      if (done.posted?.everyMessage === true) broken = done.posted;
      handed.push(done);
      onDone(handed.length, done.client.name);
    }
  }
  return withRecords(ctx, home, await withoutUnseen(home, handed));
};

const isFresh = ({ credentials }: Recipient): boolean => credentials !== undefined;

const takeAllBack = (home: Home, recipients: readonly Recipient[]): Promise<string> =>
  takeBack(
    home,
    recipients.flatMap(({ credentials }) => credentials ?? []),
    recipients.flatMap(({ waiting }) => waiting ?? []),
  );

const proveOne = async (
  ctx: Context,
  home: Home,
  recipient: Recipient,
  { prover, stop }: Given,
): Promise<HandedOut> => {
  const { client, steps } = recipient;
  const proof = await prove(ctx, home, stop.aborted ? undefined : prover, client, steps);
  const one = { ...recipient, file: undefined, posted: undefined };
  // A proof that was broken off says nothing.
  if (proof.problem !== undefined && stop.aborted) return { ...one, trial: undefined, problem: undefined };
  const problem = proof.problem === undefined ? undefined : `the quick start does not work: ${proof.problem}`;
  return { ...one, trial: proof.trial, problem };
};

const waitingStill = (one: HandedOut): HandedOut =>
  one.waiting === undefined ? one : { ...one, problem: `${one.problem}; the e-mail waits in ${one.waiting.path}` };

/** @param broken what the mail server did to a message before, when it would do the same to this one */
const mailOne = async (
  one: HandedOut,
  { server, folder, force, stop }: Given,
  broken: Posted | undefined,
): Promise<HandedOut> => {
  const { client, waiting } = one;
  if (waiting === undefined) return one;
  let file: string | undefined;
  try {
    if (folder !== undefined) {
      file = join(folder, `${client.name}.eml`);
      writeOnce(file, messageIn(waiting), force);
    }
  } catch (error) {
    if (!isAigwError(error)) throw error;
    return { ...one, problem: `${error.message} The e-mail waits in ${waiting.path}` };
  }
  if (server === undefined) {
    takeOut(waiting);
    return { ...one, file };
  }
  const posted: Posted =
    broken === undefined ? await post(server, waiting, stop) : { ...broken, to: waiting.to, keptAt: waiting.path };
  if (posted.sent) return { ...one, file, posted };
  return { ...one, file, posted, problem: `not sent: ${posted.answer}; the e-mail waits in ${waiting.path}` };
};

/** An earlier run may have been killed between this and the next step: its file is this file. */
const writeOnce = (path: string, bytes: Buffer, force: boolean): void => {
  if (existsSync(path) && readFileSync(path).equals(bytes)) return;
  reserveMessageFile(path, force).write(bytes);
};

/** Credentials that no table shows and no message holds would be nobody's. */
const withoutUnseen = async (home: Home, handed: readonly HandedOut[]): Promise<readonly HandedOut[]> => {
  const isUnseen = ({ problem, waiting }: HandedOut): boolean => problem !== undefined && waiting === undefined;
  const unseen = handed.filter(isUnseen);
  if (unseen.length === 0) return handed;
  const ending = await takeAllBack(home, unseen);
  return handed.map((one) => (isUnseen(one) ? { ...one, problem: `${one.problem}; taken back: ${ending}` } : one));
};

const withRecords = async (ctx: Context, home: Home, handed: readonly HandedOut[]): Promise<readonly HandedOut[]> => {
  const works = handed.filter(({ trial }) => trial?.works === true);
  const clients = await recorded(
    ctx,
    home,
    works.map(({ client }) => client),
  );
  const byName = new Map(clients.map((client) => [client.name, client]));
  return handed.map((one) => ({ ...one, client: byName.get(one.client.name) ?? one.client }));
};
