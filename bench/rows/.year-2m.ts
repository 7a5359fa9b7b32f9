import { join } from "node:path";
import type { UsageStoreActs } from "../peers/usage-store.ts";
import { now } from "../support/clock.ts";
import { atMost, type Figure, number } from "../support/figure.ts";
import { AIGW, cleanEnv, temporaryFolder } from "../support/home.ts";
import { startPeer } from "../support/peer.ts";
import { GATEWAY_CORE, run } from "../support/processes.ts";
import { interleave } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median, spreadOf } from "../support/statistics.ts";

const EVENTS = 2_000_000;
const QUICK_EVENTS = 200_000;

const YEAR = ["--since", "366d"];
const FORMS: Readonly<Record<string, readonly string[]>> = {
  "by client": ["report", "--by", "client", ...YEAR],
  "by model, with units and cost": ["report", "--by", "model", "--unit", "input_tokens,cost", ...YEAR],
  "by month and client": ["report", "--by", "month,client", "--json", ...YEAR],
  "by week": ["report", "--by", "week", ...YEAR],
  "a month's bills": ["bill"],
};

/** A year of calls, two of five services with a meter and prices; all but the last 90 days pruned, as gateways do. */
export const reportYear: Row = {
  name: "report-year",
  tools: ["taskset"],
  measure: async ({ say, rounds }) => {
    const events = rounds >= 5 ? EVENTS : QUICK_EVENTS;
    const home = join(temporaryFolder(), "home");
    const store = startPeer<UsageStoreActs>("usage-store.ts");
    const { recorded, folded, bytes, input } = await store.ask("fillYear", { home, events });
    say(
      `${number(events)} events, a third of them metered: recorded ${number(recorded.events / recorded.seconds)} events/s`,
    );
    say(`counted into the sums ${number(folded.events / folded.seconds)} events/s; ${number(bytes / 2 ** 20)} MiB`);
    const aigw = (args: readonly string[]): string =>
      run(GATEWAY_CORE, process.execPath, [...AIGW, "usage", ...args], cleanEnv(home));
    const counted = aigw(["report", ...YEAR, "--unit", "requests,input_tokens", "-q"]).trim();
    if (counted !== `${events}\n${input}`) throw new Error(`not all is in the report: ${counted}`);
    const contenders = Object.entries(FORMS).map(([form, args]) => [
      form,
      async (): Promise<number> => {
        const started = now();
        aigw(args);
        return now() - started;
      },
    ]);
    const samples = await interleave(
      Object.fromEntries(contenders) as Record<string, () => Promise<number>>,
      Math.min(rounds, 5),
    );
    return Object.entries(samples).map(
      ([form, times]): Figure => ({
        what: `\`usage\` of a year of ${number(events / 1e6)} million events: ${form}`,
        value: median(times),
        spread: spreadOf(times),
        unit: "ms",
        target: atMost(2_000, 200),
        from: `a process each, ${times.length} times`,
      }),
    );
  },
};
