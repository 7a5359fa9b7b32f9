/** Whether what a call was worth is known: read, not read, or counted in its place. */
export type Metered = "yes" | "no" | "estimated";

/** Why nothing was read from a call. Closed: documents and findings are tables over it. */
export const METER_PROBLEMS = [
  "not_found",
  "bad_value",
  "not_json",
  "too_large",
  "too_deep",
  "unknown_type",
  "no_content",
  "cut",
  "failed",
  "request_unread",
  "coding_unknown",
  "coding_broken",
  "coding_slow",
  "busy",
] as const;

export type MeterProblem = (typeof METER_PROBLEMS)[number];

const WORDS: Readonly<Record<MeterProblem, string>> = {
  not_found: "the answer was read, and none of the meter's units is in it",
  bad_value: "what the meter points at is no number from 0 to 1000000000",
  not_json: "the answer says that it is JSON, and is not valid JSON",
  too_large: "the answer is larger than a meter reads: 1 MiB of JSON beside long texts, 16 MiB in all",
  too_deep: "the answer is nested deeper than 256 levels",
  unknown_type: "the answer is neither JSON nor a stream of events or lines, and the request says nothing either",
  no_content: "the answer has no content",
  cut: "the answer broke off before its totals, and nothing of it could be counted",
  failed: "there was no answer, or an error: nothing to count",
  request_unread: "the request's content could not be read for its length, its pages or its images",
  coding_unknown: "the answer's Content-Encoding is none of gzip, deflate, br and zstd",
  coding_broken: "the answer could not be decompressed",
  coding_slow: "decompressing the answer for the meter took too long",
  busy: "too many compressed answers were being read at once",
};

/** For people: a clause without a capital and a full stop. */
export const meterProblemInWords = (problem: MeterProblem): string => WORDS[problem];
