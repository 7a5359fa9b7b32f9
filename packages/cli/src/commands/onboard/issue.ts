import { addClient, type ClientWithPassword, setPassword } from "@aigw/core/acts";
import { type Client, standingOf } from "@aigw/core/clients";
import { confirmed } from "../../ask.ts";
import type { Context } from "../../context.ts";
import type { Home } from "../../home.ts";

export interface Issued extends ClientWithPassword {
  readonly created: boolean;
  readonly rev: number;
}

/** A fresh password for a client, who is added if unknown; asks before an old one stops working. */
export const issue = async (ctx: Context, home: Home, name: string, chosen: string | undefined): Promise<Issued> => {
  if ((await home.store.control.client(name)) === undefined) {
    const { result, rev } = await addClient(home, { name, ...(chosen === undefined ? {} : { password: chosen }) });
    await ctx.out.note(`${name} was unknown and is added.`);
    return { ...result, rev, created: true };
  }
  await confirmed(
    ctx,
    `${name} exists: a fresh password makes the old one and its tokens stop working at once.`,
    `New password for ${name}?`,
  );
  const { result, rev } = await setPassword(home, name, chosen);
  return { ...result, rev, created: false };
};

export const warnIfRefused = async (ctx: Context, client: Client): Promise<void> => {
  const standing = standingOf(client, ctx.clock.now());
  if (standing === "active") return;
  const remedy =
    standing === "revoked" ? `aigw client restore ${client.name}` : `aigw client set ${client.name} --no-expires`;
  await ctx.out.warn(`${client.name} is ${standing}: these credentials are refused until: ${remedy}`);
};
