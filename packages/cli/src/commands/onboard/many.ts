import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Plan, Service } from "@aigw/core";
import { makeCredentials } from "@aigw/core/acts";
import { AigwError } from "@aigw/core/errors";
import { type Roster, type Row, readPeople, rosterOf, type Task } from "@aigw/core/onboarding";
import { readPlans, termsAmong } from "@aigw/core/plans";
import { BrokenPipe, Interrupted } from "../../app/cli-error.ts";
import type { Context } from "../../app/context.ts";
import { fileIn } from "../../app/file-in.ts";
import type { Home } from "../../app/home.ts";
import { settingsInForce, warnOfPlainHttp } from "../../app/settings.ts";
import { type Given, handOutAll, type Recipient } from "../../delivery/batch.ts";
import { allPutAside, issueAside, type Letters, resumed, waitingOf } from "../../delivery/batch-messages.ts";
import { letterFor } from "../../delivery/letter.ts";
import { makePrivateFolder } from "../../delivery/mail/message-file.ts";
import { smtpServerOf } from "../../delivery/mail/smtp-server.ts";
import type { Waiting } from "../../delivery/outbox.ts";
import { tryMailServer, warnOfServices } from "../../delivery/preflight.ts";
import { findProver } from "../../delivery/proof.ts";
import { senderOf } from "../../delivery/sender.ts";
import { takeBack } from "../../delivery/take-back.ts";
import { confirmed } from "../../terminal/ask.ts";
import { progressOn } from "../../terminal/output/progress.ts";
import { listed } from "../../terminal/output/words.ts";
import { appliedOrStopped } from "./applied.ts";
import { showMany } from "./many-show.ts";

export interface OnboardManyOptions {
  /** The CSV file; `-` is stdin. */
  readonly from: string;
  /** Those who are unknown are added without a question. */
  readonly create: boolean;
  readonly out: string | undefined;
  readonly send: boolean;
  readonly template: string | undefined;
  readonly force: boolean;
  readonly verify: boolean;
  readonly wait: boolean;
}

/**
 * Everything is read, checked and tried first; then all get their credentials by one change, or nobody; then each is proven
 * and written to. Every message is on disk before that change, so that the same file can be run again, whenever this was
 * killed: nobody gets a second password who has got one.
 */
export const run = (options: OnboardManyOptions, ctx: Context): Promise<void> =>
  ctx.withHome("initialise", async (home) => {
    const { control } = home.store;
    const settings = settingsInForce(ctx, await control.settings());
    const services = await control.services();
    const clients = await control.clients();
    const asMail = options.out !== undefined || options.send;
    const bytes = await bytesOf(ctx, options.from);
    const batch = createHash("sha256").update(bytes).digest("hex").slice(0, 32);
    const waiting = asMail ? waitingOf(home, batch, clients) : new Map<string, Waiting>();
    const read = await readPeople(bytes, ctx.clock.now());
    const plans = (await control.plans()).map(({ name }) => name);
    const rules = {
      clients,
      services,
      plans,
      needsEmail: asMail,
      waiting: new Set(waiting.keys()),
      now: ctx.clock.now(),
    };
    const roster = rosterOf(read.people, rules);
    assertFits(ctx, options, read.problems, roster);
    const names = read.people.map(({ name }) => name);
    // One text goes to all: nobody's name belongs in it.
    const others = [...new Set([...names, ...clients.map(({ name }) => name)])];
    const letter = asMail
      ? await letterFor(ctx, home, { template: options.template, settings, services, others })
      : undefined;
    const sender = asMail ? senderOf(settings) : undefined;
    const server = options.send ? smtpServerOf(ctx, settings, home.sealer) : undefined;
    const written = roster.tasks.filter(({ kind }) => kind === "add" || kind === "replace").map(nameOf);
    const folder = options.out === undefined ? undefined : prepared(ctx, options.out, written, options.force);
    const stop = new AbortController();
    let forget = ctx.io.onStop(() => stop.abort());
    try {
      if (server !== undefined) await tryMailServer(server, stop.signal);
      const prover = await findProver(ctx, home, settings["public-url"], options.verify, stop.signal);
      const callable = callableBy(roster.tasks, services, await readPlans(control, clients));
      const down = prover === undefined ? new Set<string>() : await warnOfServices(ctx, callable);
      if (stop.signal.aborted) throw new Interrupted("Interrupted. Nothing was changed.");
      forget();
      await ask(ctx, options, roster);
      forget = ctx.io.onStop(() => stop.abort());
      const given = { server, folder, force: options.force, prover, stop: stop.signal };
      await issueAll(ctx, home, options, { roster, waiting, batch, services, settings, letter, sender, given, down });
    } finally {
      forget();
    }
  });

