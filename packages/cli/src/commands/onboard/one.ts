import { resolve } from "node:path";
import { limitOf, parseEmail } from "@aigw/core/clients";
import { AigwError } from "@aigw/core/errors";
import { type OnboardingEmail, type OnboardingFacts, onboardingFacts } from "@aigw/core/onboarding";
import { need } from "../../ask.ts";
import { Interrupted } from "../../cli-error.ts";
import type { Context } from "../../context.ts";
import { writtenOnce } from "../../credentials.ts";
import type { Applied } from "../../gateways.ts";
import type { Home } from "../../home.ts";
import { type MessageFile, reserveMessageFile } from "../../mail/message-file.ts";
import { composeMessage } from "../../mail/nodemailer.ts";
import { type SmtpServer, smtpServerOf } from "../../mail/smtp-server.ts";
import { writeData } from "../../output/write.ts";
import { readPassword } from "../../secret-input.ts";
import { settingsInForce, warnOfPlainHttp } from "../../settings.ts";
import { appliedOrStopped } from "./applied.ts";
import { type Issued, issue, warnIfRefused } from "./issue.ts";
import { type Letter, letterFor } from "./letter.ts";
import { type Posted, post } from "./postbox.ts";
import { findProver, type Proof, prove, reportTrial } from "./proof.ts";
import { messageOf, type Sender, senderOf } from "./sender.ts";
import { type Handout, show } from "./show.ts";

export interface OnboardOptions {
  readonly name: string;
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

/** Whatever could fail comes before the password: afterwards the old one is gone. */
export const run = (options: OnboardOptions, ctx: Context): Promise<void> =>
  ctx.withHome("initialise", async (home) => {
    const { control } = home.store;
    const settings = settingsInForce(ctx, await control.settings());
    const services = await control.services();
    const asMail = options.email || options.eml !== undefined || options.send;
    const others = (await control.clients()).map(({ name }) => name).filter((name) => name !== options.name);
    const source = { template: options.template, settings, services, others };
    const letter: Letter | undefined = asMail ? await letterFor(ctx, home, source) : undefined;
    const outgoing = await outgoingOf(ctx, home, options, () => senderOf(settings));
    const server = options.send ? smtpServerOf(ctx, settings, home.sealer) : undefined;
    const stop = new AbortController();
    const prover = await findProver(ctx, home, settings["public-url"], options.verify, stop.signal);
    const chosen = options.passwordStdin ? await readPassword(ctx) : undefined;
    const file = reserved(ctx, options);
    let forget = (): void => undefined;
    try {
      const issued = await issue(ctx, home, options.name, chosen);
      // From here on a Ctrl-C must not lose the password in silence.
      forget = ctx.io.onStop(() => stop.abort());
      const applied = await appliedOrStopped(home, issued.rev, `${options.name} has a new password`, options.wait);
      const facts = onboardingFacts(issued.client, issued.password, services, settings, limitOf(issued.client));
      const email = letter?.(facts);
      const proof = await proven(ctx, home, options, { issued, facts, email, prover, stop: stop.signal });
      const handout: Handout = { ...issued, client: proof.client, facts, email, trial: proof.trial };
      await handOut(ctx, home, options, { handout, outgoing, file, server, stop: stop.signal });
      await warnOfPlainHttp(ctx, facts.publicUrl);
      if (settings["public-url"].source === "default") {
        await ctx.out.warn(
          `public-url is not set, so ${facts.publicUrl} is what the client is told. Set it, and onboard again: aigw config set public-url https://…`,
        );
      }
      await warnIfRefused(ctx, issued.client);
      await reportApplied(ctx, issued, applied);
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
  { name, to, eml, send }: OnboardOptions,
  sender: () => Sender,
): Promise<Outgoing | undefined> => {
  if (eml === undefined && !send) return undefined;
  const known = to ?? (await home.store.control.client(name))?.email;
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

/** @throws AigwError `failed` when the quick start does not work: what does not work is not handed out */
const proven = async (
  ctx: Context,
  home: Home,
  { name }: OnboardOptions,
  made: {
    readonly issued: Issued;
    readonly facts: OnboardingFacts;
    readonly email: OnboardingEmail | undefined;
    readonly prover: Awaited<ReturnType<typeof findProver>>;
    readonly stop: AbortSignal;
  },
): Promise<Proof> => {
  const { issued, facts, email, prover, stop } = made;
  if (stop.aborted) throw unseen(name);
  const proof = await prove(ctx, home, prover, { client: issued.client, facts, text: email?.body ?? "" });
  if (stop.aborted && proof.problem !== undefined) throw unseen(name);
  await reportTrial(ctx, name, proof.trial);
  if (proof.problem === undefined) return proof;
  throw new AigwError(
    "failed",
    `The quick start of ${name} does not work: ${proof.problem}. Nothing was handed out. The new password stands, but nobody has seen it: when this is put right, aigw onboard ${name} makes another. --no-verify hands it out untried.`,
  );
};

const unseen = (name: string): Interrupted =>
  new Interrupted(
    `Interrupted. The new password of ${name} stands, but nobody has seen it: aigw onboard ${name} makes another.`,
  );

interface HandingOut {
  readonly handout: Handout;
  readonly outgoing: Outgoing | undefined;
  readonly file: MessageFile | undefined;
  readonly server: SmtpServer | undefined;
  readonly stop: AbortSignal;
}

/** @throws AigwError `failed` when the message was not sent; it is kept then */
const handOut = async (
  ctx: Context,
  home: Home,
  options: OnboardOptions,
  { handout, outgoing, file, server, stop }: HandingOut,
): Promise<void> => {
  const { client, email } = handout;
  if (outgoing === undefined || email === undefined) return show(ctx, { ...handout, printed: true });
  const { sender, to } = outgoing;
  const at = ctx.clock.now();
  const bytes = await composeMessage(messageOf(sender, { address: to, name: client.displayName }, email, at));
  file?.write(bytes);
  if (options.eml === "-") await writtenOnce(client, () => writeData(ctx.io.stdout, bytes.toString("ascii")));
  let posted: Posted | undefined;
  if (server !== undefined) {
    posted = await post(
      home,
      server,
      { bytes, from: sender.from.address, to, name: client.name, at },
      file?.path,
      stop,
    );
  }
  const lost = posted?.sent === false && posted.keptAt === undefined && options.eml !== "-";
  const printed = options.email || lost;
  if (options.eml !== "-") await show(ctx, { ...handout, printed, file: file?.path, posted });
  if (posted?.sent === false) throw notSent(client.name, posted, options.eml === "-" || lost);
};

const notSent = (name: string, { to, answer, keptAt }: Posted, printed: boolean): AigwError => {
  const where = printed
    ? "The e-mail is printed on standard output"
    : `The e-mail is in ${keptAt}: open that with a mail program`;
  return new AigwError(
    "failed",
    `The e-mail to ${to} was not sent: ${answer}${answer.endsWith("?") ? "" : "."} The new password stands. ${where}; or, when this is put right, aigw onboard ${name} --send makes and sends another password.`,
  );
};

const reportApplied = async (ctx: Context, { created }: Issued, applied: Applied | Interrupted): Promise<void> => {
  if (applied instanceof Interrupted) throw applied;
  // Of somebody new every gateway learns with the first login.
  if (created) return;
  if (applied.problem !== undefined) throw applied.problem;
  await ctx.out.note(applied.text);
};
