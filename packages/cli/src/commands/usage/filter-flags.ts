import type { UsageFilter } from "@aigw/core";
import { parseClientName } from "@aigw/core/clients";
import { AigwError } from "@aigw/core/errors";
import { parseServiceName } from "@aigw/core/services";
import type { Command } from "commander";
import type { Context } from "../../context.ts";
import { flag } from "../../flag.ts";
import { rfc3339 } from "../../output/time.ts";
import { parseSince, parseStatusRange } from "../../parse-value.ts";

export interface FilterFlags {
  readonly client?: string;
  readonly service?: string;
  readonly status?: { readonly from: number; readonly to: number };
}

export interface PeriodFlags {
  readonly since?: number;
  readonly until?: number;
}

export const addFilterFlags = (command: Command): Command =>
  command
    .option("--client <name>", "of this client only", flag("--client", parseClientName))
    .option("--service <name>", "of this service only", flag("--service", parseServiceName))
    .option("--status <status>", "404, 4xx or 400-499", flag("--status", parseStatusRange));

export const addPeriodFlags = (command: Command, ctx: Context, sinceHelp: string): Command => {
  const time = (value: string): number => parseSince(value, ctx.clock.now());
  return command
    .option("--since <when>", sinceHelp, flag("--since", time))
    .option("--until <when>", "the same; now unless given", flag("--until", time));
};

export const filterOf = ({ client, service, status }: FilterFlags, since: number | undefined): UsageFilter => ({
  ...(client === undefined ? {} : { client }),
  ...(service === undefined ? {} : { service }),
  ...(status === undefined ? {} : { status }),
  ...(since === undefined ? {} : { since }),
});

/** @throws AigwError `invalid_value` when the period ends before it begins */
export const assertPeriod = (since: number | undefined, until: number | undefined): void => {
  if (since === undefined || until === undefined || since < until) return;
  const [from, to] = [since, until].map(rfc3339);
  throw new AigwError("invalid_value", `--until ${to} is not after --since ${from}: use a later one.`);
};
