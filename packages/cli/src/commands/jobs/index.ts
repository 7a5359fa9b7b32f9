import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "jobs",
    about: "Calls that outlive their connection: a client sends 'Prefer: respond-async' to a service that has --jobs.",
    examples: [
      ["aigw service set whisper --jobs --keep 24h", "let its calls become jobs"],
      ["aigw jobs list --state queued", "what waits"],
    ],
    verbs: {
      list: () => import("./list.ts"),
      show: () => import("./show.ts"),
      cancel: () => import("./cancel.ts"),
    },
  });
