import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Service } from "@aigw/core";
import { type CredentialsRequest, issueCredentials } from "@aigw/core/acts";
import { limitOf } from "@aigw/core/clients";
import { AigwError } from "@aigw/core/errors";
import { onboardingFacts } from "@aigw/core/onboarding";
import { Interrupted } from "../../cli-error.ts";
import type { Context } from "../../context.ts";
import type { Home } from "../../home.ts";
import { makePrivateFolder } from "../../mail/message-file.ts";
import { smtpServerOf } from "../../mail/smtp-server.ts";
import { progressOn } from "../../output/progress.ts";
import { settingsInForce, warnOfPlainHttp } from "../../settings.ts";
import { appliedOrStopped } from "./applied.ts";
import { letterFor } from "./letter.ts";
import { type Given, handOutAll, type Recipient } from "./many-mails.ts";
import { showMany } from "./many-show.ts";
import { type Person, readPeople } from "./people.ts";
import { findProver } from "./proof.ts";
import { rosterOf } from "./roster.ts";
import { senderOf } from "./sender.ts";

export interface OnboardManyOptions {
  /** The CSV file; `-` is stdin. */
  readonly from: string;
  readonly out: string | undefined;
  readonly send: boolean;
  readonly template: string | undefined;
  readonly force: boolean;
  readonly verify: boolean;
  readonly wait: boolean;
}

/** Everything is read and checked first; then all get their credentials or nobody; then each is proven and written to. */
export const run = (options: OnboardManyOptions, ctx: Context): Promise<void> =>
  ctx.withHome("initialise", async (home) => {
    const { control } = home.store;
    const settings = settingsInForce(ctx, await control.settings());
    const services = await control.services();
    const asMail = options.out !== undefined || options.send;
    const { people, requests } = await roster(ctx, home, options, asMail);
    const names = people.map(({ name }) => name);
    // One text goes to all: nobody's name belongs in it.
    const others = [...new Set([...names, ...(await control.clients()).map(({ name }) => name)])];
    const letter = asMail
      ? await letterFor(ctx, home, { template: options.template, settings, services, others })
      : undefined;
    const sender = asMail ? senderOf(settings) : undefined;
    const server = options.send ? smtpServerOf(ctx, settings, home.sealer) : undefined;
    const folder = options.out === undefined ? undefined : prepared(ctx, options.out, names, options.force);
    const stop = new AbortController();
    const prover = await findProver(ctx, home, settings["public-url"], options.verify, stop.signal);

    const forget = ctx.io.onStop(() => stop.abort());
    try {
      const given = { letter, sender, server, folder, force: options.force, prover, stop: stop.signal };
      await issueAll(ctx, home, options, { people, requests, services, settings, given });
    } finally {
      forget();
    }
  });

interface Prepared {
  readonly people: readonly Person[];
  readonly requests: readonly CredentialsRequest[];
  readonly services: readonly Service[];
  readonly settings: ReturnType<typeof settingsInForce>;
  readonly given: Given;
}

/** @throws AigwError `failed` when somebody did not get the e-mail; Interrupted */
const issueAll = async (
  ctx: Context,
  home: Home,
  { out, send, wait }: OnboardManyOptions,
  { people, requests, services, settings, given }: Prepared,
): Promise<void> => {
  const progress = progressOn(ctx.io.stderr, people.length, ctx.out.mode !== "text");
  const issued = await issueCredentials(home, requests, (done) => {
    if (given.stop.aborted) throw new Interrupted("Interrupted. What had been done was taken back.");
    progress.show(done, "credentials");
  }).finally(progress.clear);
  const applied = await appliedOrStopped(home, issued.rev, "The credentials are set", wait);
  const recipients: Recipient[] = issued.result.map(({ client, password }, index) => ({
    client,
    password,
    created: requests[index]?.kind === "add",
    facts: onboardingFacts(client, password, services, settings, limitOf(client)),
  }));
  const handed = await handOutAll(ctx, home, recipients, given, progress.show).finally(progress.clear);
  await showMany(ctx, handed, out !== undefined || send);
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
    );
  if (applied.problem !== undefined) throw applied.problem;
  await ctx.out.note(applied.text);
};

const notAllDone = (failed: readonly string[], all: number): AigwError =>
  new AigwError(
    "failed",
    `${failed.length} of ${all} did not get their e-mail: ${failed.join(", ")}; the table says why. Their new passwords stand. When it is put right: aigw onboard <name> makes another.`,
    { details: { names: failed } },
  );

const roster = async (
  ctx: Context,
  home: Home,
  { from }: OnboardManyOptions,
  needsEmail: boolean,
): Promise<{ readonly people: readonly Person[]; readonly requests: ReturnType<typeof rosterOf>["requests"] }> => {
  const { people, problems } = await readPeople(await bytesOf(ctx, from), ctx.clock.now());
  const clients = await home.store.control.clients();
  const services = await home.store.control.services();
  const found = rosterOf(people, { clients, services, needsEmail, replace: ctx.globals.yes === true });
  const wrong = [...problems, ...found.problems];
  const all = [...wrong, ...found.existing].sort((a, b) => lineOf(a) - lineOf(b));
  if (all.length === 0) return { people, requests: found.requests };
  const what = from === "-" ? "Standard input" : basename(from);
  throw new AigwError(
    wrong.length === 0 ? "already_exists" : "invalid_value",
    `${what} has ${all.length === 1 ? "a problem" : `${all.length} problems`}. Nothing was changed.`,
    { details: { problems: all } },
  );
};

const lineOf = (problem: string): number => Number(/^line (\d+)/.exec(problem)?.[1] ?? 0);

const bytesOf = async (ctx: Context, from: string): Promise<Uint8Array> => {
  if (from === "-") {
    const chunks: Buffer[] = [];
    for await (const chunk of ctx.io.stdin) chunks.push(Buffer.from(chunk as Uint8Array | string));
    return Buffer.concat(chunks);
  }
  const path = resolve(ctx.io.cwd, from);
  try {
    return readFileSync(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why =
      { ENOENT: "there is no such file", EACCES: "permission denied", EISDIR: "it is a folder" }[code] ?? "it failed";
    throw new AigwError("invalid_value", `--from: ${path} cannot be read: ${why}.`, { cause });
  }
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
