import type { LogWriter } from "../serving/log-writer.ts";

export type PrimaryLog = (
  level: "info" | "warn" | "error",
  fields: Readonly<Record<string, unknown>>,
  msg: string,
) => void;

/** The primary's lines among those of the workers, in the same form. */
export const createPrimaryLog =
  (write: LogWriter): PrimaryLog =>
  (level, fields, msg) =>
    write(JSON.stringify({ level, time: new Date().toISOString(), worker: "primary", ...fields, msg }));
