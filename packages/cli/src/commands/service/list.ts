import type { Service } from "@aigw/core";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { serviceJson } from "../../json/service.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { formatDuration, when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List all services.", [
    ["aigw service list", "a table"],
    ["aigw service list -q", "the names, a line each"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const services = await control.services();
    await ctx.out.answer({
      json: () => ({ services: services.map(serviceJson) }),
      quiet: () => services.map((service) => service.name),
      text: (view) =>
        services.length === 0
          ? ""
          : renderTable(
              view,
              COLUMNS,
              services.map((service) => row(view, service)),
            ),
    });
    if (services.length === 0) await ctx.out.note("There is no service yet. Add one: aigw service add <name> <url>");
  });

const COLUMNS: readonly Column[] = [
  { title: "Name" },
  { title: "URL", key: true },
  { title: "Timeout", align: "right" },
  { title: "Idle", align: "right" },
  { title: "Meter" },
  { title: "Headers" },
  { title: "Created" },
];

const row = (view: View, service: Service): readonly Cell[] => [
  service.name,
  service.url,
  formatDuration(service.timeoutMs),
  formatDuration(service.idleTimeoutMs),
  service.meter ?? "",
  service.headers.map((header) => header.name).join(","),
  when(view, service.createdAt),
];
