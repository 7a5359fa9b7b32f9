import type { EffectiveSetting } from "@aigw/core";
import { recordProofs } from "@aigw/core/acts";
import { type Client, standingOf } from "@aigw/core/clients";
import { AigwError, isStoreFault } from "@aigw/core/errors";
import { type OnboardingFacts, quickStart } from "@aigw/core/onboarding";
import { readTerms } from "@aigw/core/plans";
import { TRIAL_FIELD, trialMark } from "@aigw/core/sealing";
import type { Context } from "../app/context.ts";
import type { Home } from "../app/home.ts";
import { identityOf } from "./gateway-proof.ts";
import { type Steps, stepsIn } from "./quick-start/commands.ts";
import { lookAt, type Seen } from "./quick-start/look.ts";
import { findShell, type Shell } from "./quick-start/shell.ts";
import { type Step, type Trial, tryQuickStart } from "./quick-start/try-quick-start.ts";

/** What quick starts are tried with; undefined when they cannot or shall not be tried. */
export type Prover = { readonly shell: Shell; readonly look: () => Promise<Seen> } | undefined;

/**
 * Has whoever answers at the public URL prove that it belongs to this store, before anything is changed.
 * @throws AigwError `failed` when it is somebody whom no client's credentials must be sent to
 */
export const findProver = async (
  ctx: Context,
  home: Home,
  { value: publicUrl = "", source }: EffectiveSetting,
  verify: boolean,
  stop: AbortSignal,
): Promise<Prover> => {
  if (!verify) return undefined;
  const shell = await findShell(ctx.env, stop);
  const identity = identityOf(home);
  const look = (): Promise<Seen> => lookAt(shell, publicUrl, identity);
  const seen = await look();
  if (seen.kind === "gateway") return { shell, look };
  // The default is nobody's word for where the gateway is: whatever else runs on that port is no contradiction.
  if (seen.kind === "foreign" && source !== "default") {
    throw new AigwError(
      "failed",
      `${seen.reason} Nothing was changed. Correct it: aigw config set public-url <url>; or skip this check with --no-verify.`,
    );
  }
  await ctx.out.note(
    `No gateway answers at ${publicUrl} (${seen.reason.replace(/\.$/, "")}): the quick start could not be tried.`,
  );
  return undefined;
};

/** What came of trying a client's quick start. */
export interface Proof {
  /** Undefined when it was not tried. */
  readonly trial: Trial | undefined;
  /** Why its e-mail must not be handed out. */
  readonly problem: string | undefined;
}

/**
 * Runs the commands of the very text that is to be handed out.
 * @param steps undefined where the text has none and nothing else is known: nothing is tried then
 */
export const prove = async (
  ctx: Context,
  home: Home,
  prover: Prover,
  client: Client,
  steps: Steps | undefined,
): Promise<Proof> => {
  if (prover === undefined || steps === undefined || standingOf(client, ctx.clock.now()) !== "active") {
    return { trial: undefined, problem: undefined };
  }
  // Others may have been served meanwhile, and whoever answers now gets the password.
  const seen = await prover.look();
  if (seen.kind !== "gateway") {
    const why = seen.kind === "silent" ? `no gateway answers any more (${seen.reason})` : seen.reason;
    return { trial: undefined, problem: why.replace(/\.$/, "") };
  }
  const { sealer, store } = home;
  const mark = (): string =>
    `${TRIAL_FIELD}: ${trialMark(sealer, store.control.storeId, client.name, store.traffic.steadyNow())}`;
  const { limit } = await readTerms(store.control, client);
  const trial = await tryQuickStart(prover.shell, steps, limit, mark);
  return { trial, problem: trial.works ? undefined : failuresOf(trial) };
};

/** What is tried: a text without a quick start of its own is proven by ours. */
export const stepsOfLetter = (text: string, facts: OnboardingFacts): Steps =>
  stepsIn(text, facts.publicUrl) ?? quickStart(facts);

/** Records whose quick start worked. @returns them with the record of it */
export const recorded = async (ctx: Context, home: Home, clients: readonly Client[]): Promise<readonly Client[]> => {
  if (clients.length === 0) return clients;
  try {
    return (await recordProofs(home, clients)).result;
  } catch (error) {
    // The e-mail works; that the record is missing must not keep it from the client.
    if (!isStoreFault(error)) throw error;
    await ctx.out.warn(`That the quick start works could not be recorded: ${error.message}`);
    return clients;
  }
};

const stepsOf = ({ token, calls }: Trial): readonly Step[] => [token, ...calls];

const failuresOf = (trial: Trial): string =>
  stepsOf(trial)
    .filter(({ verdict }) => verdict === "failed")
    .map(inWords)
    .join("; ");

const inWords = ({ path, status, said }: Step): string =>
  `${path}${status === undefined ? "" : ` ${status}`}${said === "" ? "" : ` (${said})`}`;

/**
 * Tells what was tried.
 * @param told services that were warned about before
 */
export const reportTrial = async (
  ctx: Context,
  name: string,
  trial: Trial | undefined,
  told: ReadonlySet<string>,
): Promise<void> => {
  if (trial === undefined) return;
  const steps = stepsOf(trial).filter(({ verdict }) => verdict !== "odd");
  const verb = trial.works ? "works" : "was tried";
  await ctx.out.note(`The quick start ${verb}, with ${trial.shell}: ${steps.map(inWords).join(", ")}.`);
  for (const step of stepsOf(trial)) {
    if (step.verdict === "odd" && !told.has(serviceOf(step))) await ctx.out.warn(`${name}: ${inWords(step)}.`);
  }
};

const serviceOf = ({ path }: Step): string => /^\/api\/([^/]+)/.exec(path)?.[1] ?? "";

/** Field names are stable. */
export const trialJson = (trial: Trial | undefined): unknown =>
  trial === undefined
    ? null
    : {
        works: trial.works,
        shell: trial.shell,
        steps: stepsOf(trial).map(({ path, status, verdict, said }) => ({
          path,
          status: status ?? null,
          verdict,
          said,
        })),
      };
