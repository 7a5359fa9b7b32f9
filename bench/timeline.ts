/**
 * `node bench/timeline.ts [--clients 2000] [--limit 600] [--per-second 1000] [--seconds 8]`: where each millisecond over
 * the median goes. One gateway, calls by a schedule; beside them, on the same clock, what kept its event loop: the
 * collector, commits and checkpoints, long statements, turns that were late, and time for which it had no processor. Told
 * is how much of the time over the median lies within each. Spans lie in each other (a commit in a late turn), so shares
 * do not add up to one.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { LoadActs } from "./peers/load.ts";
import { startNginx } from "./peers/nginx.ts";
import type { SeedActs } from "./peers/seed.ts";
import { number } from "./support/figure.ts";
import { startGateway, temporaryFolder } from "./support/home.ts";
import { askOnce } from "./support/peer.ts";
import { stopAll } from "./support/processes.ts";
import { quantile } from "./support/statistics.ts";
import type { Span } from "./support/timeline-spy.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "2000" },
    limit: { type: "string", default: "600" },
    "per-second": { type: "string", default: "1000" },
    seconds: { type: "string", default: "8" },
  },
});
const [clients, limit, perSecond, seconds] = [values.clients, values.limit, values["per-second"], values.seconds].map(
  Number,
) as [number, number, number, number];

const NO_PROCESSOR = "no processor";

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Call {
  readonly from: number;
  readonly until: number;
}

const overlap = ({ from, until }: Call, [, start, end]: Span): number =>
  Math.max(0, Math.min(until, end) - Math.max(from, start));

const spansOf = (folder: string): Map<string, Span[]> => {
  const all = readdirSync(folder).flatMap((file) => {
    const thread = file.split(".").at(-1);
    const spans = JSON.parse(readFileSync(join(folder, file), "utf8")) as Span[];
    return spans.map(([what, from, until]): Span => [thread === "0" ? what : `thread: ${what}`, from, until]);
  });
  return Map.groupBy(
    all.toSorted((a, b) => a[1] - b[1]),
    ([what]) => what,
  );
};

const run = async (): Promise<void> => {
  const { url: upstream } = await startNginx();
  const home = join(temporaryFolder(), "home");
  const tokens = await askOnce<SeedActs, "home">("seed.ts", "home", {
    home,
    upstream,
    clients,
    limit,
    events: 0,
    tokens: clients,
  });
  const folder = temporaryFolder();
  const spy = `--import=${join(import.meta.dirname, "support/timeline-spy.ts")}`;
  const gateway = await startGateway(home, [], undefined, [spy], { AIGW_TIMELINE: join(folder, "spans") });
  const url = `${gateway.url}/api/echo`;
  const load = (duration: number) =>
    askOnce<LoadActs, "constant">("load.ts", "constant", {
      url,
      token: "",
      tokens,
      perSecond,
      seconds: duration,
      requestIds: "t",
    });
  await load(3);
  const { start, endedAt } = await load(seconds);
  await gateway.stop();
  const calls = endedAt.map((until, index): Call => ({ from: start + (index * 1_000) / perSecond, until }));
  const took = calls.map(({ from, until }) => until - from);
  const median = quantile(took, 0.5);
  const [p99, p999] = [quantile(took, 0.99), quantile(took, 0.999)];
  say(`${calls.length} calls, ${perSecond}/s, ${clients} clients of limit ${limit}`);
  say(`p50 ${number(median)}, p99 ${number(p99)}, p99.9 ${number(p999)}, max ${number(Math.max(...took))} ms`);
  const spansByName = spansOf(folder);
  // Others want the processor, too, on a machine that is not idle: that is not what is looked for.
  const without = spansByName.get(NO_PROCESSOR) ?? [];
  const own = calls.map((call) => call.until - call.from - without.reduce((sum, span) => sum + overlap(call, span), 0));
  const ownMedian = quantile(own, 0.5);
  const bound = quantile(own, 0.99);
  say(
    `less the time without a processor: p50 ${number(ownMedian)}, p99 ${number(bound)}, p99.9 ${number(quantile(own, 0.999))} ms`,
  );
  const slow = calls.filter((_, index) => (own[index] ?? 0) >= bound);
  const over = own.reduce((sum, ms) => sum + (ms >= bound ? ms - ownMedian : 0), 0);
  say(`by that, the slowest ${slow.length} are ${number(over)} ms over the median, all together; of these lie within`);
  const rows = [...spansByName].map(([what, spans]) => {
    const during = spans.filter((span) => span[2] >= start);
    const long = during.map(([, from, until]) => until - from);
    const within = slow.reduce((sum, call) => sum + during.reduce((all, span) => all + overlap(call, span), 0), 0);
    return { what, count: long.length, total: long.reduce((a, b) => a + b, 0), max: Math.max(0, ...long), within };
  });
  for (const { what, count, total, max, within } of rows.toSorted((a, b) => b.within - a.within)) {
    if (count === 0) continue;
    const share = `${number((100 * within) / over)} %`.padStart(7);
    say(`${share}  ${what}: ${count} times, ${number(total)} ms, the longest ${number(max)} ms`);
  }
};

process.on("SIGINT", () => process.exit(130));
try {
  await run();
} finally {
  await stopAll();
}
process.exit();
