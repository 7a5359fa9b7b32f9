import type { EffectiveSetting } from "@aigw/core";
import { recordProof } from "@aigw/core/acts";
import { type Client, limitOf, standingOf } from "@aigw/core/clients";
import { AigwError, isStoreFault } from "@aigw/core/errors";
import { type OnboardingFacts, quickStart } from "@aigw/core/onboarding";
import { TRIAL_FIELD, trialMark } from "@aigw/core/sealing";
import type { Context } from "../../context.ts";
import { identityOf } from "../../gateway-proof.ts";
import type { Home } from "../../home.ts";
import { stepsIn } from "../../quick-start/commands.ts";
import { lookAt, type Seen } from "../../quick-start/look.ts";
import { findShell, type Shell } from "../../quick-start/shell.ts";
import { type Step, type Trial, tryQuickStart } from "../../quick-start/try-quick-start.ts";

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
  readonly trial: Trial | undefined;
  /** With the record of it. */
  readonly client: Client;
  /** Why its e-mail must not be handed out. */
  readonly problem: string | undefined;
}

/** Runs the commands of the very text that is to be handed out, and records that they worked. */
export const prove = async (
  ctx: Context,
  home: Home,
  prover: Prover,
  { client, facts, text }: { readonly client: Client; readonly facts: OnboardingFacts; readonly text: string },
): Promise<Proof> => {
  if (prover === undefined || standingOf(client, ctx.clock.now()) !== "active") {
    return { trial: undefined, client, problem: undefined };
  }
  // Others may have been served meanwhile, and whoever answers now gets the password.
  const seen = await prover.look();
  if (seen.kind !== "gateway") {
    const why = seen.kind === "silent" ? `no gateway answers any more (${seen.reason})` : seen.reason;
    return { trial: undefined, client, problem: why.replace(/\.$/, "") };
  }
  // A text without a quick start of its own is proven by ours.
  const steps = stepsIn(text, facts.publicUrl) ?? quickStart(facts);
  const { sealer, store } = home;
  const mark = (): string =>
    `${TRIAL_FIELD}: ${trialMark(sealer, store.control.storeId, client.name, store.traffic.steadyNow())}`;
  const trial = await tryQuickStart(prover.shell, steps, limitOf(client), mark);
  if (!trial.works) return { trial, client, problem: failuresOf(trial) };
  return { trial, client: await recorded(ctx, home, client), problem: undefined };
};

const recorded = async (ctx: Context, home: Home, client: Client): Promise<Client> => {
  try {
    return (await recordProof(home, client)).result;
  } catch (error) {
    // The e-mail works; that the record is missing must not keep it from the client.
    if (!isStoreFault(error)) throw error;
    await ctx.out.warn(`The quick start of ${client.name} works, but that could not be recorded: ${error.message}`);
    return client;
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

/** Tells what was tried. */
export const reportTrial = async (ctx: Context, name: string, trial: Trial | undefined): Promise<void> => {
  if (trial === undefined) return;
  const steps = stepsOf(trial).filter(({ verdict }) => verdict !== "odd");
  const verb = trial.works ? "works" : "was tried";
  await ctx.out.note(`The quick start ${verb}, with ${trial.shell}: ${steps.map(inWords).join(", ")}.`);
  for (const step of stepsOf(trial)) {
    if (step.verdict === "odd") await ctx.out.warn(`${name}: ${inWords(step)}.`);
  }
};

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
