import { resolve } from "node:path";
import { type Credentials, issueCredentials, makeCredentials } from "@aigw/core/acts";
import { parseEmail } from "@aigw/core/clients";
import { AigwError } from "@aigw/core/errors";
import { type OnboardingEmail, type OnboardingFacts, onboardingFacts, type Person } from "@aigw/core/onboarding";
import { type Plan, readPlans, readTerms, termsAmong } from "@aigw/core/plans";
import { BrokenPipe, Interrupted } from "../../app/cli-error.ts";
import type { Context } from "../../app/context.ts";
import type { Applied } from "../../app/gateways.ts";
import type { Home } from "../../app/home.ts";
import { settingsInForce, warnOfPlainHttp } from "../../app/settings.ts";
import { type Letter, letterFor } from "../../delivery/letter.ts";
import { type MessageFile, reserveMessageFile } from "../../delivery/mail/message-file.ts";
import { composeMessage } from "../../delivery/mail/nodemailer.ts";
import { type SmtpServer, smtpServerOf } from "../../delivery/mail/smtp-server.ts";
import { putAside, takeOut, takeOutVoid, type Waiting } from "../../delivery/outbox.ts";
import { type Posted, post } from "../../delivery/post.ts";
import { tryMailServer, warnOfServices } from "../../delivery/preflight.ts";
import { findProver, type Prover, prove, recorded, reportTrial, stepsOfLetter } from "../../delivery/proof.ts";
import { messageOf, type Sender, senderOf } from "../../delivery/sender.ts";
import { takeBack } from "../../delivery/take-back.ts";
import { need } from "../../terminal/ask.ts";
import { writeData } from "../../terminal/output/write.ts";
import { readPassword } from "../../terminal/secret-input.ts";
import { appliedOrStopped } from "./applied.ts";
import { decide, warnIfRefused } from "./decide.ts";
import { type Handout, show } from "./show.ts";

export interface OnboardOptions {
  readonly person: Person;
  /** Somebody unknown is added without a question. */
  readonly create: boolean;
  /** Print the e-mail instead of the table. */
  readonly email: boolean;
  readonly to: string | undefined;
  /** `-` is stdout. */
  readonly eml: string | undefined;
  readonly send: boolean;
  readonly template: string | undefined;
  readonly force: boolean;
  readonly passwordStdin: boolean;
  readonly verify: boolean;
  readonly wait: boolean;
}

/**
 * Whatever could fail is tried before the password changes. What fails afterwards puts the old one back, until the new one
 * is on its way; from then on it is in the message that waits.
 */
export const run = (options: OnboardOptions, ctx: Context): Promise<void> =>
  ctx.withHome("initialise", async (home) => {
    const { person, create, send } = options;
    const { control } = home.store;
    const decision = await decide(ctx, control, person, create);
    const settings = settingsInForce(ctx, await control.settings());
    const services = await control.services();
    const asMail = options.email || options.eml !== undefined || send;
    const others = (await control.clients()).map(({ name }) => name).filter((name) => name !== person.name);
    const source = { template: options.template, settings, services, others };
    const letter: Letter | undefined = asMail ? await letterFor(ctx, home, source) : undefined;
    const outgoing = await outgoingOf(ctx, home, options, () => senderOf(settings));
    const server = send ? smtpServerOf(ctx, settings, home.sealer) : undefined;
    const stop = new AbortController();
    let forget = ctx.io.onStop(() => stop.abort());
    let file: MessageFile | undefined;
    try {
      if (server !== undefined) await tryMailServer(server, stop.signal);
      const prover = await findProver(ctx, home, settings["public-url"], options.verify, stop.signal);
      const { request } = decision;
      const wished = request.kind === "add" ? request.facts : await readTerms(control, request.known);
      const callable = services.filter(({ name }) => wished.services?.includes(name) ?? true);
      const down = prover === undefined ? new Set<string>() : await warnOfServices(ctx, callable);
      if (stop.signal.aborted) throw new Interrupted("Interrupted. Nothing was changed.");
      // While somebody is asked, Ctrl-C ends the command as ever.
      forget();
      const chosen = options.passwordStdin ? await readPassword(ctx) : undefined;
      await decision.ask();
      file = reserved(ctx, options);
      const [made] = await makeCredentials(home, [chosen === undefined ? request : { ...request, password: chosen }]);
      if (made === undefined) throw new TypeError("credentials were asked for");
      const plans = await readPlans(control, [made.client]);
      const facts = onboardingFacts(made.client, made.password, services, settings, termsAmong(made.client, plans));
      const email = letter?.(facts);
      forget = ctx.io.onStop(() => stop.abort());
      await handOver(ctx, home, options, {
        made,
        plans,
        facts,
        email,
        outgoing,
        server,
        prover,
        down,
        file,
        stop: stop.signal,
      });
      if (settings["public-url"].source === "default") {
        await ctx.out.warn(
          `public-url is not set, so ${facts.publicUrl} is what the client is told. Set it, and onboard again: aigw config set public-url https://…`,
        );
      }
      await warnIfRefused(ctx, made.client);
    } finally {
      forget();
      file?.discard();
    }
  });

