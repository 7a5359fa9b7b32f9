import type { Clock, HomeExamination, MeteredCalls, ServiceUse, TrafficStore } from "@aigw/core";
import { isStoreFault } from "@aigw/core/errors";
import { RECENT_MS, readMeteredCalls, readServiceFacts } from "@aigw/core/insight";
import { sumTallies, triedClient, type UsageRow } from "@aigw/core/usage";
import { reasonsOf } from "../../findings/words.ts";
import { grouped } from "../../terminal/output/figures.ts";
import { counted, listed, times } from "../../terminal/output/words.ts";
import type { Found } from "../finding.ts";

const about = "calls";
/** Of the calls of 15 minutes, and so many at least: one in twenty is more than somebody's typing error. */
const MUCH = { share: 0.05, calls: 10 };
const NAMED = 3;

/** What became of everybody's calls of the last 15 minutes. */
export const checkCalls = async ({ store }: HomeExamination, clock: Clock): Promise<readonly Found[]> => {
  if (store === undefined) return [];
  const filter = { since: clock.now() - RECENT_MS };
  const { rows } = await store.traffic.usageReport({ by: ["client"], filter });
  return [judgeCalls(rows)];
};

/** @param rows by client */
export const judgeCalls = (rows: readonly Pick<UsageRow, "key" | "tally">[]): Found => {
  const { requests, errors, limited, denied } = sumTallies(rows.map(({ tally }) => tally));
  if (requests === 0) return { code: "calls_counted", about, message: "none in the last 15 minutes" };
  const counts = `${counted(requests, "call")} in the last 15 minutes: ${grouped(errors)} failed, ${grouped(limited)} over a limit, ${grouped(denied)} refused`;
  if (denied < MUCH.calls || denied < requests * MUCH.share) return { code: "calls_counted", about, message: counts };
  const refused = rows
    .filter(({ tally }) => tally.denied > 0)
    .toSorted((one, other) => other.tally.denied - one.tally.denied);
  const names = refused.map(({ key, tally }) => `${key[0]} ${grouped(tally.denied)}`);
  const [most = ""] = refused.map(({ key }) => String(key[0]));
  return {
    code: "calls_refused",
    about,
    message: `${counts} (${listed(names, NAMED)}).`,
    command: `aigw why ${triedClient(most) ?? most}`,
  };
};

/** How each service fared; nothing of any when usage cannot be read, which others say. */
export const serviceUse = async (traffic: TrafficStore, clock: Clock): Promise<ReadonlyMap<string, ServiceUse>> => {
  try {
    return await readServiceFacts(traffic, clock);
  } catch (error) {
    if (!isStoreFault(error)) throw error;
    return new Map();
  }
};

/** What the meters made of them; nothing when usage cannot be read. */
export const meteredCalls = async (traffic: TrafficStore, clock: Clock): Promise<readonly MeteredCalls[]> => {
  try {
    return await readMeteredCalls(traffic, clock.now() - RECENT_MS);
  } catch (error) {
    if (!isStoreFault(error)) throw error;
    return [];
  }
};

const FAILING = { share: 0.05, calls: 3 };

/**
 * One that answers now may fail calls all the same; why one does not is said with that.
 * @param answers what a request of our own found
 */
export const withUse = (answers: Found, name: string, use: ServiceUse | undefined): readonly Found[] => {
  if (use === undefined || use.errors === 0) return [answers];
  const { calls, errors, statuses, faults } = use;
  const failed = `${grouped(errors)} of ${counted(calls, "call")} in the last 15 minutes failed`;
  const isMuch = errors === calls || (errors >= FAILING.calls && errors >= calls * FAILING.share);
  if (!isMuch)
    return [answers.code === "service_answers" ? { ...answers, message: `${answers.message}; ${failed}` } : answers];
  const shown = statuses.map(({ status, errors: count }) => `${status === 0 ? "no status" : status} (${times(count)})`);
  return [
    answers,
    {
      code: "service_fails_calls",
      about: `service ${name}`,
      message: `${failed}: ${shown.join(", ")}.${answers.code === "service_answers" ? reasonsOf(faults, errors) : ""}`,
      command: `aigw usage tail --service ${name}`,
    },
  ];
};
