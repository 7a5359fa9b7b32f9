import { awaitGateways, gatewayName, type Receipt } from "@aigw/core/acts";
import { AigwError, isStoreFault } from "@aigw/core/errors";
import { type ReceiptJson, receiptJson } from "../json/receipt.ts";
import { listed } from "../terminal/output/words.ts";
import { prose } from "../terminal/output/wrap.ts";
import { Interrupted } from "./cli-error.ts";
import type { Context } from "./context.ts";
import type { Home } from "./home.ts";

/** How a change came through to the running gateways. */
export interface Applied {
  /** Null with `--no-wait`, and when it could not be read. */
  readonly receipt: ReceiptJson | null;
  /** A sentence for people. */
  readonly text: string;
  /** Set when it is not known to be in force everywhere. */
  readonly problem?: AigwError;
}

/**
 * @param rev the revision to wait for
 * @param done what is true by now, such as `john is revoked`
 * @param wait false with `--no-wait`
 */
export const awaitApplied = async (
  home: Pick<Home, "store" | "clock" | "onStop">,
  rev: number,
  done: string,
  wait: boolean,
): Promise<Applied> => {
  if (!wait) return { receipt: null, text: "The gateways were not waited for." };
  try {
    const receipt = await unlessStopped(home, done, () => awaitGateways(home, rev));
    const text = sentence(receipt);
    return receipt.complete
      ? { receipt: receiptJson(receipt), text }
      : { receipt: receiptJson(receipt), text, problem: notApplied(receipt, done) };
  } catch (error) {
    if (!isStoreFault(error)) throw error;
    const problem = new AigwError(
      "not_applied",
      `${done}, but whether the gateways applied it could not be confirmed: ${error.message}`,
      { cause: error },
    );
    return { receipt: null, text: problem.message, problem };
  }
};

/** Whoever loses patience is told that the change stands. */
const unlessStopped = async <T>({ onStop }: Pick<Home, "onStop">, done: string, work: () => Promise<T>): Promise<T> => {
  const { promise, reject } = Promise.withResolvers<never>();
  const unlisten = onStop(() => reject(new Interrupted(`${done}. The gateways were not waited for any longer.`)));
  try {
    return await Promise.race([work(), promise]);
  } finally {
    unlisten();
  }
};

const sentence = ({ gateways }: Receipt): string => {
  if (gateways.length === 0) return "No gateway is running; the next one starts with it.";
  const times = gateways.flatMap((gateway) => gateway.appliedAfterMs ?? []);
  const slowest = times.length === 0 ? "" : ` (slowest ${Math.max(...times)} ms)`;
  return `${times.length} of ${gateways.length} gateways applied it${slowest}.`;
};

const notApplied = ({ gateways }: Receipt, done: string): AigwError => {
  const silent = gateways.filter((gateway) => gateway.appliedAfterMs === undefined);
  const names = silent.map(
    (gateway) =>
      `${gatewayName(gateway)} (${gateway.id}, last seen ${(gateway.lastSeenAgoMs / 1000).toFixed(1)} s ago)`,
  );
  return new AigwError(
    "not_applied",
    `${done}, but ${silent.length} of ${gateways.length} gateways did not confirm it within 3 s: ${names.join(", ")}. See: aigw status`,
    { details: { gateways: silent.map((gateway) => gateway.id) } },
  );
};

/** What became of one subject of a change. */
export interface ChangedOne {
  /** What happened, such as `john revoked.` */
  readonly sentence: string;
  readonly quiet: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface ChangeReport extends ChangedOne {
  readonly applied: Applied;
}

/** The answer of every verb that changes something in force: what was done, and the proof. @throws AigwError `not_applied` */
export const reportChange = (ctx: Context, { applied, ...one }: ChangeReport): Promise<void> =>
  reportChanges(ctx, "", [one], applied);

/**
 * The same of several subjects of one change: a receipt for each. In JSON a single one stands alone.
 * @param plural the field of their list, such as `clients`
 * @throws AigwError `not_applied`
 */
export const reportChanges = async (
  ctx: Context,
  plural: string,
  changes: readonly ChangedOne[],
  applied: Applied,
): Promise<void> => {
  const { receipt, text, problem } = applied;
  if (problem === undefined || ctx.out.mode !== "text") {
    const documents = changes.map(({ json }) => ({ ...json, receipt }));
    await ctx.out.answer({
      json: () => (documents.length === 1 ? documents[0] : { [plural]: documents }),
      quiet: () => changes.map(({ quiet }) => quiet),
      text: (view) => changes.map(({ sentence: said }) => prose(view, `${said} ${text}`)).join("\n"),
    });
  }
  if (problem !== undefined) throw problem;
};

/** `john is`, `john, mary are`: who is revoked, removed and so on, of many the first few. */
export const subjects = (names: readonly string[]): string => `${listed(names)} ${names.length === 1 ? "is" : "are"}`;
