import type { Client, ClientWithPassword, Plan } from "@aigw/core";
import { AigwError } from "@aigw/core/errors";
import { BrokenPipe } from "../app/cli-error.ts";
import type { Context } from "../app/context.ts";
import { clientJson } from "../json/client.ts";
import { renderFields } from "../terminal/output/fields.ts";
import type { Answer } from "../terminal/output/output.ts";
import { prose } from "../terminal/output/wrap.ts";

export interface Delivery extends ClientWithPassword {
  /** See clientJson; read before the password is changed. */
  readonly plans: ReadonlyMap<string, Plan>;
  /** False when the admin chose the password: it is not repeated. */
  readonly generated: boolean;
  /** What was done, for an answer without a password. */
  readonly done: string;
  /** More fields of the JSON answer. */
  readonly json?: Readonly<Record<string, unknown>>;
}

/** Shows a client's new password, for this one time. */
export const deliverPassword = async (ctx: Context, delivery: Delivery): Promise<void> => {
  const { client, password, generated, done } = delivery;
  await answerOnce(ctx, client, {
    json: () => ({
      client: clientJson(client, ctx.clock.now(), delivery.plans),
      password: generated ? password : null,
      ...delivery.json,
    }),
    quiet: () => (generated ? password : client.name),
    text: (view) => {
      if (!generated) return prose(view, done);
      if (!view.isTerminal) return `${client.name}\t${password}`;
      return renderFields(view, [
        ["Username", client.name],
        ["Password", password, "whole"],
      ]);
    },
  });
  if (generated) {
    await ctx.out.note(`${done} This is the only time that the password is shown: only its hash is stored.`);
  }
};

/** An answer with a password that is nowhere else: when nobody reads it, that is a failure. */
export const answerOnce = (ctx: Context, client: Pick<Client, "name">, answer: Answer): Promise<void> =>
  writtenOnce(client, () => ctx.out.answer(answer));

/** The same for whatever else is written to stdout. */
export const writtenOnce = async (client: Pick<Client, "name">, write: () => Promise<void>): Promise<void> => {
  try {
    await write();
  } catch (error) {
    throw new AigwError(
      "failed",
      `The password of ${client.name} is set, but could not be written: ${error instanceof BrokenPipe ? "nobody reads standard output" : "standard output does not take it"}. Give ${client.name} a new one: aigw client passwd ${client.name}`,
      { cause: error },
    );
  }
};
