import { setTimeout as delay } from "node:timers/promises";
import { aigw, type Finished } from "../../support/aigw.ts";
import { type OnASet, startOnASet } from "../../support/gateways-on-a-set.ts";
import type { KnownCall } from "../../support/known-clients.ts";
import { MONGOD } from "../../support/mongodb.ts";
import { makeNamespace } from "../../support/network-namespace.ts";
import { until } from "../../support/until.ts";
import { actsOn, promisesKept } from "../load/set-under-fault.ts";
import { atMost, exactly, never, type Row, type Run, type Seen } from "../row.ts";

/** A look at the store that came to nothing, and a call's own time: so much sooner or later than `--max-stale`. */
const JITTER_MS = 1_500;
const BACK_WITHIN_MS = 2_000;
/** In health, before the fault. */
const LEAD_MS = 4_000;
const LEASE_MS = 10_000;

/** For how long gateways had no store. */
interface Away {
  readonly gateways: readonly number[];
  readonly from: number;
  /** When there was one again. */
  readonly to: number;
}

/** What is promised of known clients at gateways whose store is away for longer than `--max-stale`. */
const whileAway = (calls: readonly KnownCall[], away: Away, maxStaleMs: number) => {
  const there = calls.filter(({ gateway, client }) => away.gateways.includes(gateway) && client === "jane");
  const staleFrom = away.from + maxStaleMs;
  const within = (call: KnownCall, from: number, to: number): boolean => call.startedAt >= from && call.endedAt <= to;
  const early = there.filter((call) => within(call, away.from, staleFrom - JITTER_MS));
  const stale = there.filter((call) => within(call, staleFrom + JITTER_MS, away.to));
  const back = away.gateways.map((gateway) => {
    const first = there.find((call) => call.gateway === gateway && call.startedAt >= away.to && call.status === 200);
    return (first?.endedAt ?? Number.POSITIVE_INFINITY) - away.to;
  });
  const served = (call: KnownCall): boolean =>
    !away.gateways.includes(call.gateway) ||
    call.endedAt < staleFrom - JITTER_MS ||
    call.startedAt > away.to + BACK_WITHIN_MS;
  const seen: readonly Seen[] = [
    never("calls not served before --max-stale", early.filter(({ status }) => status !== 200).length, early.length),
    never(
      "calls after it that were answered otherwise than 503 with Retry-After",
      stale.filter(({ status, retryAfter }) => status !== 503 || retryAfter === undefined).length,
      stale.length,
    ),
    atMost("served again after the store was there, the slowest gateway", Math.max(...back), BACK_WITHIN_MS, "ms"),
  ];
  return { seen, served };
};

const oneLine = ({ code, stderr, stdout }: Finished): string =>
  `exit ${code}: ${(stderr.trim() || stdout.trim()).split("\n").slice(0, 3).join(" | ")}`;

export const cutOff: Row = {
  name: "gateway-cut-off",
  promise:
    "One of three gateways is cut off from the database: it serves known clients until --max-stale, then 503; receipts name it; when it is back it has applied everything within 2 s",
  minutes: 5,
  engine: "mongodb",
  needs: ["ip", "iptables"],
  run: async (run) => {
    const maxStaleMs = run.size(20_000, 5_000);
    const awayMs = run.size(60_000, 13_000);
    const namespace = makeNamespace(run);
    const onASet = await startOnASet(run, {
      mongod: MONGOD,
      maxStaleMs,
      host: namespace.outside,
      third: { under: namespace.under, host: namespace.inside },
    });
    const { set, gateways, home, load } = onASet;
    const cutOffId = gateways[2]?.id ?? "";
    const acts = actsOn(onASet);
    await delay(LEAD_MS);
    const from = performance.now();
    namespace.cut(set.members.map(({ port }) => port));
    await delay(Math.min(awayMs, maxStaleMs + 3_000));
    const status = await aigw(home, ["status", "--json"]);
    run.say(`status names it: ${status.stdout.includes(cutOffId)}, exit ${status.code}`);
    await delay(Math.max(0, from + awayMs - performance.now()));
    const to = performance.now();
    const meanwhile = acts.acts.filter(
      ({ startedAt, tookMs, action }) =>
        // The one that was under way when it was cut may have been confirmed before; its lease is a bit longer.
        startedAt > from && startedAt + tookMs < from + maxStaleMs + 4_000 && action !== "client.add",
    );
    const unnamed = meanwhile.filter(({ finished: { code, stderr } }) => !(code === 1 && stderr.includes(cutOffId)));
    namespace.mend();
    const mended = performance.now();
    const { head, seen: behind } = await applied(onASet, cutOffId);
    const appliedAfter = performance.now() - mended;
    run.say(`revision ${head} applied ${Math.round(appliedAfter)} ms after the line was mended; it was at ${behind}`);
    await delay(LEAD_MS);
    const { seen, served } = whileAway(load.calls, { gateways: [2], from, to: mended }, maxStaleMs);
    run.say(`cut off for ${Math.round(to - from)} ms, ${meanwhile.length} commands meanwhile`);
    return [
      ...(await promisesKept(run, onASet, acts, { served })),
      ...seen,
      never("commands meanwhile that do not name it", unnamed.length, meanwhile.length),
      atMost("everything applied after the line was mended", appliedAfter, BACK_WITHIN_MS, "ms"),
    ];
  },
};

