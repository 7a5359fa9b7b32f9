import { type GrantsInput, grantClient } from "@aigw/core/acts";
import { parseLine } from "@aigw/core/clients";
import { parseInstant, rfc3339 } from "@aigw/core/date-time";
import { AigwError } from "@aigw/core/errors";
import { readPlans } from "@aigw/core/plans";
import { dayAfter, grantInWords, parseGrant, timeZone } from "@aigw/core/quotas";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { awaitApplied, reportChange, subjects } from "../../app/gateways.ts";
import { zoneOf } from "../../app/settings.ts";
import { clientJson } from "../../json/client.ts";
import { existingName } from "./client-name.ts";

const DAY_MS = 86_400_000;
const UNTIL_FORMS = "use a last day such as 2026-12-01, a date-time such as 2026-12-01T18:00:00Z, or 30d";

interface Flags {
  readonly until?: string;
  readonly note?: string;
  readonly wait: boolean;
}

export interface GrantOptions {
  readonly name: string;
  readonly amounts: GrantsInput["amounts"];
  /** As it was given: which moment a day ends in, the setting `timezone` says. */
  readonly until: string;
  readonly note?: string;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("grant", "Raise what a client's quotas allow, for a time.", [
    ["aigw client grant john pages=+500 --until 2026-12-01", "500 pages more, to the end of that day"],
    ["aigw client grant john requests=+1000 input_tokens=+2M --until 7d --note 'the fair'", "two of them, and why"],
  ])
    .argument("[name]", "the client's name")
    .argument("[amount...]", "the units of a quota and how much more of them, such as pages=+500")
    .usage("<name> <unit>=+<number>… --until <when> [options]")
    .option("--until <when>", "the last day, in the setting timezone; a date-time, or 30d")
    .option(
      "--note <text>",
      "a note for yourself",
      flag("--note", (value) => parseLine("note", value, 500)),
    )
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, amounts: readonly string[], { until, note, wait }: Flags) => {
      const name = await existingName(ctx, given, "grant");
      const usage = `aigw client grant ${name} pages=+500 --until 30d`;
      if (amounts.length === 0) throw new UsageError(`Say what is granted, such as pages=+500: ${usage}`);
      if (until === undefined) throw new UsageError(`Say until when it is granted, with --until: ${usage}`);
      await run({ name, amounts: amounts.map(parseGrant), until, ...(note !== undefined && { note }), wait }, ctx);
    });

/** @returns milliseconds since the epoch, later than `now` */
const untilOf = (value: string, zone: string, now: number): number => {
  const [, days] = /^([1-9][0-9]{0,3})d$/.exec(value) ?? [];
  if (days !== undefined) return now + Number(days) * DAY_MS;
  const { at, wholeDay } = parseInstant("--until: time", value, UNTIL_FORMS);
  const until = wholeDay ? dayAfter(timeZone(zone), at) : at;
  if (until > now) return until;
  throw new AigwError("invalid_value", `--until: '${value}' lies in the past; ${UNTIL_FORMS}.`);
};

export const run = ({ name, amounts, until: given, note, wait }: GrantOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { control } = home.store;
    const until = untilOf(given, await zoneOf(ctx, control), ctx.clock.now());
    const { result, rev } = await grantClient(home, name, { amounts, until, ...(note !== undefined && { note }) });
    const plans = await readPlans(control, [result]);
    await reportChange(ctx, {
      sentence: `${name} may use more until ${rfc3339(until)}: ${amounts.map(grantInWords).join(", ")}.`,
      quiet: name,
      json: { client: clientJson(result, ctx.clock.now(), plans), changed: true },
      applied: await awaitApplied(home, rev, `${subjects([name])} granted it`, wait),
    });
  });
