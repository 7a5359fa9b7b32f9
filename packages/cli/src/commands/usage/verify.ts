import { AigwError } from "@aigw/core/errors";
import { type UsageProblem, type UsageProof, usageMac, verifyUsage } from "@aigw/core/usage";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { interruptible } from "../../app/interruptible.ts";
import { parseSince } from "../../app/parse-value.ts";
import { escapeText } from "../../terminal/output/escape.ts";
import { grouped } from "../../terminal/output/figures.ts";
import { rfc3339 } from "../../terminal/output/time.ts";
import { counted } from "../../terminal/output/words.ts";
import { prose } from "../../terminal/output/wrap.ts";

export interface VerifyOptions {
  /** Milliseconds since the epoch; undefined: all there is. */
  readonly since: number | undefined;
}

export const command = (ctx: Context): Command =>
  describe(
    "verify",
    "Prove that the usage on record is what the gateways recorded: nothing gone, altered or added. Exit code 1 if not.",
    [
      ["aigw usage verify", "every event and every sum there is"],
      ["aigw usage verify --since 7d", "the last days"],
      ["aigw usage verify --json | jq '.problems[]'", "what is wrong, a line each"],
    ],
  )
    .option(
      "--since <when>",
      "30m, 24h, 7d, a day (UTC) or a date-time; all there is unless given",
      flag("--since", (value) => parseSince(value, ctx.clock.now())),
    )
    .action(({ since }: { readonly since?: number }) => run({ since }, ctx));

export const run = ({ since }: VerifyOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store, sealer, clock }) => {
    const proof = await interruptible(ctx, (signal) =>
      verifyUsage({
        traffic: store.traffic,
        mac: usageMac(sealer, store.control.storeId),
        since: since ?? 0,
        until: clock.now(),
        signal,
        onEvents: progress(ctx),
      }),
    );
    const { problems } = proof;
    await ctx.out.answer({
      json: () => ({
        ok: problems.length === 0,
        ...{ since: rfc3339(proof.since), until: rfc3339(proof.until) },
        compared: { events: proof.events, batches: proof.batches, sums: proof.sums },
        ...{ dropped: proof.dropped, unproven: proof.unproven },
        problems: problems.map(problemJson),
      }),
      quiet: () => problems.map(problemInWords),
      text: (view) => [...problems.map(problemInWords), summaryOf(proof)].map((line) => prose(view, line)).join("\n"),
    });
    if (problems.length > 0)
      throw new AigwError(
        "failed",
        `The usage on record is not what the gateways recorded: ${counted(problems.length, "problem")}. A backup may still have it.`,
      );
  });

const PROGRESS_MS = 2_000;

const progress = (ctx: Context): ((events: number) => void) => {
  let toldAt = performance.now();
  return (events) => {
    const now = performance.now();
    if (now - toldAt < PROGRESS_MS) return;
    toldAt = now;
    void ctx.out.note(`${grouped(events)} events read so far …`);
  };
};

const summaryOf = ({ events, batches, sums, dropped, unproven, since, problems }: UsageProof): string =>
  [
    `${counted(events, "event")} in ${counted(batches, "sealed batch", "sealed batches")} and ${counted(sums, "sum")} compared, from ${rfc3339(since).slice(0, 10)} (UTC) on: ${problems.length === 0 ? "all as recorded" : counted(problems.length, "problem")}.`,
    ...(dropped > 0
      ? [
          `${counted(dropped, "event")} could not be stored in an outage, and ${dropped === 1 ? "was" : "were"} dropped, as sealed.`,
        ]
      : []),
    ...(unproven > 0
      ? [
          `${counted(unproven, "event")} of an earlier version of the gateway ${unproven === 1 ? "has" : "have"} no seal: nothing proves them.`,
        ]
      : []),
  ].join(" ");

const problemJson = (problem: UsageProblem): Readonly<Record<string, unknown>> =>
  problem.kind === "sums"
    ? { ...problem, day: rfc3339(problem.day).slice(0, 10), message: problemInWords(problem) }
    : { ...problem, message: problemInWords(problem) };

const SUMS = {
  hours: "hours",
  days: "days",
  totals: "hours of all clients",
  dayTotals: "days of all clients",
  months: "months",
};

const problemInWords = (problem: UsageProblem): string => {
  switch (problem.kind) {
    case "missing":
      return `${counted(problem.events, "event")} of ${rangeOf(problem)} ${problem.events === 1 ? "is" : "are"} gone.`;
    case "altered":
      return `${rangeOf(problem)} ${problem.from === problem.to ? "is" : "are"} not what was recorded: altered, or added.`;
    case "repeated":
      return `${rangeOf(problem)} is on record more than once.`;
    case "unsealed":
      return `${counted(problem.events, "event")} of ${rangeOf(problem)} ${problem.events === 1 ? "has" : "have"} no seal: added, or ${problem.events === 1 ? "its" : "their"} seal is gone.`;
    case "foreign":
      return `The event ${escapeText(problem.id)} has an id that no gateway gives: added.`;
    case "sums": {
      const [period, ...key] = problem.key;
      const names = key.filter((part) => part !== "").join(", ");
      return `The sums by ${SUMS[problem.sums]} of ${rfc3339(Number(period)).slice(0, 16)}Z (${escapeText(names)}) are not what the events come to.`;
    }
  }
};

const rangeOf = ({
  gateway,
  from,
  to,
}: {
  readonly gateway: string;
  readonly from: number;
  readonly to: number;
}): string =>
  from === to ? `event ${from} of ${escapeText(gateway)}` : `events ${from} to ${to} of ${escapeText(gateway)}`;
