import { basename } from "node:path";
import type { HomeExamination, StoreFile, StoreInspection } from "@aigw/core";
import { humanBytes } from "../../terminal/output/figures.ts";
import type { Found } from "../finding.ts";
import { storeFix } from "../store-fix.ts";

const about = "store";
/** Checkpoints cut the log at 16 and 64 MiB; far above it, somebody keeps them from doing so. */
const LARGE_WAL_BYTES = 256 * 1024 * 1024;

export const checkStore = async ({ store, storeProblem }: HomeExamination): Promise<readonly Found[]> => {
  if (storeProblem !== undefined) {
    // A file that others can read; home_loose names the command.
    if (storeProblem.code === "insecure_permissions") return [];
    return [{ code: "store_broken", about, message: storeProblem.message, command: storeFix(storeProblem.code) }];
  }
  if (store === undefined) return [];
  const inspection = await store.inspect();
  return judgeInspection(inspection);
};

export const judgeInspection = ({ engine, files, problems }: StoreInspection): readonly Found[] => {
  const findings: Found[] = problems
    .filter(({ code }) => code !== "insecure_permissions")
    .map(({ code, message }) => ({ code: "store_broken", about, message, command: storeFix(code) }));
  if (files.length > 0 || problems.length === 0) {
    findings.push({
      code: "store_ready",
      about,
      message: [engine, files.map(described).join(", ")].filter(Boolean).join("; "),
    });
  }
  for (const { path, walBytes } of files) {
    if (walBytes < LARGE_WAL_BYTES) continue;
    findings.push({
      code: "store_wal_large",
      about,
      message: `${path}-wal has grown to ${humanBytes(walBytes)}: some process reads without an end.`,
      command: `end it, then restart the gateways; who has the file open: fuser -v '${path}'`,
    });
  }
  return findings;
};

const described = ({ path, bytes, walBytes, schema }: StoreFile): string =>
  `${basename(path)} schema ${schema}, ${humanBytes(bytes)}${walBytes === 0 ? "" : ` + ${humanBytes(walBytes)} log`}`;
