import type { Plan } from "@aigw/core";

/** `limit 60; services ocr, chat; quota pages=500/week`; empty when it says nothing. */
export const factsInWords = ({ limit, services, quota, weight }: Plan): string =>
  [
    limit === undefined ? "" : `limit ${limit}`,
    services === undefined ? "" : `services ${services.join(", ")}`,
    quota === undefined ? "" : `quota ${quota}`,
    weight === undefined ? "" : `weight ${weight}`,
  ]
    .filter((fact) => fact !== "")
    .join("; ");
