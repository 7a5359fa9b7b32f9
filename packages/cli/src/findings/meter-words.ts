import type { MeteredCalls, Service } from "@aigw/core";
import { isMostOf } from "@aigw/core/insight";
import { type MeterProblem, meterProblemInWords } from "@aigw/core/meters";
import { grouped } from "../terminal/output/figures.ts";
import { counted } from "../terminal/output/words.ts";

/** What is to be said of a service's meter. */
export interface MeterWords {
  readonly kind: "unread" | "estimated";
  readonly message: string;
  readonly command: string;
}

/**
 * Undefined when most of what its calls were worth was read, or it has no meter any more.
 * @param span such as `in the last 15 minutes`
 */
export const meterWords = (
  { name, meter, askUsage }: Pick<Service, "name" | "meter" | "askUsage">,
  { calls, unread, estimated, reasons }: MeteredCalls,
  span: string,
): MeterWords | undefined => {
  if (meter === undefined) return undefined;
  if (isMostOf(unread, calls)) {
    const [most] = reasons;
    const why = most === undefined ? "" : ` Most often ${meterProblemInWords(most.reason)} (${most.reason}).`;
    const message = `Its meter read nothing from ${grouped(unread)} of ${counted(calls, "call")} ${span}.${why}`;
    return { kind: "unread", message, command: remedyOf(name, most?.reason) };
  }
  if (!isMostOf(estimated, calls)) return undefined;
  const message = `Of ${grouped(estimated)} of ${counted(calls, "call")} ${span} pieces were counted in place of totals, which their streams do not have.`;
  const command = askUsage === true ? `aigw usage tail --service ${name}` : `aigw service set ${name} --ask-usage`;
  return { kind: "estimated", message, command };
};

/** What another meter would read is seen on an answer that was kept. */
const TRY: ReadonlySet<MeterProblem | undefined> = new Set<MeterProblem | undefined>([
  "not_found",
  "bad_value",
  "not_json",
  "unknown_type",
  "no_content",
  "request_unread",
]);

const remedyOf = (service: string, reason: MeterProblem | undefined): string =>
  TRY.has(reason)
    ? `aigw service meter ${service} --try answer.json --meter <meter>`
    : `aigw usage tail --service ${service}`;
