import type { SeenInstance, Service } from "@aigw/core";
import { seenTargets } from "@aigw/core/services";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { runningGateways } from "../../app/who-runs.ts";
import { serviceJson } from "../../json/service.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { formatDuration, when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { targetCell } from "./target-words.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List all services.", [
    ["aigw service list", "a table"],
    ["aigw service list -q", "the names, a line each"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store }) => {
    const services = await store.control.services();
    const gateways = services.length === 0 ? [] : await runningGateways(store.traffic);
    await ctx.out.answer({
      json: () => ({ services: services.map((service) => serviceJson(service, gateways)) }),
      quiet: () => services.map((service) => service.name),
      text: (view) =>
        services.length === 0
          ? ""
          : renderTable(
              view,
              COLUMNS,
              services.flatMap((service) => rows(view, service, gateways)),
            ),
    });
    if (services.length === 0) await ctx.out.note("There is no service yet. Add one: aigw service add <name> <url>");
  });

const COLUMNS: readonly Column[] = [
  { title: "Name" },
  { title: "URL", key: true },
  { title: "State" },
  { title: "Timeout", align: "right" },
  { title: "Idle", align: "right" },
  { title: "At once", align: "right" },
  { title: "Meter" },
  { title: "Headers" },
  { title: "Created" },
];

/** One for each target; what is the service's own stands in the first. */
const rows = (view: View, service: Service, gateways: readonly SeenInstance[]): readonly (readonly Cell[])[] =>
  seenTargets(service, gateways).map((target, index) => [
    index === 0 ? service.name : "",
    target.url,
    service.disabled === undefined ? targetCell(view, target) : { text: "disabled", tone: "yellow" },
    ...(index === 0
      ? [
          formatDuration(service.timeoutMs),
          formatDuration(service.idleTimeoutMs),
          service.queue?.concurrency.toString() ?? "",
          service.meter ?? "",
          service.headers.map((header) => header.name).join(","),
          when(view, service.createdAt),
        ]
      : ["", "", "", "", "", ""]),
  ]);
