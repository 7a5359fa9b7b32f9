import { AigwError } from "@aigw/core/errors";
import type { Command } from "commander";
import { Interrupted } from "../../../app/cli-error.ts";
import { describe } from "../../../app/command.ts";
import type { Context } from "../../../app/context.ts";
import { settingsInForce } from "../../../app/settings.ts";
import { type HandedOut, handOutAll } from "../../../delivery/batch.ts";
import { smtpServerOf } from "../../../delivery/mail/smtp-server.ts";
import { messageIn } from "../../../delivery/outbox.ts";
import { postedJson } from "../../../delivery/post.ts";
import { tryMailServer } from "../../../delivery/preflight.ts";
import { findProver } from "../../../delivery/proof.ts";
import { stepsIn } from "../../../delivery/quick-start/commands.ts";
import { textIn } from "../../../delivery/text-part.ts";
import { listed } from "../../../terminal/output/words.ts";
import { prose } from "../../../terminal/output/wrap.ts";
import { type Judged, judgedIn, worthInWords } from "./waiting.ts";

export interface SendOptions {
  /** None: all that can be sent. */
  readonly names: readonly string[];
  readonly verify: boolean;
}

export const command = (ctx: Context): Command =>
  describe("send", "Send what waits, as far as the password in it still counts. No password changes.", [
    ["aigw onboard unsent send", "all that can be sent"],
    ["aigw onboard unsent send john mary", "these"],
  ])
    .argument("[name...]", "the clients' names")
    .option("--no-verify", "do not try the quick start in it before")
    .action((names: readonly string[], { verify }: { readonly verify: boolean }) => run({ names, verify }, ctx));

export const run = ({ names, verify }: SendOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const judged = await judgedIn(ctx, home.store.control, names);
    const good = judged.filter((one) => one.worth === "counts");
    for (const one of judged)
      if (one.worth !== "counts") await ctx.out.warn(`${one.client}: not sent: ${worthInWords(one)}.`);
    const settings = settingsInForce(ctx, await home.store.control.settings());
    const { value: publicUrl = "" } = settings["public-url"];
    const stop = new AbortController();
    const forget = ctx.io.onStop(() => stop.abort());
    let handed: readonly HandedOut[] = [];
    try {
      if (good.length > 0) {
        const server = smtpServerOf(ctx, settings, home.sealer);
        await tryMailServer(server, stop.signal);
        // What was seen to work is not tried again.
        const isToTry = verify && good.some(({ holder }) => holder.provenAt === undefined);
        const prover = await findProver(ctx, home, settings["public-url"], isToTry, stop.signal);
        const recipients = good.map((waiting) => ({
          client: waiting.holder,
          credentials: undefined,
          steps: waiting.holder.provenAt === undefined ? stepsIn(textIn(messageIn(waiting)), publicUrl) : undefined,
          waiting,
        }));
        const given = { server, folder: undefined, force: false, prover, stop: stop.signal };
        const result = await handOutAll(ctx, home, recipients, given, () => undefined);
        if (!("ending" in result)) handed = result;
      }
    } finally {
      forget();
    }
    await report(ctx, judged, handed);
    if (stop.signal.aborted) throw new Interrupted("Interrupted. What was not sent goes on waiting.");
  });

const report = async (ctx: Context, judged: readonly Judged[], handed: readonly HandedOut[]): Promise<void> => {
  const sent = handed.filter(({ posted }) => posted?.sent === true);
  await ctx.out.answer({
    json: () => ({
      unsent: handed.map(({ client, posted, problem }) => ({
        client: client.name,
        sent: postedJson(posted),
        problem: problem ?? null,
      })),
    }),
    quiet: () => sent.map(({ client }) => client.name),
    text: (view) =>
      sent
        .map(({ client, posted }) => prose(view, `Sent to ${posted?.to} (${client.name}): ${posted?.answer}`))
        .join("\n"),
  });
  for (const { client, problem } of handed)
    if (problem !== undefined) await ctx.out.warn(`${client.name}: ${problem}.`);
  if (judged.length === 0) await ctx.out.note("No e-mail waits.");
  const left = judged.filter(({ client }) => !sent.some((one) => one.client.name === client));
  if (left.length > 0) {
    throw new AigwError("failed", `Not sent: ${listed(left.map(({ client }) => client))}. They go on waiting.`);
  }
};