/** Until this gateway says in `status` that it has applied all that there was when it came back. */
const applied = async ({ home }: OnASet, id: string): Promise<{ head: number; seen: number }> => {
  const { withHome } = await import("../../support/prepared-home.ts");
  return withHome(home, async ({ store }) => {
    const head = await store.control.head();
    const revOf = async (): Promise<number> =>
      (await store.traffic.instances(LEASE_MS)).find((one) => one.id === id)?.appliedRev ?? 0;
    const seen = await revOf();
    await until("everything to be applied", async () => (await revOf()) >= head, 30_000);
    return { head, seen };
  });
};

export const allAway: Row = {
  name: "all-members-gone",
  promise:
    "All members of the set are killed for 60 s, and one gateway meanwhile: known clients served up to --max-stale, then 503, never 401; usage spooled and delivered once; served again within 2 s of a primary, without a restart",
  minutes: 6,
  engine: "mongodb",
  run: async (run) => {
    const maxStaleMs = run.size(20_000, 4_000);
    const awayMs = run.size(60_000, 9_000);
    const onASet = await startOnASet(run, { mongod: MONGOD, maxStaleMs });
    const { set, gateways, home, load } = onASet;
    const acts = actsOn(onASet);
    await delay(LEAD_MS);
    const from = performance.now();
    await Promise.all(set.members.map((member) => member.kill()));
    const killAt = from + maxStaleMs / 2;
    await delay(maxStaleMs / 2);
    // What it served is on the disk; the last 200 ms may be lost, and so nobody calls it then.
    load.moveTo(2, undefined);
    await delay(500);
    gateways[2]?.child.kill("SIGKILL");
    const away = await Promise.all(
      [["status"], ["doctor"], ["why", "john"]].map(async (args) => ({ args, ...(await aigw(home, args)) })),
    );
    for (const { args, ...finished } of away) run.say(`${args.join(" ")}: ${oneLine(finished)}`);
    await delay(Math.max(0, from + awayMs - performance.now()));
    await Promise.all(set.members.map((member) => member.restart()));
    await set.primary();
    const to = performance.now();
    run.say(`away for ${Math.round(to - from)} ms; a gateway killed ${Math.round(killAt - from)} ms into it`);
    await delay(LEAD_MS);
    const next = await onASet.start();
    gateways[2] = next;
    load.moveTo(2, next.url);
    await delay(LEAD_MS);
    const { seen, served } = whileAway(load.calls, { gateways: [0, 1], from, to }, maxStaleMs);
    return [
      ...(await promisesKept(run, onASet, acts, {
        served: (call) => served({ ...call, gateway: Math.min(call.gateway, 1) }),
      })),
      ...seen,
      exactly("status and why that exit 6 meanwhile", away.filter(({ code }) => code === 6).length, 2),
      // It has more to say than that.
      never(
        "of status, why and doctor, those that do not say which servers do not answer",
        away.filter(({ stdout, stderr }) => !/No MongoDB server (answers|at)/.test(stdout + stderr)).length,
        away.length,
      ),
    ];
  },
};

export const goneGateway: Row = {
  name: "gateway-killed",
  promise:
    "A gateway that is killed is named in receipts until its lease is over, and then neither there nor in status",
  minutes: 4,
  engine: "mongodb",
  run: async (run: Run): Promise<readonly Seen[]> => {
    const maxStaleMs = run.size(20_000, 5_000);
    const { home, gateways, load } = await startOnASet(run, { mongod: MONGOD, maxStaleMs });
    await delay(LEAD_MS);
    load.moveTo(2, undefined);
    gateways[2]?.child.kill("SIGKILL");
    const killedAt = performance.now();
    const id = gateways[2]?.id ?? "";
    const note = (text: string): Promise<Finished> => aigw(home, ["client", "set", "john", "--note", text, "--json"]);
    const early = await note("killed");
    const gone = await until(
      "it to leave status",
      async () => {
        const { stdout } = await aigw(home, ["status", "--json"]);
        return !stdout.includes(id) && performance.now() - killedAt;
      },
      90_000,
    );
    const late = await note("gone");
    await load.stop();
    return [
      never("receipts that do not name it at once", Number(!(early.code === 1 && early.stderr.includes(id))), 1),
      // It may serve so long without a store; 5 s are for clocks, and one command for looking.
      atMost("in status for so long", gone / 1000, (Math.max(LEASE_MS, maxStaleMs + 5_000) + 5_000) / 1000, "s"),
      never("receipts that name it afterwards", Number(late.code !== 0 || late.stdout.includes(id)), 1),
    ];
  },
};
