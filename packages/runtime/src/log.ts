import { type Logger, pino } from "pino";

export type { Logger };

/**
 * JSON lines. Nothing logs a request's fields, query or body, a record of the store or a foreign error's text with
 * values in it, so there is nothing to redact.
 * @param write takes one line, `\n` included
 */
export const createLogger = (write: (line: string) => void, base: Record<string, string | number>): Logger =>
  pino({ base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } }, { write });
