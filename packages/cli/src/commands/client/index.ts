import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "client",
    about: "Clients and their credentials.",
    examples: [
      ["aigw client add john", "add a client; its password is shown once"],
      ["aigw client revoke john", "refuse it everywhere within a second"],
    ],
    verbs: {
      add: () => import("./add.ts"),
      list: () => import("./list.ts"),
      show: () => import("./show.ts"),
      set: () => import("./set.ts"),
      quota: () => import("./quota.ts"),
      grant: () => import("./grant.ts"),
      edit: () => import("./edit.ts"),
      passwd: () => import("./passwd.ts"),
      revoke: () => import("./revoke.ts"),
      restore: () => import("./restore.ts"),
      remove: () => import("./remove.ts"),
    },
  });
