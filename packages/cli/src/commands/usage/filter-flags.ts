import type { Store, UsageFilter } from "@aigw/core";
import { didYouMean } from "@aigw/core/acts";
import { AigwError } from "@aigw/core/errors";
import { triedClient } from "@aigw/core/usage";
import { type Command, Option } from "commander";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { parseSince, parseStatusRange } from "../../app/parse-value.ts";
import { rfc3339 } from "../../terminal/output/time.ts";

export interface FilterFlags {
  readonly client?: string;
  readonly service?: string;
  readonly status?: { readonly from: number; readonly to: number };
}

export interface PeriodFlags {
  readonly since?: number;
  readonly until?: number;
}

/** The heading in help. */
const CALLS = "Which calls:";

export const addFilterFlags = (command: Command): Command =>
  command
    .optionsGroup(CALLS)
    .option("--client <name>", "of this client only; of the trial of its quick start: <name>:trial")
    .option("--service <name>", "of this service only")
    .addOption(
      new Option("--status <status>", "404, 4xx or 400-499")
        // What completion offers; others are taken, too.
        .choices(["2xx", "3xx", "4xx", "5xx"])
        .argParser(flag("--status", parseStatusRange)),
    )
    .optionsGroup("Options:");

/**
 * Nothing of nobody is not the same as nothing of somebody.
 * @throws AigwError `not_found` for a client or service that there is not, and that is on no record either
 */
export const assertKnown = async ({ control, traffic }: Store, { client, service }: UsageFilter): Promise<void> => {
  if (client !== undefined) {
    const isThere = (await control.client(triedClient(client) ?? client)) !== undefined;
    if (!isThere && !(await traffic.lastUsage([client])).has(client)) {
      throw unknown("client", client, await control.clients());
    }
  }
  if (service !== undefined && (await control.service(service)) === undefined) {
    const { rows } = await traffic.usageReport({ by: [], filter: { service } });
    if (rows.length === 0) throw unknown("service", service, await control.services());
  }
};

const unknown = (kind: "client" | "service", name: string, known: readonly { readonly name: string }[]): AigwError => {
  const guess = didYouMean(
    name,
    known.map((one) => one.name),
  );
  return new AigwError(
    "not_found",
    `No ${kind} is called '${name}', and no call on record is of one.${guess} List them: aigw ${kind} list`,
    { details: { name } },
  );
};

export const addPeriodFlags = (command: Command, ctx: Context, sinceHelp: string): Command => {
  const time = (value: string): number => parseSince(value, ctx.clock.now());
  return command
    .optionsGroup(CALLS)
    .option("--since <when>", sinceHelp, flag("--since", time))
    .option("--until <when>", "the same; now unless given", flag("--until", time))
    .optionsGroup("Options:");
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
