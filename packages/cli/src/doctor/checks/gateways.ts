import { setTimeout as delay } from "node:timers/promises";
import type { HomeExamination, SeenInstance } from "@aigw/core";
import { gatewayName, isSilent } from "@aigw/core/acts";
import { FAULTS } from "@aigw/core/services";
import { silence, whoRuns } from "../../app/who-runs.ts";
import type { Found } from "../finding.ts";

/** Gateways report every second; one that missed two reports is busy, suspended or dead. */
const SILENT_MS = 2_500;
/** A change from just now is applied within a second, and the next report comes within one. */
const PATIENCE_MS = 1_200;
const POLL_MS = 100;

export const checkGateways = async ({ store }: HomeExamination): Promise<readonly Found[]> => {
  if (store === undefined) return [];
  for (const end = performance.now() + PATIENCE_MS; ; await delay(POLL_MS)) {
    const head = await store.control.head();
    const { gateways, problem } = await whoRuns(store.traffic);
    if (gateways.length === 0 && problem !== undefined) {
      return [
        {
          code: "gateway_unconfirmed",
          about: "gateway",
          message: problem.message,
          command: "mend that; then: aigw status",
        },
      ];
    }
    const isLate = gateways.some(({ appliedRev, lastSeenAgoMs }) => appliedRev < head || lastSeenAgoMs >= SILENT_MS);
    if (!isLate || performance.now() > end) return judgeGateways(gateways, head);
  }
};

export const judgeGateways = (gateways: readonly SeenInstance[], head: number): readonly Found[] => {
  if (gateways.length === 0) {
    return [{ code: "gateway_none", about: "gateway", message: "No gateway is running.", command: "aigw serve" }];
  }
  return gateways.flatMap((gateway) => judge(gateway, head));
};

const judge = (gateway: SeenInstance, head: number): readonly Found[] => {
  const { id, pid, state, appliedRev, droppedUsage, untrustedForwarders = [], lastSeenAgoMs, version } = gateway;
  const about = `gateway ${gatewayName(gateway)}`;
  const restart =
    gateway.worker === undefined
      ? `stop process ${pid}, then start it again: aigw serve`
      : `kill -9 ${pid}; another worker takes its place by itself`;
  const findings: Found[] = [];
  if (isSilent(gateway)) {
    const message = `${silence(gateway)}: what is in force on it cannot be confirmed. Its log says what keeps it from reporting.`;
    findings.push({ code: "gateway_unconfirmed", about, message, command: `mend that, or ${restart}` });
  } else if (lastSeenAgoMs >= SILENT_MS) {
    findings.push({
      code: "gateway_silent",
      about,
      message: `It was last heard of ${(lastSeenAgoMs / 1000).toFixed(1)} s ago (${id}, process ${pid}); ${gateway.alive ? "it runs all the same" : "killed, it seems"}.`,
      command: "aigw status, in some seconds",
    });
  } else if (state === "stale") {
    findings.push({
      code: "gateway_stale",
      about,
      message: "It cannot read the store and answers 503.",
      command: restart,
    });
  } else if (state === "draining") {
    findings.push({ code: "gateway_draining", about, message: "It is ending: calls under way may finish." });
  } else if (appliedRev < head) {
    findings.push({
      code: "gateway_behind",
      about,
      message: `It is at revision ${appliedRev}, the store at ${head}: changes are not in force on it.`,
      command: restart,
    });
  } else {
    findings.push({ code: "gateway_ready", about, message: `aigw ${version}, at revision ${appliedRev}, the newest` });
  }
  if (droppedUsage > 0) {
    findings.push({
      code: "gateway_dropped_usage",
      about,
      message: `It has lost the usage of ${droppedUsage} requests since it started, because it could not be stored.`,
      command: "look at what ails the store, above; the count starts anew with the gateway",
    });
  }
  if (gateway.dumpsCore) {
    findings.push({
      code: "gateway_dumps_core",
      about,
      message: "Should it crash, the system writes its memory to a file, the master key with it.",
      command: "set its limit to 0 and start it again (systemd: LimitCORE=0; a shell: ulimit -c 0)",
    });
  }
  for (const { peer, mend } of untrustedForwarders) {
    findings.push({
      code: "gateway_untrusted_proxy",
      about,
      message: `${peer} sends forwarded fields and is no trusted proxy, so they count for nothing: if it is your proxy, all its clients share one bound on guessing.`,
      command: `if it is your proxy: ${mend}; if not, nothing`,
    });
  }
  return [...findings, ...judgeFiles(gateway, about)];
};

/** Below it, a few hundred clients are too many. */
const FEW_FILES = 1_024;

const judgeFiles = ({ openFiles }: SeenInstance, about: string): readonly Found[] => {
  if (openFiles === undefined) return [];
  const { used, limit, refused } = openFiles;
  const command = FAULTS.out_of_files.remedy;
  if (refused > 0) {
    const message = `It has refused ${refused} connections and calls since it started, because it may open no more than ${limit} files; ${used} are open now.`;
    return [{ code: "gateway_out_of_files", about, message, command }];
  }
  if (limit >= FEW_FILES) return [];
  const message = `It may open no more than ${limit} files, two for each call under way; ${used} are open now.`;
  return [{ code: "gateway_few_files", about, message, command }];
};