const nameOf = (task: Task): string => (task.kind === "add" ? task.facts.name : task.known.name);

const callableBy = (
  tasks: readonly Task[],
  services: readonly Service[],
  plans: ReadonlyMap<string, Plan>,
): readonly Service[] => {
  const wished = tasks.map((task) => (task.kind === "add" ? task.facts : termsAmong(task.known, plans)).services);
  return services.filter(({ name }) => wished.some((names) => names?.includes(name) ?? true));
};

/** @throws AigwError `invalid_value`, `already_exists`, `not_found`: every problem of every row, with its line */
const assertFits = (
  ctx: Context,
  { from, create }: OnboardManyOptions,
  unreadable: readonly string[],
  { problems, unknown, existing }: Roster,
): void => {
  const wrong = [...unreadable, ...problems];
  // Where there is somebody to ask, the question comes when all else is well.
  const mayAsk = ctx.globals.yes === true || ctx.interactive;
  const unasked = (rows: readonly Row[], what: string): readonly string[] =>
    mayAsk ? [] : rows.filter(({ name }) => name !== "").map(({ line, name }) => `line ${line}: ${name} ${what}`);
  const exists = unasked(existing, "exists; with --yes the old password stops working");
  const isNew = create ? [] : unasked(unknown, "is unknown; with --create it is added");
  const all = [...wrong, ...exists, ...isNew].sort((a, b) => lineOf(a) - lineOf(b));
  if (all.length === 0) return;
  const what = from === "-" ? "Standard input" : basename(from);
  throw new AigwError(
    wrong.length > 0 ? "invalid_value" : exists.length > 0 ? "already_exists" : "not_found",
    `${what} has ${all.length === 1 ? "a problem" : `${all.length} problems`}. Nothing was changed.`,
    { details: { problems: all } },
  );
};

const lineOf = (problem: string): number => Number(/^line (\d+)/.exec(problem)?.[1] ?? 0);

/** One question for all. */
const ask = async (ctx: Context, { create }: OnboardManyOptions, { unknown, existing }: Roster): Promise<void> => {
  const named = (rows: readonly Row[]): string => listed(rows.map(({ name }) => name));
  const added = unknown.length === 0 || create ? "" : `Unknown, and to be added: ${named(unknown)}. `;
  const replaced =
    existing.length === 0 ? "" : `Their old passwords and tokens will stop working at once: ${named(existing)}. `;
  const impact = `${added}${replaced}`.trim();
  if (impact !== "") await confirmed(ctx, impact, `Credentials for ${unknown.length + existing.length}?`);
};

interface Prepared extends Letters {
  readonly roster: Roster;
  /** What an earlier run of this file has left, by client. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  readonly given: Given;
  /** Services that were warned about. */
  readonly down: ReadonlySet<string>;
}

