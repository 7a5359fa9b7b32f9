import { findService } from "@aigw/core/acts";
import { AigwError } from "@aigw/core/errors";
import {
  type MeterSpec,
  MILLION,
  meterProblemInWords,
  metersInWords,
  millionthsInWords,
  parseMeters,
  Tariff,
  unitsOf,
} from "@aigw/core/meters";
import { priceListsOf, type Service } from "@aigw/core/services";
import type { Reading } from "@aigw/runtime/try-meter";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { parseCount } from "../../app/parse-value.ts";
import { settingsInForce } from "../../app/settings.ts";
import { type Field, renderFields } from "../../terminal/output/fields.ts";
import { pricesInWords } from "../../terminal/output/prices.ts";
import { existingName } from "./service-name.ts";
import { type MessageInFile, readMessageFile } from "./stored-message.ts";

export interface MeterOptions {
  readonly name: string;
  /** In place of the service's own. */
  readonly meter: MeterSpec | undefined;
  /** Undefined: the meter itself is shown. */
  readonly answer: MessageInFile | undefined;
  readonly request: MessageInFile | undefined;
}

interface Flags {
  readonly try?: string;
  readonly request?: string;
  readonly meter?: MeterSpec;
  readonly type?: string;
  readonly status?: number;
}

export const command = (ctx: Context): Command =>
  describe("meter", "Show how a service's calls are metered, or what its meter reads from an answer that was kept.", [
    ["aigw service meter chat", "its meter, units and prices"],
    ["aigw service meter chat --try answer.json", "what it reads from this answer"],
    ["aigw service meter ocr --try answer.http --meter json:pages=/pages", "another meter, before it is set"],
    ["aigw service meter whisper --try answer.srt --request speech.wav", "with the request, for request: meters"],
  ])
    .argument("[name]", "the service's name")
    .usage("<name> [options]")
    .option("--try <file>", "an answer of the service: its content, or with its head as curl -i writes it")
    .option("--request <file>", "the content of the request that it answers")
    .option(
      "--meter <meter>",
      "in place of the service's own",
      flag("--meter", (value) => parseMeters(value)),
    )
    .option("--type <type>", "the answer's Content-Type, where the file does not say it")
    .option(
      "--status <status>",
      "the answer's status, where the file does not say it (200)",
      flag("--status", (value) => parseCount("status", value, 200, 599)),
    )
    .action(async (given: string | undefined, flags: Flags) => {
      const { cwd } = ctx.io;
      if (flags.try === undefined && (flags.request ?? flags.meter ?? flags.type ?? flags.status) !== undefined) {
        throw new UsageError("There is nothing to try. Name a file with an answer: --try <file>");
      }
      const name = await existingName(ctx, given, "meter");
      const kept = flags.try === undefined ? undefined : readMessageFile("--try", flags.try, cwd);
      const answer = kept && {
        ...kept,
        status: kept.status ?? flags.status,
        fields: flags.type === undefined ? kept.fields : [...withoutType(kept.fields), "Content-Type", flags.type],
      };
      const request = flags.request === undefined ? undefined : readMessageFile("--request", flags.request, cwd);
      await run({ name, meter: flags.meter, answer, request }, ctx);
    });

const withoutType = (fields: readonly string[]): readonly string[] =>
  fields.filter((_, index) => fields[index - (index % 2)]?.toLowerCase() !== "content-type");

export const run = ({ name, meter, answer, request }: MeterOptions, ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const service = await findService(control, name);
    const currency = settingsInForce(ctx, await control.settings()).currency.value ?? "";
    if (answer === undefined) {
      await showMeter(ctx, service);
      return;
    }
    const meters = meter ?? parseMeters(service.meter ?? "none");
    if (meters.length === 0) {
      throw new AigwError(
        "invalid_value",
        `${name} has no meter. Try one: --meter openai; set it: aigw service set ${name} --meter <meter>`,
      );
    }
    const { tryMeter } = await import("@aigw/runtime/try-meter");
    const reading = await tryMeter(meters, answer.status ?? 200, answer, request);
    const cost = costOf(service, reading, answer, request);
    await ctx.out.answer({
      json: () => ({
        service: name,
        meter: metersInWords(meters),
        ...readingJson(reading),
        cost: cost === null ? null : Number(millionthsInWords(cost)),
      }),
      quiet: () => Object.entries(reading.units).map(([unit, value]) => `${unit}=${millionthsInWords(value)}`),
      text: (view) => renderFields(view, fieldsOf(meters, reading, cost, currency)),
    });
  });

/** As the gateway reckons it, but for how long the service took, which is not known here. */
const costOf = (
  service: Service,
  { units, model }: Reading,
  answer: MessageInFile,
  request: MessageInFile | undefined,
): number | null => {
  const isError = (answer.status ?? 200) >= 400;
  const counted = isError
    ? {}
    : {
        requests: MILLION,
        bytes_in: (request?.content.length ?? 0) * MILLION,
        bytes_out: answer.content.length * MILLION,
      };
  return new Tariff(priceListsOf(service)).cost({ ...units, ...counted }, model);
};

/** As a usage event has it. */
const readingJson = ({ units, metered, from, model, problem }: Reading): Readonly<Record<string, unknown>> => ({
  metered,
  units: Object.fromEntries(Object.entries(units).map(([unit, value]) => [unit, Number(millionthsInWords(value))])),
  from: from ?? null,
  model: model ?? null,
  unread: problem ?? null,
});

const METERED = {
  yes: "yes",
  no: "no",
  estimated: "estimated: the answer broke off or has no totals, so pieces were counted",
} as const;

const fieldsOf = (
  meters: MeterSpec,
  { units, metered, from, model, problem }: Reading,
  cost: number | null,
  currency: string,
): readonly Field[] => [
  ["Meter", metersInWords(meters)],
  ["Read", METERED[metered]],
  ...(problem === undefined ? [] : [["Why not", `${meterProblemInWords(problem)} (${problem})`] as const]),
  ...unitsOf(meters).map(
    (unit): Field => [unit, Object.hasOwn(units, unit) ? millionthsInWords(units[unit] ?? 0) : ""],
  ),
  ...(from === undefined ? [] : [["From", `the ${from}`] as const]),
  ["Model", model ?? ""],
  ["Cost", cost === null ? "no price" : `${millionthsInWords(cost)} ${currency}`.trimEnd()],
];

const showMeter = (ctx: Context, service: Service): Promise<void> => {
  const units = unitsOf(parseMeters(service.meter ?? "none"));
  return ctx.out.answer({
    json: () => ({
      service: service.name,
      meter: service.meter ?? null,
      units,
      askUsage: service.askUsage === true,
      reserve: service.reserve ?? null,
    }),
    quiet: () => service.meter ?? "none",
    text: (view) =>
      renderFields(view, [
        ["Meter", service.meter ?? "none"],
        ["Units", units.join(", ")],
        ["Totals of streams", service.askUsage === true ? "asked for" : "as the client asks for them"],
        ["Reserve", service.reserve ?? ""],
        ["Prices", pricesInWords(service)],
      ]),
  });
};
