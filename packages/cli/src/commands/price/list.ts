import type { Service } from "@aigw/core";
import { findService } from "@aigw/core/acts";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { settingsInForce } from "../../app/settings.ts";
import { shellQuoted } from "../../terminal/output/shell-quoted.ts";
import { type Column, renderTable } from "../../terminal/output/table.ts";

export interface ListOptions {
  /** Undefined: every service. */
  readonly service: string | undefined;
}

export const command = (ctx: Context): Command =>
  describe("list", "List the prices in force.", [
    ["aigw price list", "of every service"],
    ["aigw price list chat -q", "as price set takes them, a line each"],
  ])
    .argument("[service]", "one service alone")
    .usage("[<service>]")
    .action((service: string | undefined) => run({ service }, ctx));

/** One price of one service. */
interface Row {
  readonly service: string;
  /** Null: every model. */
  readonly model: string | null;
  readonly unit: string;
  /** Such as `0.15/1M`. */
  readonly price: string;
}

export const run = ({ service }: ListOptions, ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const services = service === undefined ? await control.services() : [await findService(control, service)];
    const currency = settingsInForce(ctx, await control.settings()).currency.value ?? null;
    const rows = services.flatMap(rowsOf);
    await ctx.out.answer({
      json: () => ({ currency, prices: rows }),
      quiet: () => rows.map(setting),
      text: (view) =>
        rows.length === 0
          ? ""
          : renderTable(
              view,
              columns(currency),
              rows.map((row) => [row.service, row.unit, row.price, row.model ?? "every"]),
            ),
    });
    if (rows.length === 0) {
      await ctx.out.note(`There is no price yet. Set one: aigw price set ${service ?? "<service>"} pages=0.01`);
    }
  });

const columns = (currency: string | null): readonly Column[] => [
  { title: "Service" },
  { title: "Unit", key: true },
  { title: currency === null ? "Price" : `Price (${currency})`, align: "right" },
  { title: "Model", key: true },
];

const rowsOf = ({ name, prices = [] }: Service): readonly Row[] =>
  prices.flatMap(({ model = null, prices: texts }) =>
    texts.map((text) => {
      const equals = text.indexOf("=");
      return { service: name, model, unit: text.slice(0, equals), price: text.slice(equals + 1) };
    }),
  );

const setting = ({ service, model, unit, price }: Row): string =>
  `${service} ${unit}=${price}${model === null ? "" : ` --model ${shellQuoted(model)}`}`;
