import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@aigw/core";
import { aigw, type Finished } from "./aigw.ts";
import { bearer, login, send } from "./http.ts";
import { allChanges, withHome } from "./prepared-home.ts";
import { within } from "./until.ts";

interface ReceiptJson {
  readonly complete: boolean;
  readonly gateways: readonly { readonly id: string; readonly appliedAfterMs: number | null }[];
}

/** One admin command, and what it said. */
export interface Act {
  readonly action: string;
  readonly subject: string;
  /** Of `client set`: the note. */
  readonly note?: string;
  readonly startedAt: number;
  readonly tookMs: number;
  readonly finished: Finished;
  readonly receipt: ReceiptJson | undefined;
}

export interface Acts {
  readonly acts: readonly Act[];
  /** Calls that a gateway served after a receipt had said that it had applied their client's revocation. */
  readonly servedAfterRevocation: number;
  stop(): Promise<void>;
}

/** A command that says that it changed something: done, or done and not confirmed by all gateways. */
export const isAcknowledged = ({ finished: { code, stdout } }: Act): boolean =>
  (code === 0 || code === 1) && stdout.trim() !== "";

/**
 * Changes the home by one command after the other: a client added, one changed, one revoked, and every third round the
 * signing key rotated, until it is stopped. The client `john` must be there.
 * @param urls of the gateways that run, by id
 */
export const startActs = (home: string, urls: ReadonlyMap<string, string>): Acts => {
  const acts: Act[] = [];
  let servedAfterRevocation = 0;
  let stopped = false;

  const act = async (facts: Pick<Act, "action" | "subject" | "note">, args: readonly string[]): Promise<Act> => {
    const startedAt = performance.now();
    const finished = await aigw(home, [...args, "--json"]);
    const answer = finished.stdout.trim() === "" ? undefined : (JSON.parse(finished.stdout) as Record<string, unknown>);
    const key = answer?.["key"] as { id: string } | undefined;
    const done = {
      ...facts,
      ...(key !== undefined && { subject: key.id }),
      startedAt,
      tookMs: performance.now() - startedAt,
      finished,
      receipt: (answer?.["receipt"] ?? undefined) as ReceiptJson | undefined,
    };
    acts.push(done);
    return done;
  };

  /** Logs the client in before it is revoked, and looks whether its token goes on. */
  const revoke = async (subject: string, password: string): Promise<void> => {
    const [first] = urls.values();
    const answer = await login(first ?? "", subject, password).catch(() => undefined);
    const token = answer?.status === 200 ? (JSON.parse(answer.body) as { access_token: string }).access_token : "";
    const { receipt } = await act({ action: "client.revoke", subject }, ["client", "revoke", subject, "--yes"]);
    for (const { id, appliedAfterMs } of receipt?.gateways ?? []) {
      const url = urls.get(id);
      if (appliedAfterMs === null || url === undefined || token === "") continue;
      const { status } = await send(`${url}/api/echo`, { headers: bearer(token) }).catch(() => ({ status: 0 }));
      if (status === 200) servedAfterRevocation += 1;
    }
  };

  const work = async (): Promise<void> => {
    for (let round = 0; !stopped; round += 1) {
      const subject = `added-${round}`;
      const added = await act({ action: "client.add", subject }, ["client", "add", subject]);
      const note = `note ${round}`;
      if (!stopped)
        await act({ action: "client.set", subject: "john", note }, ["client", "set", "john", "--note", note]);
      if (!stopped && isAcknowledged(added)) {
        const { password } = JSON.parse(added.finished.stdout) as { password: string };
        await revoke(subject, password);
      }
      if (!stopped && round % 3 === 1)
        await act({ action: "secret.activate", subject: "" }, ["secret", "rotate", "--grace", "60m", "--yes"]);
      await delay(100);
    }
  };
  const done = work();
  done.catch(() => undefined);
  return {
    acts,
    get servedAfterRevocation() {
      return servedAfterRevocation;
    },
    stop: async () => {
      stopped = true;
      await within("the acts to end", done, 60_000);
    },
  };
};

/** What became of the acts, by the log. */
export interface Reckoning {
  readonly acknowledged: number;
  /** Those of them that are not in the log, or twice. */
  readonly lost: readonly string[];
  /** Commands that neither did their work, nor said that the store is away or that somebody else was faster. */
  readonly odd: readonly string[];
  /** Commands that did not say that they had done something that is in the log, nor that this may be so. */
  readonly unclaimed: readonly string[];
}

const FINE = new Set([0, 1, 5, 6]);

/** Compares what commands acknowledged with the log. */
export const reckon = (home: string, acts: readonly Act[]): Promise<Reckoning> =>
  withHome(home, async ({ store }) => {
    const changes = await allChanges(store);
    const timesOf = ({ action, subject, note }: Act): number =>
      changes.filter(
        (change) =>
          change.action === action &&
          change.subject === subject &&
          (note === undefined || (change.after as Client | undefined)?.note === note),
      ).length;
    const shown = ({ action, subject, note = "", finished: { code, stderr } }: Act): string =>
      `${action} ${subject} ${note} (exit ${code}): ${stderr.trim().slice(0, 300)}`;
    const acknowledged = acts.filter(isAcknowledged);
    return {
      acknowledged: acknowledged.length,
      lost: acknowledged.filter((one) => timesOf(one) !== 1).map(shown),
      odd: acts
        .filter(({ finished: { code, signal } }) => signal !== null || !FINE.has(code ?? -1))
        .concat(acts.filter((one) => one.finished.code === 1 && !isAcknowledged(one) && one.subject !== ""))
        .map(shown),
      unclaimed: acts
        .filter((one) => !isAcknowledged(one) && one.subject !== "" && timesOf(one) > 0)
        .filter(({ finished: { stderr } }) => !/not known whether/.test(stderr))
        .map(shown),
    };
  });
