import { setTimeout as delay } from "node:timers/promises";
import type { LoadActs } from "../peers/load.ts";
import { startNginx } from "../peers/nginx.ts";
import { now } from "../support/clock.ts";
import { atMost, number } from "../support/figure.ts";
import { AIGW, addClient, cleanEnv, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { startPeer } from "../support/peer.ts";
import { LOAD_CORE, startPinned, until } from "../support/processes.ts";
import type { Row } from "../support/row.ts";
import { quantile } from "../support/statistics.ts";

/** The calls that are timed, and those of somebody else beside them; both are shown. */
const WATCHED_PER_SECOND = 50;
const OTHERS_PER_SECOND = 450;

/** From the last byte of an answer at the client until `aigw usage tail -f` has written its line. */
export const tail: Row = {
  name: "tail",
  tools: ["taskset", "nginx"],
  measure: async ({ say, rounds, seconds }) => {
    const upstream = await startNginx();
    const home = prepareHome(upstream.url);
    const gateway = await startGateway(home);
    const url = `${gateway.url}/api/echo`;
    const [watched, others] = await Promise.all(
      ["watched", "others"].map((name) => tokenFor(gateway.url, addClient(home, name))),
    );
    const args = [...AIGW, "usage", "tail", "-f", "-n", "0", "--json"];
    const shown = startPinned(LOAD_CORE, process.execPath, args, cleanEnv(home));
    const seenAt = new Map<string, number[]>();
    let rest = "";
    shown.child.stdout?.on("data", (text: string) => {
      const at = now();
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { requestId } = JSON.parse(line) as { readonly requestId: string };
        seenAt.set(requestId, [...(seenAt.get(requestId) ?? []), at]);
      }
    });
    const [watcher, other] = [startPeer<LoadActs>("load.ts"), startPeer<LoadActs>("load.ts")];
    await until("tail to follow", async () => {
      const one = { url, token: watched ?? "", perSecond: 50, seconds: 0.1, requestIds: `early-${seenAt.size}` };
      await watcher.ask("constant", one);
      return seenAt.size > 0;
    });
    const duration = Math.max(5, rounds * seconds);
    const [calls, beside] = await Promise.all([
      watcher.ask("constant", {
        url,
        token: watched ?? "",
        perSecond: WATCHED_PER_SECOND,
        seconds: duration,
        requestIds: "watched",
      }),
      other.ask("constant", {
        url,
        token: others ?? "",
        perSecond: OTHERS_PER_SECOND,
        seconds: duration,
        requestIds: "other",
      }),
    ]);
    const wanted = (prefix: string, count: number): string[] =>
      Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
    const ids = [...wanted("watched", calls.count), ...wanted("other", beside.count)];
    await until("all calls to be shown", () => ids.every((id) => seenAt.has(id)));
    // One that is shown twice need not be shown twice at once.
    await delay(500);
    const twice = ids.filter((id) => seenAt.get(id)?.length !== 1);
    if (twice.length > 0) throw new Error(`shown more than once: ${twice.slice(0, 5).join(", ")}`);
    const delays = calls.endedAt.map((at, index) => (seenAt.get(`watched-${index}`)?.[0] ?? Number.NaN) - at);
    const at = (share: number): string => number(quantile(delays, share));
    say(`${ids.length} calls in ${duration} s, all shown, each once`);
    return [
      {
        what: "`usage tail -f`: event shown after the response ended, p99",
        value: quantile(delays, 0.99),
        unit: "ms",
        target: atMost(1_000, 250),
        from: `p50 ${at(0.5)}, max ${at(1)} ms; ${delays.length} calls at ${WATCHED_PER_SECOND}/s beside ${OTHERS_PER_SECOND}/s of others`,
      },
    ];
  },
};
