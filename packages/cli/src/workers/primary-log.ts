import type { OutputStream } from "../io.ts";

export type PrimaryLog = (
  level: "info" | "warn" | "error",
  fields: Readonly<Record<string, unknown>>,
  msg: string,
) => void;

/** The primary's lines among those of the workers, in the same form. */
export const createPrimaryLog =
  (stderr: OutputStream): PrimaryLog =>
  (level, fields, msg) =>
    void stderr.write(
      `${JSON.stringify({ level, time: new Date().toISOString(), worker: "primary", ...fields, msg })}\n`,
    );
