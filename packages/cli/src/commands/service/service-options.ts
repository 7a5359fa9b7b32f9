import type { HeaderInput } from "@aigw/core";
import { parseDuration } from "@aigw/core/services";
import type { Command } from "commander";
import { collect } from "../../command.ts";
import type { Context } from "../../context.ts";
import { flag } from "../../flag.ts";
import { parseHeaderEnv } from "./header-env.ts";

export interface ServiceFactOptions {
  readonly headerEnv?: readonly HeaderInput[];
  readonly timeout?: number;
  readonly idleTimeout?: number;
}

/** The facts of a service, for `add` and `set`. */
export const addFactOptions = (command: Command, ctx: Context): Command =>
  command
    .option(
      "--header-env <header=VARIABLE>",
      "a header for the upstream, its value from that environment variable; repeatable",
      collect((value) => parseHeaderEnv(value, ctx.env)),
    )
    .option(
      "--timeout <duration>",
      "how long the upstream may take to answer (60s)",
      flag("--timeout", (value) => parseDuration("timeout", value)),
    )
    .option(
      "--idle-timeout <duration>",
      "how long a transfer may stand still (5m)",
      flag("--idle-timeout", (value) => parseDuration("idle timeout", value)),
    );

export const factsOf = (
  flags: ServiceFactOptions,
): { readonly headers?: readonly HeaderInput[]; readonly timeoutMs?: number; readonly idleTimeoutMs?: number } => ({
  ...(flags.headerEnv === undefined ? {} : { headers: flags.headerEnv }),
  ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
  ...(flags.idleTimeout === undefined ? {} : { idleTimeoutMs: flags.idleTimeout }),
});
