import { type Act, type Acts, reckon, startActs } from "../../support/acknowledged-acts.ts";
import type { OnASet } from "../../support/gateways-on-a-set.ts";
import { LIMIT, mostInAWindow } from "../../support/gateways-on-a-set.ts";
import type { KnownCall } from "../../support/known-clients.ts";
import { allUsage, assertSound, withHome } from "../../support/prepared-home.ts";
import { until } from "../../support/until.ts";
import { isAlive } from "../../support/workers.ts";
import { count, exactly, never, type Run, type Seen } from "../row.ts";

/** What a spool of a gateway that was killed waits for: others look every 30 s. */
const DELIVERED_WITHIN_MS = 60_000;

export const actsOn = ({ home, gateways }: OnASet): Acts =>
  startActs(home, new Map(gateways.map((g) => [g.id, g.url])));

/** How often each status came, in words. */
export const statuses = (calls: readonly Pick<KnownCall, "status">[]): string => {
  const times = new Map<number, number>();
  for (const { status } of calls) times.set(status, (times.get(status) ?? 0) + 1);
  return [...times].map(([status, n]) => `${status}: ${count(n)}`).join(", ");
};

/** How long the slowest command took, milliseconds. */
const longestAct = (acts: readonly Act[]): number => Math.max(0, ...acts.map(({ tookMs }) => tookMs));

/**
 * Ends load and acts, and says what is promised of every fault.
 * @param facts.served whether a call had to be served: known clients, unless the store was away for longer than `--max-stale`
 */
export const promisesKept = async (
  run: Run,
  onASet: OnASet,
  acts: Acts,
  { served = () => true }: { readonly served?: (call: KnownCall) => boolean } = {},
): Promise<readonly Seen[]> => {
  const { home, load, admitted, unseen, gateways } = onASet;
  await acts.stop();
  await load.stop();
  const { calls, logins } = load;
  run.say(`calls: ${statuses(calls)}; logins: ${statuses(logins)}`);
  const codes = acts.acts.map(({ finished: { code } }) => code);
  run.say(
    `${acts.acts.length} commands, exit codes ${[0, 1, 5, 6].map((code) => `${code}: ${codes.filter((one) => one === code).length}`).join(", ")}; the longest took ${(longestAct(acts.acts) / 1000).toFixed(1)} s`,
  );
  const due = calls.filter(({ status }) => status === 200).map(({ id }) => id);
  let times: ReadonlyMap<string, number> = new Map();
  await until(
    "all usage to be delivered",
    async () => {
      times = await timesOf(home);
      return due.every((id) => times.has(id));
    },
    DELIVERED_WITHIN_MS,
    // What lacks is told below.
  ).catch(() => undefined);
  const lost = due.filter((id) => !times.has(id));
  const repeated = due.filter((id) => (times.get(id) ?? 0) > 1);
  const { acknowledged, lost: lostChanges, odd, unclaimed } = await reckon(home, acts.acts);
  for (const line of [...lostChanges, ...odd, ...unclaimed]) run.say(line);
  const unsound = await withHome(home, assertSound).then(
    () => undefined,
    (error: unknown) => String(error),
  );
  if (unsound !== undefined) run.say(unsound);
  const mustBeServed = calls.filter(served);
  const refused = mustBeServed.filter(({ client, status }) => status !== 200 && !(client === "john" && status === 429));
  for (const { client, gateway, status, startedAt } of refused.slice(0, 5))
    run.say(`${client} at gateway ${gateway}: ${status} at ${Math.round(startedAt)}`);
  const unauthorized = [...calls, ...logins].filter(({ status }) => status === 401 || status === 403);
  const strange = logins.filter(({ status, retryAfter }) => status !== 200 && !(status === 503 && retryAfter));
  // Whoever is added is known at the first login: there is nothing to wait for.
  const confirmed = acts.acts.filter((act) => act.finished.code === 0 && act.action !== "client.add");
  const falseReceipts = confirmed.filter(({ receipt }) => receipt?.complete !== true || receipt.gateways.length < 2);
  const dead = gateways.filter(({ pid }) => !isAlive(pid)).length;
  return [
    never("acknowledged changes lost", lostChanges.length, acknowledged),
    never("commands that ended otherwise than done, not confirmed, conflict or store away", odd.length, codes.length),
    never("changes in the log of commands that said that they failed", unclaimed.length, codes.length),
    never("commands that exit 0 with a receipt that is not complete", falseReceipts.length, confirmed.length),
    exactly("calls served after the receipt of their client's revocation", acts.servedAfterRevocation, 0),
    never(
      "logs with a gap, views that are not their log, other than one key that signs",
      Number(unsound !== undefined),
      1,
    ),
    notBeyond(`most of a limit of ${LIMIT} in any rolling 60 s`, mostInAWindow(admitted.get("john")), LIMIT),
    ...(unseen.size === 0
      ? []
      : [
          notBeyond(
            `and of clients of whose permits only one gateway knew when the fault began`,
            Math.max(...[...unseen.keys()].map((name) => mostInAWindow(admitted.get(name)))),
            LIMIT,
          ),
        ]),
    never("calls of known clients not served while they must be", refused.length, mustBeServed.length),
    never("valid tokens or passwords refused", unauthorized.length, calls.length + logins.length),
    never("logins that are answered otherwise than 200, or 503 with Retry-After", strange.length, logins.length),
    never("usage events lost", lost.length, due.length),
    never("usage events there twice", repeated.length, due.length),
    never("gateways that ended", dead, gateways.length),
  ];
};

const notBeyond = (what: string, seen: number, most: number): Seen => ({
  what,
  seen: count(seen),
  promised: `≤ ${most}`,
  kept: seen > 0 && seen <= most,
});

/** How often each call is in the store, by its request's id. */
const timesOf = async (home: string): Promise<ReadonlyMap<string, number>> => {
  const times = new Map<string, number>();
  for (const { requestId } of await withHome(home, ({ store }) => allUsage(store)))
    times.set(requestId, (times.get(requestId) ?? 0) + 1);
  return times;
};

/** The longest time for which a client that was always due was not served, milliseconds. */
export const longestGap = (calls: readonly KnownCall[], client: string): number => {
  const served = calls.filter((call) => call.client === client && call.status === 200).map(({ endedAt }) => endedAt);
  const sorted = served.toSorted((a, b) => a - b);
  return Math.max(0, ...sorted.map((at, index) => at - (sorted[index - 1] ?? at)));
};
