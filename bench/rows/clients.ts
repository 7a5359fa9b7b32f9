import { join } from "node:path";
import { startNginx } from "../peers/nginx.ts";
import type { SeedActs } from "../peers/seed.ts";
import { atLeast, number } from "../support/figure.ts";
import { NO_LIMIT, startGateway, temporaryFolder } from "../support/home.ts";
import { askOnce } from "../support/peer.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";
import { type Load, postScript, wrk } from "../support/wrk.ts";

const CLIENTS = 2_000;
/** Requests a minute; more than they get through here, so that every request is served and counted. */
const LIMIT = 600;

/** Many clients with a limit each, against one without a practical limit. */
export const clients: Row = {
  name: "clients",
  tools: ["taskset", "wrk", "nginx"],
  measure: async ({ rounds, seconds }) => {
    const upstream = await startNginx();
    const contender = async (clients: number, limit: number): Promise<(duration: number) => Promise<Load>> => {
      const home = join(temporaryFolder(), "home");
      const input = { home, upstream: upstream.url, clients, limit, events: 0, tokens: clients };
      const script = postScript(await askOnce<SeedActs, "home">("seed.ts", "home", input));
      const gateway = await startGateway(home);
      return (duration) => wrk(`${gateway.url}/api/echo`, script, { seconds: duration });
    };
    const loads = { one: await contender(1, NO_LIMIT), many: await contender(CLIENTS, LIMIT) };
    const samples = await interleave(
      { one: () => loads.one(seconds), many: () => loads.many(seconds) },
      rounds,
      (which) => loads[which](3),
    );
    const rates = (which: keyof typeof samples): number[] => samples[which].map((load) => load.requestsPerSecond);
    return [
      {
        what: "many clients: 2,000 tokens in rotation, limit 600 each, against one without a practical limit",
        ...ratioOf(rates("many"), rates("one")),
        unit: "×",
        from: `${number(median(rates("many")))} against ${number(median(rates("one")))} requests/s`,
        target: atLeast(0.6, 0.9),
      },
    ];
  },
};
