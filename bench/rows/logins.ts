import type { Latencies, LoadActs } from "../peers/load.ts";
import { startNginx } from "../peers/nginx.ts";
import { atMost, number } from "../support/figure.ts";
import { addClient, type Credentials, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { startPeer } from "../support/peer.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";

const LOGINS = 50;
const CLIENTS = 10;
const PER_SECOND = 500;
/** 50 hashes take about a second of processor time: longer, and the quiet part would hide what they do. */
const SECONDS = 1;

/** Calls at a constant rate, alone and while 50 right logins at once are being answered. */
export const logins: Row = {
  name: "logins",
  tools: ["taskset", "nginx"],
  measure: async ({ say, rounds }) => {
    const upstream = await startNginx();
    const home = prepareHome(upstream.url);
    const client = addClient(home, "bench");
    const others = Array.from({ length: CLIENTS }, (_, index) => addClient(home, `login-${index}`));
    const gateway = await startGateway(home);
    const token = await tokenFor(gateway.url, client);
    const load = startPeer<LoadActs>("load.ts");
    const calls = (): Promise<Latencies> =>
      load.ask("constant", { url: `${gateway.url}/api/echo`, token, perSecond: PER_SECOND, seconds: SECONDS });
    const during = async (): Promise<Latencies> => {
      const [latencies] = await Promise.all([calls(), burst(gateway.url, others)]);
      return latencies;
    };
    const samples = await interleave({ alone: calls, during }, 2 * rounds + 1, calls);
    const p99s = (which: keyof typeof samples): number[] => samples[which].map(({ p99 }) => p99);
    say(
      `max ${number(median(samples.during.map(({ max }) => max)))} ms during, ${number(median(samples.alone.map(({ max }) => max)))} ms alone`,
    );
    return [
      {
        what: `a burst of ${LOGINS} logins at once: API p99 during it, against before`,
        ...ratioOf(p99s("during"), p99s("alone")),
        unit: "×",
        from: `${number(median(p99s("during")))} against ${number(median(p99s("alone")))} ms`,
        target: atMost(2, 1.2),
      },
    ];
  },
};

/** @throws when one of them does not get its token */
const burst = async (url: string, clients: readonly Credentials[]): Promise<void> => {
  await Promise.all(
    Array.from({ length: LOGINS }, (_, index) => tokenFor(url, clients[index % clients.length] as Credentials)),
  );
};
