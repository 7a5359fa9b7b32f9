import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CalendarPeriod, periodAt, QUOTA_PERIODS, timeZone } from "@aigw/core/quotas";
import fc from "fast-check";

const HOUR_MS = 3_600_000;
const ZONES = [...Intl.supportedValuesOf("timeZone"), "UTC"];

const at = (text: string): number => Date.parse(text);
const bounds = ({ label, start, end }: CalendarPeriod): readonly string[] => [
  label,
  new Date(start).toISOString(),
  new Date(end).toISOString(),
];

describe("a period of the calendar", () => {
  for (const [zone, moment, per, label, start, end] of [
    [
      "UTC",
      "2026-11-25T22:37:05.123Z",
      "hour",
      "2026-11-25T22+00:00",
      "2026-11-25T22:00:00.000Z",
      "2026-11-25T23:00:00.000Z",
    ],
    ["UTC", "2026-11-25T00:00:00Z", "day", "2026-11-25", "2026-11-25T00:00:00.000Z", "2026-11-26T00:00:00.000Z"],
    ["UTC", "2026-11-25T23:59:59.999Z", "day", "2026-11-25", "2026-11-25T00:00:00.000Z", "2026-11-26T00:00:00.000Z"],
    ["UTC", "2026-11-29T23:59:59.999Z", "week", "2026-W48", "2026-11-23T00:00:00.000Z", "2026-11-30T00:00:00.000Z"],
    ["UTC", "2027-01-03T12:00:00Z", "week", "2026-W53", "2026-12-28T00:00:00.000Z", "2027-01-04T00:00:00.000Z"],
    ["UTC", "2024-12-30T00:00:00Z", "week", "2025-W01", "2024-12-30T00:00:00.000Z", "2025-01-06T00:00:00.000Z"],
    ["UTC", "2028-02-29T12:00:00Z", "month", "2028-02", "2028-02-01T00:00:00.000Z", "2028-03-01T00:00:00.000Z"],
    ["UTC", "2026-12-31T23:59:59Z", "month", "2026-12", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"],
    // A day of 23 hours, one of 25, and months that are an hour shorter or longer.
    [
      "Europe/Berlin",
      "2026-03-29T12:00:00Z",
      "day",
      "2026-03-29",
      "2026-03-28T23:00:00.000Z",
      "2026-03-29T22:00:00.000Z",
    ],
    [
      "Europe/Berlin",
      "2026-10-25T12:00:00Z",
      "day",
      "2026-10-25",
      "2026-10-24T22:00:00.000Z",
      "2026-10-25T23:00:00.000Z",
    ],
    [
      "Europe/Berlin",
      "2026-03-31T21:59:59Z",
      "month",
      "2026-03",
      "2026-02-28T23:00:00.000Z",
      "2026-03-31T22:00:00.000Z",
    ],
    [
      "Europe/Berlin",
      "2026-10-26T00:00:00Z",
      "week",
      "2026-W44",
      "2026-10-25T23:00:00.000Z",
      "2026-11-01T23:00:00.000Z",
    ],
    // The hour that the clock shows twice is two; of the one that it skips there is none.
    [
      "Europe/Berlin",
      "2026-10-25T00:30:00Z",
      "hour",
      "2026-10-25T02+02:00",
      "2026-10-25T00:00:00.000Z",
      "2026-10-25T01:00:00.000Z",
    ],
    [
      "Europe/Berlin",
      "2026-10-25T01:30:00Z",
      "hour",
      "2026-10-25T02+01:00",
      "2026-10-25T01:00:00.000Z",
      "2026-10-25T02:00:00.000Z",
    ],
    [
      "Europe/Berlin",
      "2026-03-29T00:59:59Z",
      "hour",
      "2026-03-29T01+01:00",
      "2026-03-29T00:00:00.000Z",
      "2026-03-29T01:00:00.000Z",
    ],
    [
      "Europe/Berlin",
      "2026-03-29T01:00:00Z",
      "hour",
      "2026-03-29T03+02:00",
      "2026-03-29T01:00:00.000Z",
      "2026-03-29T02:00:00.000Z",
    ],
    // Set by half an hour, and behind UTC by three quarters.
    [
      "Australia/Lord_Howe",
      "2026-04-04T14:45:00Z",
      "hour",
      "2026-04-05T01+11:00",
      "2026-04-04T14:00:00.000Z",
      "2026-04-04T15:00:00.000Z",
    ],
    [
      "Australia/Lord_Howe",
      "2026-04-04T15:15:00Z",
      "hour",
      "2026-04-05T01+10:30",
      "2026-04-04T15:00:00.000Z",
      "2026-04-04T15:30:00.000Z",
    ],
    [
      "Australia/Lord_Howe",
      "2026-10-03T15:45:00Z",
      "hour",
      "2026-10-04T02+11:00",
      "2026-10-03T15:30:00.000Z",
      "2026-10-03T16:00:00.000Z",
    ],
    [
      "Asia/Kathmandu",
      "2026-11-25T18:14:59Z",
      "day",
      "2026-11-25",
      "2026-11-24T18:15:00.000Z",
      "2026-11-25T18:15:00.000Z",
    ],
    // Midnight is skipped: the day begins at one o'clock.
    [
      "America/Sao_Paulo",
      "2018-11-04T12:00:00Z",
      "day",
      "2018-11-04",
      "2018-11-04T03:00:00.000Z",
      "2018-11-05T02:00:00.000Z",
    ],
    [
      "Africa/Cairo",
      "2026-04-24T12:00:00Z",
      "day",
      "2026-04-24",
      "2026-04-23T22:00:00.000Z",
      "2026-04-24T21:00:00.000Z",
    ],
    // At midnight back to 23:00, and a minute after it: the evening shows twice, the day begins once.
    [
      "America/Sao_Paulo",
      "2018-02-18T02:30:00Z",
      "day",
      "2018-02-17",
      "2018-02-17T02:00:00.000Z",
      "2018-02-18T03:00:00.000Z",
    ],
    [
      "America/St_Johns",
      "2010-11-07T02:45:00Z",
      "day",
      "2010-11-07",
      "2010-11-07T02:30:00.000Z",
      "2010-11-08T03:30:00.000Z",
    ],
    // Samoa had no 30 December in 2011.
    [
      "Pacific/Apia",
      "2011-12-30T09:59:59Z",
      "day",
      "2011-12-29",
      "2011-12-29T10:00:00.000Z",
      "2011-12-30T10:00:00.000Z",
    ],
    [
      "Pacific/Apia",
      "2011-12-30T10:00:00Z",
      "day",
      "2011-12-31",
      "2011-12-30T10:00:00.000Z",
      "2011-12-31T10:00:00.000Z",
    ],
    [
      "Pacific/Kiritimati",
      "2026-11-25T10:00:00Z",
      "day",
      "2026-11-26",
      "2026-11-25T10:00:00.000Z",
      "2026-11-26T10:00:00.000Z",
    ],
  ] as const) {
    test(`in ${zone} at ${moment} is the ${per} ${label}`, () => {
      assert.deepEqual(bounds(periodAt(per, timeZone(zone), at(moment))), [label, start, end]);
    });
  }

  test("meets the next without gap or overlap, in every zone", () => {
    const moment = fc.integer({ min: at("1971-01-01T00:00:00Z"), max: at("2099-12-01T00:00:00Z") });
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), moment, fc.constantFrom(...QUOTA_PERIODS), (name, when, per) => {
        const zone = timeZone(name);
        const period = periodAt(per, zone, when);
        assert.ok(period.start <= when && when < period.end, `${name} ${new Date(when).toISOString()}`);
        for (const inside of [period.start, period.end - 1]) assert.deepEqual(periodAt(per, zone, inside), period);
        const next = periodAt(per, zone, period.end);
        assert.equal(next.start, period.end);
        assert.notEqual(next.label, period.label);
      }),
      { numRuns: 1_500 },
    );
  });

  test("covers the hours around every change of the clocks of a year, each once", () => {
    const [from, to] = [at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")];
    for (const name of [
      "Europe/Berlin",
      "Australia/Lord_Howe",
      "Africa/Cairo",
      "America/Havana",
      "Atlantic/Azores",
      "Africa/Casablanca",
    ]) {
      const zone = timeZone(name);
      for (let hour = from; hour < to; hour += HOUR_MS) {
        if (zone.offsetAt(hour) === zone.offsetAt(hour + HOUR_MS)) continue;
        for (const per of QUOTA_PERIODS) {
          const seen = new Map<string, CalendarPeriod>();
          for (let when = hour - 3 * HOUR_MS; when < hour + 4 * HOUR_MS; when += HOUR_MS / 12) {
            const period = periodAt(per, zone, when);
            const known = seen.get(period.label);
            if (known !== undefined) assert.deepEqual(period, known);
            else if (seen.size > 0) assert.equal([...seen.values()].at(-1)?.end, period.start);
            seen.set(period.label, period);
          }
        }
      }
    }
  });

  test("days have 23, 24 or 25 hours, and a year of them is the year", () => {
    const zone = timeZone("Europe/Berlin");
    const lengths = new Map<number, number>();
    let day = periodAt("day", zone, at("2026-01-01T12:00:00Z"));
    const { start } = day;
    for (let count = 0; count < 365; count += 1) {
      const hours = (day.end - day.start) / HOUR_MS;
      lengths.set(hours, (lengths.get(hours) ?? 0) + 1);
      day = periodAt("day", zone, day.end);
    }
    assert.deepEqual(Object.fromEntries(lengths), { 24: 363, 23: 1, 25: 1 });
    assert.equal(day.start - start, 365 * 24 * HOUR_MS);
  });
});