/** Whom a message is from and to. */
interface Outgoing {
  readonly sender: Sender;
  readonly to: string;
}

const outgoingOf = async (
  ctx: Context,
  home: Home,
  { person: { name, email }, to, eml, send }: OnboardOptions,
  sender: () => Sender,
): Promise<Outgoing | undefined> => {
  if (eml === undefined && !send) return undefined;
  const known = to ?? email ?? (await home.store.control.client(name))?.email;
  const address = await need(ctx, known, {
    argument: "--to <address>",
    usage: `aigw onboard ${name} --to <address>, or give the client one: aigw client set ${name} --email <address>`,
    question: `E-mail address of ${name}`,
    parse: parseEmail,
  });
  return { sender: sender(), to: address };
};

const reserved = (ctx: Context, { eml, force }: OnboardOptions): MessageFile | undefined =>
  eml === undefined || eml === "-" ? undefined : reserveMessageFile(resolve(ctx.io.cwd, eml), force);

interface Prepared {
  readonly made: Credentials;
  readonly plans: ReadonlyMap<string, Plan>;
  readonly facts: OnboardingFacts;
  readonly email: OnboardingEmail | undefined;
  readonly outgoing: Outgoing | undefined;
  readonly server: SmtpServer | undefined;
  readonly prover: Prover;
  /** Services that were warned about. */
  readonly down: ReadonlySet<string>;
  readonly file: MessageFile | undefined;
  readonly stop: AbortSignal;
}

/** From the moment in which the password changes. */
const handOver = async (ctx: Context, home: Home, options: OnboardOptions, prepared: Prepared): Promise<void> => {
  const { made, plans, facts, email, outgoing, server, prover, down, stop } = prepared;
  const { name } = made.client;
  const at = ctx.clock.now();
  const bytes =
    outgoing === undefined || email === undefined
      ? undefined
      : await composeMessage(
          messageOf(outgoing.sender, { address: outgoing.to, name: made.client.displayName }, email, at),
        );
  const waiting =
    server === undefined || outgoing === undefined || bytes === undefined
      ? undefined
      : putAside(home, { client: made.client, to: outgoing.to, from: outgoing.sender.from.address, bytes, at });
  const rev = await issued(home, made, waiting);
  let isOut = false;
  let applied: Applied | Interrupted;
  try {
    if (made.before === undefined) await ctx.out.note(`${name} was unknown and is added.`);
    applied = await appliedOrStopped(home, rev, `${name} has a new password`, options.wait);
    const proof = await prove(
      ctx,
      home,
      stop.aborted ? undefined : prover,
      made.client,
      stepsOfLetter(email?.body ?? "", facts),
    );
    if (stop.aborted) throw new Interrupted("Interrupted. Nothing was handed out");
    await reportTrial(ctx, name, proof.trial, down);
    if (proof.problem !== undefined) {
      throw new AigwError(
        "failed",
        `The quick start of ${name} does not work: ${proof.problem}. Nothing was handed out (--no-verify would, untried)`,
      );
    }
    const [client = made.client] = proof.trial === undefined ? [] : await recorded(ctx, home, [made.client]);
    const handout: Handout = {
      ...made,
      client,
      plans,
      created: made.before === undefined,
      facts,
      email,
      trial: proof.trial,
    };
    await handOut(ctx, options, { handout, bytes, file: prepared.file, server, waiting, stop }, () => {
      isOut = true;
    });
  } catch (error) {
    if (isOut) throw error;
    throw withEnding(error, await takeBack(home, [made], waiting === undefined ? [] : [waiting]));
  }
  await warnOfPlainHttp(ctx, facts.publicUrl);
  await reportApplied(ctx, made, applied);
};

