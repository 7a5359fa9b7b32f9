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
import { DAYS, type Steps } from "../support/usage.ts";

const EVENTS = 10_000_000;
const QUICK_EVENTS = 1_000_000;

const EVERYTHING = ["--since", `${DAYS + 1}d`];
const FORMS: Readonly<Record<string, readonly string[]>> = {
  "the last 24 hours by client": [],
  "everything by client": ["--by", "client", ...EVERYTHING],
  "everything by service": ["--by", "service", ...EVERYTHING],
  "everything by status": ["--by", "status", ...EVERYTHING],
  "everything by day": ["--by", "day", ...EVERYTHING],
  "everything by hour": ["--by", "hour", ...EVERYTHING],
  "one client's days": ["--by", "day", "--client", "client-7", ...EVERYTHING],
};

/** The whole command, from the shell's view: a process that starts, opens the store, sums up and prints. */
export const report: Row = {
  name: "report",
  tools: ["taskset"],
  measure: async ({ say, rounds }) => {
    const events = rounds >= 5 ? EVENTS : QUICK_EVENTS;
    const home = join(temporaryFolder(), "home");
    const store = startPeer<UsageStoreActs>("usage-store.ts");
    const { recorded, folded, bytes } = await store.ask("fill", { home, events });
    const rate = ({ events: count, seconds }: Steps): string => `${number(count / seconds)} events/s`;
    const slices = ({ p50, p99, max }: Steps): string =>
      `p50 ${number(p50)}, p99 ${number(p99)}, max ${number(max)} ms a slice`;
    say(
      `${number(events)} events: recorded ${rate(recorded)}; counted into the sums ${rate(folded)}, ${slices(folded)}`,
    );
    say(`${number(bytes / 2 ** 20)} MiB, ${number(bytes / events)} bytes an event`);

    const aigw = (args: readonly string[]): string =>
      run(GATEWAY_CORE, process.execPath, [...AIGW, "usage", "report", ...args], cleanEnv(home));
    for (const [form, args] of Object.entries(FORMS)) {
      if (!args.includes("--since") || args.includes("--client")) continue;
      const counted = Number(aigw([...args, "-q"]));
      if (counted !== events) throw new Error(`${form}: ${counted} of ${events} events are in the report`);
    }
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
    const figures = Object.entries(samples).map(
      ([form, times]): Figure => ({
        what: `\`usage report\` over ${number(events / 1e6)} million events: ${form}`,
        value: median(times),
        spread: spreadOf(times),
        unit: "ms",
        target: atMost(2_000, 200),
        from: `a process each, ${times.length} times`,
      }),
    );

    const kept = await store.ask("upkeep", { home, events });
    for (const { batch, steps } of kept.recorded) {
      say(`recorded on top, ${batch} a batch: ${rate(steps)}, p99 ${number(steps.p99)} ms a batch`);
    }
    say(`report of the last 24 h with 105,000 events not yet counted into the sums: ${number(kept.backlogReport)} ms`);
    say(`pruned: ${rate(kept.pruned)}, ${slices(kept.pruned)}`);
    say(
      `last use of 100 clients: ${number(kept.lastUsage)} ms; a request by its id: ${number(kept.usageOfRequest)} ms`,
    );
    return figures;
  },
};
