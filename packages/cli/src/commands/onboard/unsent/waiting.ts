import type { ControlStore } from "@aigw/core";
import { type Client, isClientName, standingOf } from "@aigw/core/clients";
import { didYouMean } from "@aigw/core/did-you-mean";
import { AigwError } from "@aigw/core/errors";
import type { Context } from "../../../app/context.ts";
import { locateHome } from "../../../app/home.ts";
import { isInForce, type Waiting, waitingIn } from "../../../delivery/outbox.ts";

/** A message that waits, with what it is worth. */
export type Judged = Waiting &
  (
    | { readonly worth: "counts"; readonly holder: Client }
    /** `void`: the password in it is not the client's, or not any more. `refused`: the client may not log in. */
    | { readonly worth: "void" | "refused"; readonly holder: Client | undefined }
  );

/** @param names only these clients'; none: all. @throws AigwError `not_found` when nothing waits for one of them */
export const judgedIn = async (
  ctx: Context,
  control: ControlStore,
  names: readonly string[],
): Promise<readonly Judged[]> => {
  const all = waitingIn({ path: locateHome(ctx).home });
  const absent = names.find((name) => !all.some(({ client }) => client === name));
  if (absent !== undefined) {
    const waiting = all.map(({ client }) => client);
    const guess = didYouMean(absent, waiting);
    // What can be no name may be a password that somebody typed where none belongs: it is not repeated.
    const whom = guess !== "" || isClientName(absent) ? `'${absent}'` : "a client of that name";
    throw new AigwError("not_found", `No e-mail waits for ${whom}.${guess} List them: aigw onboard unsent list`);
  }
  const judged: Judged[] = [];
  for (const message of all) {
    if (names.length > 0 && !names.includes(message.client)) continue;
    const holder = await control.client(message.client);
    if (!isInForce(message, holder)) judged.push({ ...message, worth: "void", holder });
    else if (standingOf(holder, ctx.clock.now()) !== "active") judged.push({ ...message, worth: "refused", holder });
    else judged.push({ ...message, worth: "counts", holder });
  }
  return judged;
};

/** For people. */
export const worthInWords = ({ worth, holder, client, mark }: Judged): string => {
  if (worth === "counts") return "can be sent";
  if (worth === "refused") return `${client} is revoked or has expired`;
  if (holder === undefined) return "there is no such client";
  return mark === undefined ? "from an earlier aigw: open it with a mail program" : "another password counts by now";
};
