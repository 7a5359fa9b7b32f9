// Load with a schedule or with a token each; asked by the rows.
import { Worker } from "node:worker_threads";
import { now } from "../support/clock.ts";
import { LeanClient, postRequest } from "../support/lean-client.ts";
import { answer } from "../support/peer.ts";
import { quantile } from "../support/statistics.ts";
import type { Schedule } from "./pacer.ts";

/** Enough for a stall of a second at 500 requests/s, and at more. */
const MOST = 500;
const LEAD_MS = 300;

interface Constant {
  readonly url: string;
  readonly token: string;
  /** In turn, instead of `token`. */
  readonly tokens?: readonly string[];
  readonly perSecond: number;
  readonly seconds: number;
  /** Requests are `<prefix>-0`, `<prefix>-1` … */
  readonly requestIds?: string;
}

export interface Latencies {
  readonly count: number;
  /** Milliseconds, from the scheduled time to the last byte of the answer. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** How late the requests were sent, milliseconds. */
  readonly lateP99: number;
  /** When each answer ended, as {@link now} tells it; only with request ids. */
  readonly endedAt: readonly number[];
  /** When the first request was due; the others follow by the schedule. */
  readonly start: number;
}

/** An open loop: whatever the answers take, the next request goes out on time, and its latency counts from then. */
const constant = async ({
  url,
  token,
  tokens = [token],
  perSecond,
  seconds,
  requestIds,
}: Constant): Promise<Latencies> => {
  const count = Math.round(perSecond * seconds);
  const requests = Array.from({ length: requestIds === undefined ? tokens.length : count }, (_, index) =>
    postRequest(
      url,
      tokens[index % tokens.length] ?? token,
      requestIds === undefined ? {} : { "X-Request-ID": `${requestIds}-${index}` },
    ),
  );
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const client = new LeanClient(url, Math.max(MOST, perSecond), reject);
  await client.open(16);
  const start = Math.ceil(now()) + LEAD_MS;
  const everyMs = 1_000 / perSecond;
  const latencies: number[] = [];
  const late: number[] = [];
  const endedAt: number[] = [];
  const schedule: Schedule = { start, everyMs, count };
  const pacer = new Worker(new URL("./pacer.ts", import.meta.url), { workerData: schedule });
  pacer.on("error", reject);
  pacer.on("message", (index: number) => {
    const due = start + index * everyMs;
    late.push(now() - due);
    client.send(requests[index % requests.length] as Buffer, (at) => {
      latencies.push(at - due);
      endedAt[index] = at;
      if (latencies.length === count) resolve();
    });
  });
  const slow = setTimeout(
    () => reject(new Error(`${count - latencies.length} of ${count} answers are missing`)),
    LEAD_MS + seconds * 1_000 + 10_000,
  );
  try {
    await promise;
  } finally {
    clearTimeout(slow);
    client.close();
    await pacer.terminate();
  }
  return {
    count,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    max: Math.max(...latencies),
    lateP99: quantile(late, 0.99),
    endedAt: requestIds === undefined ? [] : endedAt,
    start,
  };
};

/** One call with each of these tokens, 16 at a time. */
const eachToken = async ({ url, tokens }: { readonly url: string; readonly tokens: readonly string[] }) => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const client = new LeanClient(url, MOST, reject);
  await client.open(16);
  let next = 0;
  let answered = 0;
  const go = (): void => {
    const token = tokens[next];
    if (token === undefined) return;
    next += 1;
    client.send(postRequest(url, token), () => {
      answered += 1;
      if (answered === tokens.length) resolve();
      else go();
    });
  };
  for (let turn = 0; turn < 16; turn += 1) go();
  try {
    await promise;
  } finally {
    client.close();
  }
};

const acts = { constant, eachToken };
export type LoadActs = typeof acts;
answer(acts);