/** @throws AigwError `failed` when somebody did not get the credentials; Interrupted */
const issueAll = async (
  ctx: Context,
  home: Home,
  { out, send, wait }: OnboardManyOptions,
  prepared: Prepared,
): Promise<void> => {
  const { roster, waiting, settings, given, down } = prepared;
  const done = roster.tasks.filter(({ kind }) => kind === "done").map(nameOf);
  if (waiting.size > 0) {
    const before = done.length === 0 ? "" : ` Handed out then: ${listed(done)}.`;
    await ctx.out.note(`This file was run before. What waits goes out now: ${listed([...waiting.keys()])}.${before}`);
  }
  const requests = roster.tasks.filter((task) => task.kind === "add" || task.kind === "replace");
  const progress = progressOn(ctx.io.stderr, roster.tasks.length - done.length, ctx.out.mode !== "text");
  const made = await makeCredentials(home, requests, (count) => {
    if (given.stop.aborted) throw new Interrupted("Interrupted. Nothing was changed.");
    progress.show(count, "credentials");
  }).finally(progress.clear);
  const fresh = await allPutAside(ctx, home, made, prepared);
  // Whatever can fail comes before the passwords are in force.
  const plans = await readPlans(
    home.store.control,
    roster.tasks.map((task) => (task.kind === "add" ? task.facts : task.known)),
  );
  const rev = await issueAside(home, fresh, given.stop);
  const applied = rev === undefined ? undefined : await appliedOrStopped(home, rev, "The credentials are set", wait);
  const recipients = [...resumed(roster, waiting, settings["public-url"].value ?? ""), ...fresh];
  const handed = await handOutAll(ctx, home, recipients, given, progress.show).finally(progress.clear);
  if ("ending" in handed) throw nobodyGot(handed.problem, handed.ending);
  await shown(home, recipients, () => showMany(ctx, handed, out !== undefined || send, down, plans));
  await warnOfPlainHttp(ctx, settings["public-url"].value ?? "");
  if (given.stop.aborted || applied instanceof Interrupted)
    throw new Interrupted(
      "Interrupted: the rest was neither tried nor sent. The credentials stand; the table says where each e-mail is.",
    );
  const failed = handed.filter(({ problem }) => problem !== undefined);
  if (failed.length > 0)
    throw notAllDone(
      failed.map(({ client }) => client.name),
      handed.length,
      failed.some((one) => one.waiting !== undefined),
    );
  if (applied?.problem !== undefined) throw applied.problem;
  if (applied !== undefined) await ctx.out.note(applied.text);
};

/** A table with passwords that nobody reads hands out nothing. */
const shown = async (home: Home, recipients: readonly Recipient[], show: () => Promise<void>): Promise<void> => {
  try {
    await show();
  } catch (error) {
    const unseen = recipients.filter(({ waiting }) => waiting === undefined);
    if (unseen.length === 0) throw error;
    const ending = await takeBack(
      home,
      unseen.flatMap(({ credentials }) => credentials ?? []),
      [],
    );
    const why = error instanceof BrokenPipe ? "nobody reads standard output" : "standard output does not take it";
    throw new AigwError("failed", `The passwords could not be written: ${why}. Nothing was handed out: ${ending}.`, {
      cause: error,
    });
  }
};

const nobodyGot = (problem: string, ending: string): AigwError =>
  new AigwError("failed", `Of the first, ${problem}. Nothing was handed out: ${ending}. (--no-verify would, untried.)`);

const notAllDone = (failed: readonly string[], all: number, areWaiting: boolean): AigwError => {
  const mend = areWaiting
    ? "Their new passwords stand, and their e-mails wait: when it is put right, run the same again, or: aigw onboard unsent send"
    : "When it is put right: aigw onboard <name>";
  return new AigwError(
    "failed",
    `${failed.length} of ${all} did not get their credentials: ${listed(failed)}; the table says why. ${mend}`,
    { details: { names: failed } },
  );
};

const bytesOf = async (ctx: Context, from: string): Promise<Uint8Array> => {
  if (from === "-") {
    if (ctx.io.stdin.isTTY === true)
      await ctx.out.note("Reading from this terminal, up to Ctrl-D on a line of its own.");
    const chunks: Buffer[] = [];
    for await (const chunk of ctx.io.stdin) chunks.push(Buffer.from(chunk as Uint8Array | string));
    return Buffer.concat(chunks);
  }
  return fileIn(from, { from: "--from", cwd: ctx.io.cwd });
};

/** Makes the folder and sees that nothing in it would be written over. @returns its path */
const prepared = (ctx: Context, out: string, names: readonly string[], force: boolean): string => {
  const folder = resolve(ctx.io.cwd, out);
  makePrivateFolder(folder);
  const there = names.map((name) => `${name}.eml`).filter((file) => !force && existsSync(join(folder, file)));
  if (there.length === 0) return folder;
  throw new AigwError(
    "already_exists",
    `${folder} has ${there.slice(0, 5).join(", ")}${there.length > 5 ? ", …" : ""} already. Nothing was changed. Choose another folder, or replace them with --force.`,
  );
};