const issued = async (home: Home, made: Credentials, waiting: Waiting | undefined): Promise<number> => {
  try {
    const { rev } = await issueCredentials(home, [made]);
    takeOutVoid(home, [made.client]);
    return rev;
  } catch (error) {
    if (waiting !== undefined) takeOut(waiting);
    throw error;
  }
};

/** What went wrong, and what is true by now. */
const withEnding = (error: unknown, ending: string): unknown => {
  const sentence = (text: string): string => `${text.replace(/\.$/, "")}: ${ending}.`;
  if (error instanceof Interrupted) return new Interrupted(sentence(error.message));
  if (error instanceof AigwError) return new AigwError(error.code, sentence(error.message), { cause: error });
  const why = error instanceof BrokenPipe ? "nobody reads standard output" : "standard output does not take it";
  return new AigwError("failed", `The password could not be written: ${why}. Nothing was handed out: ${ending}.`, {
    cause: error,
  });
};

interface HandingOut {
  readonly handout: Handout;
  readonly bytes: Buffer | undefined;
  readonly file: MessageFile | undefined;
  readonly server: SmtpServer | undefined;
  readonly waiting: Waiting | undefined;
  readonly stop: AbortSignal;
}

/**
 * @param onOut called once the password may have reached somebody
 * @throws AigwError `failed` when the message was not sent; it waits then
 */
const handOut = async (
  ctx: Context,
  options: OnboardOptions,
  { handout, bytes, file, server, waiting, stop }: HandingOut,
  onOut: () => void,
): Promise<void> => {
  if (bytes === undefined) return show(ctx, { ...handout, printed: true });
  if (file !== undefined) {
    file.write(bytes);
    onOut();
  }
  if (options.eml === "-") {
    await writeData(ctx.io.stdout, bytes.toString("ascii"));
    onOut();
  }
  let posted: Posted | undefined;
  if (server !== undefined && waiting !== undefined) {
    posted = await post(server, waiting, stop);
    onOut();
  }
  if (options.eml !== "-") await show(ctx, { ...handout, printed: options.email, file: file?.path, posted });
  if (posted?.sent === false) throw notSent(handout.client.name, posted);
};

const notSent = (name: string, { to, answer, keptAt }: Posted): AigwError =>
  new AigwError(
    "failed",
    `The e-mail to ${to} was not sent: ${answer}${answer.endsWith("?") ? "" : "."} The new password of ${name} stands, and the e-mail waits in ${keptAt}. When this is put right: aigw onboard unsent send ${name}; or, for another address: aigw onboard ${name} --send --to <address>`,
  );

const reportApplied = async (ctx: Context, { before }: Credentials, applied: Applied | Interrupted): Promise<void> => {
  if (applied instanceof Interrupted) throw applied;
  // Of somebody new every gateway learns with the first login.
  if (before === undefined) return;
  if (applied.problem !== undefined) throw applied.problem;
  await ctx.out.note(applied.text);
};
