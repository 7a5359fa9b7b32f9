import type { Command } from "commander";
import { noun } from "../../command.ts";
import type { Context } from "../../context.ts";
import * as add from "./add.ts";
import * as list from "./list.ts";
import * as passwd from "./passwd.ts";
import * as remove from "./remove.ts";
import * as restore from "./restore.ts";
import * as revoke from "./revoke.ts";
import * as set from "./set.ts";
import * as show from "./show.ts";

export const command = (ctx: Context): Command =>
  noun(
    "client",
    "Clients and their credentials.",
    [
      ["aigw client add john", "add a client; its password is shown once"],
      ["aigw client revoke john", "refuse it everywhere within a second"],
    ],
    [add, list, show, set, passwd, revoke, restore, remove].map((verb) => verb.command(ctx)),
  );
