import type { Store } from "@aigw/core";
import { didYouMean } from "@aigw/core/acts";
import { AigwError } from "@aigw/core/errors";
import { parseMeters, parseUnit, unitsOf } from "@aigw/core/meters";
import { COST, type UsageTally } from "@aigw/core/usage";
import { Option } from "commander";
import { flag } from "../../app/flag.ts";

/** Figures of every call, which can be named like units. */
export const CALL_UNITS = ["requests", "bytes_in", "bytes_out"] as const;

export const unitOption = (about: string): Option =>
  new Option("--unit <units>", about).argParser(
    flag("--unit", (value: string) => [...new Set(value.split(",").map((unit) => parseUnit(unit.trim())))]),
  );

/**
 * Pages that nobody read are not the same as `pagse`.
 * @throws AigwError `not_found` for a unit that no call on record has and no service's meter reads
 */
export const assertKnownUnits = async (
  { control, traffic }: Store,
  units: readonly string[],
  { units: found }: UsageTally,
): Promise<void> => {
  const isCounted = (unit: string): boolean =>
    unit === COST || CALL_UNITS.some((known) => known === unit) || found.has(unit);
  const left = units.filter((unit) => !isCounted(unit));
  if (left.length === 0) return;
  const known = new Set<string>();
  for (const { meter } of await control.services())
    for (const unit of meter === undefined ? [] : unitsOf(parseMeters(meter))) known.add(unit);
  const { rows } = await traffic.usageReport({ by: [], filter: {} });
  for (const { tally } of rows) for (const unit of tally.units.keys()) known.add(unit);
  for (const unit of left) {
    if (known.has(unit)) continue;
    if (unit === "service_seconds")
      throw new AigwError(
        "not_found",
        "No call on record has the unit 'service_seconds': it is recorded where a price of the service, or a quota of the client, counts it.",
        { details: { name: unit } },
      );
    const all = [...known].toSorted();
    const list =
      all.length === 0 ? "No service has a meter" : `Counted are ${[...all, COST, ...CALL_UNITS].join(", ")}`;
    throw new AigwError(
      "not_found",
      `No call on record has the unit '${unit}', and no service's meter reads it.${didYouMean(unit, all)} ${list}.`,
      { details: { name: unit } },
    );
  }
};
