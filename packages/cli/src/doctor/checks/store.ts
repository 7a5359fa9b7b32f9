import { basename } from "node:path";
import type { HomeExamination, StoreFile, StoreInspection } from "@aigw/core";
import type { StoreLocation, StoreServers } from "@aigw/core/store";
import { humanBytes } from "../../terminal/output/figures.ts";
import type { Found } from "../finding.ts";
import { storeFix } from "../store-fix.ts";

const about = "store";
/** Checkpoints cut the log at 16 and 64 MiB; far above it, somebody keeps them from doing so. */
const LARGE_WAL_BYTES = 256 * 1024 * 1024;

export const checkStore = async ({ store, storeProblem, location }: HomeExamination): Promise<readonly Found[]> => {
  if (storeProblem !== undefined) {
    // A file that others can read; home_loose names the command.
    if (storeProblem.code === "insecure_permissions") return [];
    return [
      { code: "store_broken", about, message: storeProblem.message, command: storeFix(storeProblem.code, location) },
    ];
  }
  if (store === undefined) return [];
  const inspection = await store.inspect();
  return judgeInspection(inspection, location);
};

export const judgeInspection = (
  { engine, files, servers, problems }: StoreInspection,
  location?: StoreLocation,
): readonly Found[] => {
  const findings: Found[] = problems
    .filter(({ code }) => code !== "insecure_permissions")
    .map(({ code, message }) => ({ code: "store_broken", about, message, command: storeFix(code, location) }));
  if (files.length > 0 || problems.length === 0) {
    findings.push({
      code: "store_ready",
      about,
      message: [engine, files.map(described).join(", "), servers && held(servers)].filter(Boolean).join("; "),
    });
  }
  if (servers !== undefined) findings.push(...judgeServers(servers));
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

const judgeServers = ({ members, replicated, encrypted }: StoreServers): readonly Found[] => {
  const findings: Found[] = [];
  if (!replicated) {
    findings.push({
      code: "store_single_server",
      about,
      message:
        "It is on one server: when that is down gateways know their clients for --max-stale only, and its disk is all there is.",
      command: "make it a replica set of three: see docs/mongodb.md",
    });
  }
  for (const { address, role } of members) {
    if (role !== "unknown") continue;
    const message = `The member ${address} of the replica set does not answer.`;
    findings.push({ code: "store_member_down", about, message, command: "start it, or take it out of the set" });
  }
  const away = members.find(({ address }) => !LOOPBACK.test(address));
  if (!encrypted && away !== undefined) {
    findings.push({
      code: "store_plain",
      about,
      message: `What goes to ${away.address} and back can be read and altered on the way, the change log too.`,
      command: "let the servers take TLS, and add tls=true to AIGW_STORE: see docs/mongodb.md",
    });
  }
  return findings;
};

/** A socket of this machine's own is one, too. */
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)(:\d+)?$|\.sock$/i;

const held = ({ collections }: StoreServers): string => {
  const bytes = collections.reduce((sum, collection) => sum + collection.bytes, 0);
  const changes = collections.find(({ name }) => name === "changes")?.documents ?? 0;
  return `${humanBytes(bytes)}, ${changes} changes`;
};
