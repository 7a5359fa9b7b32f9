import type { Context } from "../../context.ts";
import { answerOnce } from "../../credentials.ts";
import { clientJson } from "../../json/client.ts";
import { type Cell, type Column, renderTable } from "../../output/table.ts";
import type { HandedOut } from "./many-mails.ts";
import { reportTrial, trialJson } from "./proof.ts";
import { postedJson } from "./show.ts";

/** A row for each. The passwords are in it when no e-mail holds them. */
export const showMany = async (ctx: Context, handed: readonly HandedOut[], asMail: boolean): Promise<void> => {
  const shown = ({ password, problem }: HandedOut): string | null =>
    asMail || problem !== undefined ? null : password;
  const columns: readonly Column[] = [
    { title: "Name" },
    ...(asMail ? [] : [{ title: "Password" }]),
    { title: "Done" },
    { title: "Quick start" },
    ...(asMail ? [{ title: "E-mail" }] : []),
  ];
  const rows = handed.map((one): readonly Cell[] => [
    one.client.name,
    ...(asMail ? [] : [shown(one) ?? ""]),
    one.created ? "added" : "new password",
    quickStartOf(one),
    ...(asMail ? [mailOf(one)] : []),
  ]);
  const name = handed.map(({ client }) => client.name).join(", ");
  await answerOnce(
    ctx,
    { name },
    {
      json: () => ({
        clients: handed.map((one) => ({
          client: clientJson(one.client, ctx.clock.now()),
          password: shown(one),
          created: one.created,
          eml: one.file ?? null,
          sent: postedJson(one.posted),
          quickStart: trialJson(one.trial),
          problem: one.problem ?? null,
        })),
      }),
      quiet: () =>
        handed.map((one) => (asMail ? (one.file ?? one.client.name) : `${one.client.name} ${shown(one) ?? ""}`)),
      text: (view) => renderTable(view, columns, rows),
    },
  );
  for (const one of handed) {
    if (one.problem !== undefined) await ctx.out.warn(`${one.client.name}: ${one.problem}`);
    else if (one.trial?.calls.some(({ verdict }) => verdict === "odd"))
      await reportTrial(ctx, one.client.name, one.trial);
  }
};

const quickStartOf = ({ trial }: HandedOut): Cell => {
  if (trial === undefined) return "not tried";
  return trial.works ? { text: "works", tone: "green" } : { text: "does not work", tone: "red" };
};

const mailOf = ({ posted, file, client, problem }: HandedOut): Cell => {
  if (posted?.sent === true) return { text: `sent to ${posted.to}`, tone: "green" };
  if (problem !== undefined) return { text: posted?.keptAt ?? file ?? "none", tone: "red" };
  return file ?? (client.email === undefined ? "no address" : "none");
};
