import { startNginx } from "../peers/nginx.ts";
import { startBare } from "../peers/peers.ts";
import type { StreamActs } from "../peers/stream-client.ts";
import type { UpstreamActs } from "../peers/upstream.ts";
import { ANSWER, USAGE } from "../support/chat-answer.ts";
import { cpuSeconds } from "../support/cpu-time.ts";
import { atLeast, atMost, type Figure, number } from "../support/figure.ts";
import { AT_ONCE, firstByteOf } from "../support/first-byte.ts";
import { addClient, aigw, type Credentials, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { startPeer } from "../support/peer.ts";
import { until } from "../support/processes.ts";
import { differenceOf, interleave, ratioOf } from "../support/rounds.ts";
import type { Effort, Row } from "../support/row.ts";
import { median, ratios } from "../support/statistics.ts";
import { type Load, postScript, wrk } from "../support/wrk.ts";

/** What a call costs more whose answer a meter reads: one gateway, one service with the meter and one without. */
export const metered: Row = {
  name: "metered",
  tools: ["taskset", "wrk", "nginx", "peers"],
  measure: async (effort) => [...(await answers(effort)), ...(await firstBytes(effort))],
};

/** A home with the services `echo` and `metered` at this upstream, and its gateway. */
const prepared = async (
  upstream: string,
): Promise<{ home: string; url: string; token: string; pid: number; stop(): Promise<void> }> => {
  const home = prepareHome(upstream);
  aigw(home, "service", "add", "metered", upstream, "--meter", "openai");
  const client: Credentials = addClient(home, "bench");
  const gateway = await startGateway(home);
  const { url, pid } = gateway;
  return { home, url, pid, token: await tokenFor(url, client), stop: () => gateway.stop() };
};

/** What was measured is void when the meter did not read each answer. */
const assertRead = async (home: string): Promise<void> => {
  await until("the totals of each call", () => {
    const values = aigw(
      home,
      "usage",
      "report",
      "--service",
      "metered",
      "--status",
      "200",
      "--unit",
      "requests,output_tokens",
      "-q",
    );
    const [calls = 0, tokens] = values.trim().split("\n").map(Number);
    return calls > 0 && tokens === calls * USAGE.completion_tokens;
  });
};

const WAYS = ["bare", "plain", "metered"] as const;
type Way = (typeof WAYS)[number];

interface Sample extends Load {
  /** Processor time for a request. */
  readonly cpuUs: number;
}

const answers = async ({ say, rounds, seconds }: Effort): Promise<readonly Figure[]> => {
  const upstream = await startNginx(ANSWER);
  const { home, url, token, pid, stop } = await prepared(upstream.url);
  const script = postScript([token]);
  const bare = await startBare(upstream.url);
  const contenders: Readonly<Record<Way, { readonly url: string; readonly script: string; readonly pid: number }>> = {
    bare,
    plain: { url: `${url}/api/echo`, script, pid },
    metered: { url: `${url}/api/metered`, script, pid },
  };
  const load = async (way: Way, duration: number): Promise<Sample> => {
    const contender = contenders[way];
    const before = cpuSeconds(contender.pid);
    const seen = await wrk(contender.url, contender.script, { seconds: duration });
    const used = cpuSeconds(contender.pid) - before;
    return { ...seen, cpuUs: (used * 1e6) / (seen.requestsPerSecond * duration) };
  };
  const rate = ({ requestsPerSecond }: Load): number => requestsPerSecond;
  const samples = await interleave<Way, Sample>(
    { bare: () => load("bare", seconds), plain: () => load("plain", seconds), metered: () => load("metered", seconds) },
    rounds,
    (way) => load(way, 3),
    ({ bare, plain, metered }) => [bare, plain].map((peer) => ratios(metered.map(rate), peer.map(rate))),
  );
  await assertRead(home);
  await stop();
  const rates = (way: Way): number[] => samples[way].map(rate);
  const costs = (way: Way): number[] => samples[way].map(({ cpuUs }) => cpuUs);
  for (const way of WAYS) {
    const p99 = median(samples[way].map((load) => load.p99Ms));
    say(
      `${way}: ${number(median(rates(way)))} requests/s, p99 ${number(p99)} ms, ${number(median(costs(way)))} µs each`,
    );
  }
  const against = (peer: Way): Pick<Figure, "value" | "spread" | "scatter" | "unit" | "from"> => ({
    ...ratioOf(rates("metered"), rates(peer)),
    unit: "×",
    from: `${number(median(rates("metered")))} against ${number(median(rates(peer)))} requests/s`,
  });
  return [
    {
      what: "throughput, governed, with the meter `openai` on JSON answers of 1 KiB, against bare",
      ...against("bare"),
      target: atLeast(0.9, 1.1),
    },
    { what: "the same against the same service without a meter", ...against("plain") },
    {
      what: "processor time for such a request, against bare",
      ...ratioOf(costs("metered"), costs("bare")),
      unit: "×",
      from: `${number(median(costs("metered")))} against ${number(median(costs("bare")))} µs`,
    },
  ];
};

const firstBytes = async ({ say, rounds, seconds }: Effort): Promise<readonly Figure[]> => {
  const upstream = startPeer<UpstreamActs>("upstream.ts");
  const { home, url, token, stop } = await prepared(await upstream.ask("listen"));
  const client = startPeer<StreamActs>("stream-client.ts");
  const round = (service: string) => firstByteOf(client, { url: `${url}/api/${service}`, token }, seconds * 2);
  const samples = await interleave({ plain: () => round("echo"), metered: () => round("metered") }, rounds, (way) =>
    round(way === "plain" ? "echo" : "metered"),
  );
  await assertRead(home);
  await stop();
  const of = (way: "plain" | "metered", share: "p50" | "p99"): number[] => samples[way].map((one) => one[share].write);
  for (const way of ["plain", "metered"] as const)
    say(`${way}: first byte p50 ${number(median(of(way, "p50")))} ms, p99 ${number(median(of(way, "p99")))} ms`);
  const later = (share: "p50" | "p99"): Pick<Figure, "value" | "spread" | "unit" | "from"> => ({
    ...differenceOf(of("metered", share), of("plain", share)),
    unit: "ms",
    from: `${number(median(of("metered", share)))} against ${number(median(of("plain", share)))} ms from the upstream's writing it`,
  });
  const what = `first byte of an event stream, ${AT_ONCE} at once, later with the meter \`openai\` than without`;
  return [
    { what: `${what}, p50`, ...later("p50"), target: atMost(0.2, 0.1) },
    { what: `${what}, p99`, ...later("p99"), target: atMost(0.2, 0.1) },
  ];
};
