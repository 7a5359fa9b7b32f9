/** Local times of a zone (IANA), from the rules that Node has. Times are milliseconds since the epoch. */
export interface TimeZone {
  readonly name: string;
  /** What to add to UTC at that moment to have the zone's own time, milliseconds. */
  offsetAt(at: number): number;
}

const UTC: TimeZone = { name: "UTC", offsetAt: () => 0 };
const zones = new Map<string, TimeZone>([["UTC", UTC]]);

/** @param name one that parseTimezone takes */
export const timeZone = (name: string): TimeZone => {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en", {
    timeZone: name,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const offsetAt = (at: number): number => {
    const second = Math.floor(at / 1_000) * 1_000;
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(second)) part[type] = Number(value);
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second: seconds = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, seconds) - second;
  };
  const zone = { name, offsetAt };
  zones.set(name, zone);
  return zone;
};

/** The moment between the two at which the offset changes; of several, one of them. */
export const changeBetween = (zone: TimeZone, from: number, to: number): number => {
  const before = zone.offsetAt(from);
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone.offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
};
