import { didYouMean } from "../did-you-mean.ts";
import { AigwError } from "../errors.ts";

export const UTC = "UTC";

/**
 * A name of the IANA time zone database, in any case.
 * @returns as the database spells it; what stands for the same zone becomes one name
 * @throws AigwError `invalid_value`
 */
export const parseTimezone = (value: string): string => {
  // An offset such as +01:00, which is taken as well, has no daylight saving time: nobody's months begin by one.
  if (/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(value)) {
    try {
      return new Intl.DateTimeFormat("en", { timeZone: value }).resolvedOptions().timeZone;
    } catch {
      // Not a zone: said below.
    }
  }
  const guess = value.length > 64 ? "" : didYouMean(value, Intl.supportedValuesOf("timeZone"));
  throw new AigwError(
    "invalid_value",
    `timezone '${value}' is not valid: use a name of the IANA database such as Europe/Berlin, America/New_York or UTC.${guess}`,
  );
};
