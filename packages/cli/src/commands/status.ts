import { isSilent } from "@aigw/core/acts";
import { standingOf } from "@aigw/core/clients";
import type { JobGroup } from "@aigw/core/jobs";
import { readQueues } from "@aigw/core/queue";
import { downTargets } from "@aigw/core/services";
import { locateStore, type SeenInstance } from "@aigw/core/store";
import type { Command } from "commander";
import { carryFlags } from "../app/carry-flags.ts";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { type WhoRuns, whoRuns } from "../app/who-runs.ts";
import { queueWords } from "../findings/queue-words.ts";
import { downWords } from "../findings/target-words.ts";
import { queueJson } from "../json/queue.ts";
import { downTargetJson } from "../json/service.ts";
import { renderFields } from "../terminal/output/fields.ts";
import { grouped, humanBytes } from "../terminal/output/figures.ts";
import type { Tone } from "../terminal/output/style.ts";
import { type Cell, type Column, renderTable } from "../terminal/output/table.ts";
import { rfc3339, when } from "../terminal/output/time.ts";
import type { View } from "../terminal/output/view.ts";
import { listed } from "../terminal/output/words.ts";
import { headed } from "../terminal/output/wrap.ts";

export const command = (ctx: Context): Command =>
  describe("status", "Show the running gateways, what they have applied, and what the store holds.", [
    ["aigw status", "at a glance"],
    ["aigw status --json | jq '.gateways[] | select(.droppedUsage > 0)'", "gateways that lost usage"],
    ["aigw status --json | jq .confirmed", "false, with exit code 1, when a gateway may run and does not report"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store, clock, path, storeUrl }) => {
    const revision = await store.control.head();
    const clients = await store.control.clients();
    const services = await store.control.services();
    const queues = await readQueues(store, services);
    const running = await whoRuns(store.traffic);
    const { gateways, problem } = running;
    const down = downTargets(gateways.filter((gateway) => !isSilent(gateway)));
    const disabled = services.filter((service) => service.disabled !== undefined);
    const active = clients.filter((client) => standingOf(client, clock.now()) === "active").length;
    const jobs = jobCounts(await store.traffic.jobGroups({}));
    const { location } = await locateStore(storeUrl);
    await ctx.out.answer({
      json: () => ({
        home: path,
        store: { kind: location.engine, id: store.control.storeId },
        revision,
        clients: { active, total: clients.length },
        services: services.length,
        jobs,
        confirmed: problem === undefined,
        targetsDown: down.map(downTargetJson),
        queues: queues.map(queueJson),
        gateways: gateways.map(gatewayJson),
      }),
      quiet: () => [...new Set(gateways.map(({ address }) => address))],
      text: async (view) => {
        const facts = renderFields(view, [
          ["Home", path],
          ["Store", location.path === undefined ? location.shown : location.engine],
          ["Revision", String(revision)],
          ["Clients", `${active} active of ${clients.length}`],
          [
            "Services",
            `${services.length}${disabled.length === 0 ? "" : `, out of use: ${listed(disabled.map(({ name }) => name))}`}`,
          ],
          ["Jobs", jobsInWords(jobs)],
          ["Gateways", carryFlags(countOf(running), ctx.globals)],
        ]);
        if (gateways.length === 0) return facts;
        const workers = gateways.some(({ worker }) => worker !== undefined);
        const rows = gateways.map((gateway) => row(view, gateway, revision, workers));
        const table = `${facts}\n\n${await renderTable(view, columns(workers), rows)}`;
        const refusing = gateways.filter(({ openFiles }) => (openFiles?.refused ?? 0) > 0);
        return [
          table,
          ...down.map((target) => headed(view, target.service, "red", downWords(target))),
          ...queues.map((queue) =>
            headed(view, queue.service, queue.waiting > 0 ? "yellow" : "green", queueWords(queue)),
          ),
          ...refusing.map((gateway) => headed(view, gateway.id, "red", carryFlags(outOfFiles(gateway), ctx.globals))),
        ].join("\n");
      },
    });
    if (problem !== undefined) throw problem;
  });

interface JobCounts {
  readonly waiting: number;
  readonly running: number;
  readonly ended: number;
  /** On the disk. */
  readonly storedBytes: number;
}

const jobCounts = (groups: readonly JobGroup[]): JobCounts => {
  const count = (...states: readonly string[]): number =>
    groups.filter(({ state }) => states.includes(state)).reduce((sum, group) => sum + group.count, 0);
  const all = groups.reduce((sum, group) => sum + group.count, 0);
  const waiting = count("queued", "receiving");
  const running = count("running");
  const storedBytes = groups.reduce((sum, group) => sum + group.storedBytes, 0);
  return { waiting, running, ended: all - waiting - running, storedBytes };
};

/** Empty where there is none. */
const jobsInWords = ({ waiting, running, ended, storedBytes }: JobCounts): string =>
  waiting + running + ended === 0
    ? ""
    : `${grouped(waiting)} waiting, ${grouped(running)} running, ${grouped(ended)} ended; ${humanBytes(storedBytes)} on the disk`;

const countOf = ({ gateways, problem }: WhoRuns): string => {
  if (gateways.length > 0) return `${gateways.length}${problem === undefined ? "" : ", not all of them confirmed"}`;
  return problem === undefined ? "none is running; start one: aigw serve" : "not known";
};

const gatewayJson = (gateway: SeenInstance): Readonly<Record<string, unknown>> => ({
  id: gateway.id,
  address: gateway.address,
  hostname: gateway.hostname ?? null,
  worker: gateway.worker ?? null,
  pid: gateway.pid,
  version: gateway.version,
  startedAt: rfc3339(gateway.startedAt),
  state: gateway.state,
  silent: isSilent(gateway),
  appliedRev: gateway.appliedRev,
  requestsPerSecond: gateway.requestsPerSecond,
  droppedUsage: gateway.droppedUsage,
  openFiles: gateway.openFiles ?? null,
  lastSeenAgoMs: gateway.lastSeenAgoMs,
});

const outOfFiles = ({ openFiles }: SeenInstance): string =>
  `has refused ${openFiles?.refused} connections and calls: it may open ${openFiles?.limit} files. See: aigw doctor`;

/** @param workers whether some of the gateways are workers */
const columns = (workers: boolean): readonly Column[] => [
  { title: "Gateway" },
  ...(workers ? [{ title: "Worker", align: "right" } as const] : []),
  { title: "State" },
  { title: "Applied", align: "right" },
  { title: "Req/s", align: "right" },
  { title: "Dropped", align: "right" },
  { title: "Since" },
  { title: "Pid", align: "right" },
  { title: "Version" },
  { title: "Id" },
];

const STATES: Readonly<Record<SeenInstance["state"], Tone>> = { ready: "green", stale: "red", draining: "yellow" };

const row = (view: View, gateway: SeenInstance, revision: number, workers: boolean): readonly Cell[] => [
  gateway.address,
  ...(workers ? [String(gateway.worker ?? "")] : []),
  isSilent(gateway) ? { text: "silent", tone: "red" } : { text: gateway.state, tone: STATES[gateway.state] },
  gateway.appliedRev >= revision
    ? `${gateway.appliedRev}`
    : { text: `${gateway.appliedRev}/${revision}`, tone: "yellow" },
  gateway.requestsPerSecond.toFixed(1),
  gateway.droppedUsage === 0 ? "0" : { text: String(gateway.droppedUsage), tone: "red" },
  when(view, gateway.startedAt),
  String(gateway.pid),
  gateway.version,
  gateway.id,
];
