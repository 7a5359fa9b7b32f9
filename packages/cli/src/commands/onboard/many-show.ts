import type { Plan } from "@aigw/core";
import type { Context } from "../../app/context.ts";
import type { HandedOut } from "../../delivery/batch.ts";
import { postedJson } from "../../delivery/post.ts";
import { reportTrial, trialJson } from "../../delivery/proof.ts";
import { clientJson } from "../../json/client.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";

/**
 * A row for each. The passwords are in it when no e-mail holds them.
 * @param told services that were warned about before @param plans see clientJson
 */
export const showMany = async (
  ctx: Context,
  handed: readonly HandedOut[],
  asMail: boolean,
  told: ReadonlySet<string>,
  plans: ReadonlyMap<string, Plan>,
): Promise<void> => {
  const shown = ({ credentials, problem }: HandedOut): string | null =>
    asMail || problem !== undefined ? null : (credentials?.password ?? null);
  const columns: readonly Column[] = [
    { title: "Name" },
    ...(asMail ? [] : [{ title: "Password", key: true }]),
    { title: "Done" },
    { title: "Quick start" },
    ...(asMail ? [{ title: "E-mail", key: true }] : []),
  ];
  const rows = handed.map((one): readonly Cell[] => [
    one.client.name,
    ...(asMail ? [] : [shown(one) ?? ""]),
    doneTo(one),
    quickStartOf(one),
    ...(asMail ? [mailOf(one)] : []),
  ]);
  await ctx.out.answer({
    json: () => ({
      clients: handed.map((one) => ({
        client: clientJson(one.client, ctx.clock.now(), plans),
        password: shown(one),
        created: one.credentials !== undefined && one.credentials.before === undefined,
        eml: one.file ?? null,
        sent: postedJson(one.posted),
        quickStart: trialJson(one.trial),
        problem: one.problem ?? null,
      })),
    }),
    quiet: () =>
      handed.map((one) => (asMail ? (one.file ?? one.client.name) : `${one.client.name} ${shown(one) ?? ""}`)),
    text: (view) => renderTable(view, columns, rows),
  });
  for (const one of handed) {
    if (one.problem !== undefined) await ctx.out.warn(`${one.client.name}: ${one.problem.replace(/\.$/, "")}.`);
    else if (one.trial?.calls.some(({ verdict }) => verdict === "odd"))
      await reportTrial(ctx, one.client.name, one.trial, told);
  }
};

const doneTo = ({ credentials, problem, waiting }: HandedOut): string => {
  if (credentials === undefined) return "as an earlier run left it";
  if (problem !== undefined && waiting === undefined) return "nothing";
  return credentials.before === undefined ? "added" : "new password";
};

const quickStartOf = ({ trial }: HandedOut): Cell => {
  if (trial === undefined) return "not tried";
  return trial.works ? { text: "works", tone: "green" } : { text: "does not work", tone: "red" };
};

const mailOf = ({ posted, file, problem, waiting }: HandedOut): Cell => {
  if (posted?.sent === true) return { text: `sent to ${posted.to}`, tone: "green" };
  if (problem !== undefined) return { text: waiting?.path ?? "none", tone: "red" };
  return file ?? "none";
};
