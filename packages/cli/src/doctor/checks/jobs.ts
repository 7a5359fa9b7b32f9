import type { HomeExamination } from "@aigw/core";
import { isAigwError } from "@aigw/core/errors";
import type { JobGroup } from "@aigw/core/jobs";
import { runningGateways } from "../../app/who-runs.ts";
import { humanBytes } from "../../terminal/output/figures.ts";
import { counted, listed } from "../../terminal/output/words.ts";
import type { Found } from "../finding.ts";

const about = "jobs";
/** A job that is not begun within it, while none of its service runs, is begun by nobody. */
const STUCK_MS = 600_000;

/** @param folder the setting `jobs-folder`; @param now milliseconds since the epoch */
export const checkJobs = async (
  { store }: HomeExamination,
  folder: string | undefined,
  now: number,
): Promise<readonly Found[]> => {
  if (store === undefined) return [];
  try {
    const services = await store.control.services();
    const groups = await store.traffic.jobGroups({});
    const taking = services.filter(({ jobs }) => jobs !== undefined).map(({ name }) => name);
    const hosts = new Set((await runningGateways(store.traffic)).map(({ hostname = "" }) => hostname));
    const disabled = new Set(services.filter((service) => service.disabled !== undefined).map(({ name }) => name));
    const findings: Found[] = [];
    if (hosts.size > 1 && taking.length > 0 && folder === undefined) {
      findings.push({
        code: "jobs_apart",
        about,
        message: `Jobs of ${listed(taking)} lie on ${hosts.size} machines, each with its own: a result is had from the gateway that took the request.`,
        command: "aigw config set jobs-folder <a folder that all of them share>, then start the gateways anew",
      });
    }
    const stuck = stuckIn(groups, disabled, now);
    if (stuck.length > 0) {
      const message = `Jobs of ${listed(stuck)} wait, and none is run: no gateway runs, or none that sees their folder.`;
      findings.push({ code: "jobs_stuck", about, message, command: "aigw jobs list --state queued" });
    }
    if (groups.length > 0 && findings.length === 0) {
      findings.push({ code: "jobs_kept", about, message: inWords(groups) });
    }
    return findings;
  } catch (error) {
    // What is wrong with the store is said elsewhere.
    if (!isAigwError(error)) throw error;
    return [];
  }
};

const stuckIn = (groups: readonly JobGroup[], disabled: ReadonlySet<string>, now: number): readonly string[] => {
  const running = new Set(groups.filter(({ state }) => state === "running").map(({ service }) => service));
  const waiting = groups.filter(({ state, oldestAt }) => state === "queued" && now - oldestAt > STUCK_MS);
  return [...new Set(waiting.map(({ service }) => service))].filter(
    (service) => !running.has(service) && !disabled.has(service),
  );
};

const inWords = (groups: readonly JobGroup[]): string => {
  const count = (wanted: (group: JobGroup) => boolean): number =>
    groups.filter(wanted).reduce((sum, group) => sum + group.count, 0);
  const waiting = count(({ state }) => state === "queued");
  const running = count(({ state }) => state === "running");
  const bytes = groups.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  return `${counted(
    count(() => true),
    "job",
  )}, ${waiting} waiting, ${running} running; ${humanBytes(bytes)} on the disk`;
};
