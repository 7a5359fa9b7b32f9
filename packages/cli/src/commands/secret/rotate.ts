import { previewRotation, type RotationPreview, rotateSecret, rotateSecretWithGrace } from "@aigw/core/acts";
import { isStoreFault } from "@aigw/core/errors";
import { parseDuration } from "@aigw/core/services";
import type { Command } from "commander";
import { Interrupted } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import type { Home } from "../../app/home.ts";
import { keyJson } from "../../json/key.ts";
import { confirmed } from "../../terminal/ask.ts";
import { formatDuration } from "../../terminal/output/time.ts";
import { counted, listed } from "../../terminal/output/words.ts";

export interface RotateOptions {
  /** Milliseconds for which tokens of the old secret work on; absent, they die at once. */
  readonly grace?: number;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("rotate", "Make a new signing secret. Every token dies at once, or with --grace nobody is cut off.", [
    ["aigw secret rotate --grace 60m", "tokens live an hour: every one of them runs out by itself"],
    ["aigw secret rotate", "after a leak: every client has to fetch a new token at once"],
  ])
    .option(
      "--grace <duration>",
      "how long tokens of the old secret work on; 60m cuts nobody off",
      flag("--grace", (value) => parseDuration("grace", value)),
    )
    .option("--no-wait", "do not wait for the gateways")
    .action((options: RotateOptions) => run(options, ctx));

export const run = ({ grace, wait }: RotateOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const preview = await previewOrWarn(ctx, home);
    await confirmed(ctx, impactOf(preview, grace), "Rotate the secret?");
    const { result, rev } = await (grace === undefined ? rotateSecret(home) : rotateUnlessStopped(home, grace));
    const { kid } = result.key;
    const old =
      grace === undefined ? "Tokens from before are dead." : `Older tokens work for ${formatDuration(grace)} more.`;
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, "The secret is rotated", wait),
      sentence: `Secret rotated: ${kid} signs now. ${old}`,
      quiet: kid,
      json: {
        key: keyJson(result.key, ctx.clock.now()),
        graceMs: grace ?? null,
        clientsWithLiveTokens: preview?.clientsWithLiveTokens ?? null,
      },
    });
  });

/** Ctrl-C while the gateways are waited for takes the new key back: the next rotation is not held up by it. */
const rotateUnlessStopped = async (home: Home, grace: number): ReturnType<typeof rotateSecretWithGrace> => {
  const stop = new AbortController();
  const unlisten = home.onStop(() => stop.abort(new Interrupted("The secret was not rotated.")));
  try {
    return await rotateSecretWithGrace(home, grace, { signal: stop.signal });
  } finally {
    unlisten();
  }
};

/** After a leak the secret must be rotated even when nobody can say whom it hits. */
const previewOrWarn = async (ctx: Context, home: Home): Promise<RotationPreview | undefined> => {
  try {
    return await previewRotation(home);
  } catch (error) {
    if (!isStoreFault(error)) throw error;
    await ctx.out.warn(`Whom the rotation hits cannot be read: ${error.message}`);
    return undefined;
  }
};

const NAMES_SHOWN = 10;

const impactOf = (preview: RotationPreview | undefined, grace: number | undefined): string => {
  const fate =
    grace === undefined
      ? "Every token will stop working at once."
      : `Tokens will work for ${formatDuration(grace)} more.`;
  if (preview === undefined) return fate;
  const { clientsWithLiveTokens: clients, gateways } = preview;
  const names = clients.length === 0 ? "" : `: ${listed(clients, NAMES_SHOWN)}`;
  const running =
    gateways.length === 0 ? "" : `: ${listed([...new Set(gateways.map(({ address }) => address))], NAMES_SHOWN)}`;
  return `${fate} ${noneOr(clients.length, "client holds", "clients hold")} a live token${names}. ${noneOr(gateways.length, "gateway is", "gateways are")} running${running}.`;
};

const noneOr = (n: number, one: string, many: string): string => (n === 0 ? `No ${one}` : counted(n, one, many));
