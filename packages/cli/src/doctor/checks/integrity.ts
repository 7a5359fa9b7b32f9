import { spawn } from "node:child_process";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import type { HomeExamination } from "@aigw/core";
import type { Found } from "../finding.ts";
import { storeFix } from "../store-fix.ts";

export interface IntegrityReport {
  /** What is wrong, a line each. */
  readonly problems: readonly string[];
}

const about = "integrity";
/** Some 150 MiB are read in a second; what takes longer than this is for a quiet hour. */
const TIMEOUT_MS = 7_000;
const SHOWN = 3;

export const checkIntegrity = async (
  { store, location }: HomeExamination,
  storeUrl: string,
  timeoutMs: number = TIMEOUT_MS,
): Promise<readonly Found[]> => {
  if (store === undefined) return [];
  const report = await readInChild(storeUrl, timeoutMs);
  if (report === undefined) {
    return [
      {
        code: "integrity_unfinished",
        about,
        message: `${location?.path === undefined ? "The database is" : "The databases are"} too large to be read in ${timeoutMs / 1000} s.`,
        command:
          location?.path === undefined
            ? "nothing, unless something else is wrong"
            : "aigw backup <file> reads and checks all of it",
      },
    ];
  }
  const { problems } = report;
  if (problems.length === 0) {
    const read = location?.path === undefined ? "the database was read" : "both databases read";
    return [{ code: "integrity_sound", about, message: `${read}, all sound` }];
  }
  return problems.slice(0, SHOWN).map((problem) => ({
    code: "integrity_damaged",
    about,
    message: problem,
    command: storeFix("store_corrupt", location),
  }));
};

/** @returns undefined when it did not end in time, or not as it should */
const readInChild = async (storeUrl: string, timeoutMs: number): Promise<IntegrityReport | undefined> => {
  const script = join(import.meta.dirname, `../integrity-child${extname(import.meta.filename)}`);
  const child = spawn(process.execPath, [script], {
    stdio: ["pipe", "pipe", "ignore"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const ended = new Promise<number | null>((settle) => {
    child.once("error", () => settle(null));
    child.once("close", settle);
  });
  // Gone before it has read: `ended` tells.
  child.stdin.on("error", () => undefined);
  // Not as an argument: every user of the machine can see those.
  child.stdin.end(storeUrl);
  const [output, code] = await Promise.all([text(child.stdout).catch(() => ""), ended]);
  return code === 0 ? (JSON.parse(output) as IntegrityReport) : undefined;
};
