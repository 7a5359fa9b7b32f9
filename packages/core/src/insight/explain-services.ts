import { mayCall } from "../clients/client.ts";
import { FAULTS, faultWords } from "../services/fault.ts";
import type { ClientFacts, ServiceStatus } from "./client-facts.ts";
import type { ServiceFault } from "./count-faults.ts";
import type { ClientFinding } from "./explain-client.ts";
import { plural } from "./finding.ts";

/** What the services have to do with it: there is none, not this one, or it fails. */
export const explainServices = (facts: ClientFacts): readonly ClientFinding[] => {
  if (facts.services.length === 0) {
    return [
      {
        code: "no_service",
        severity: "blocked",
        message: "There is no service behind the gateway yet: every call gets 404.",
        command: "aigw service add <name> <url>",
      },
    ];
  }
  return [...reachable(facts), ...refused(facts), ...noRoom(facts), ...failing(facts)];
};

const reachable = ({ client, services }: ClientFacts): readonly ClientFinding[] => {
  const missing = (client.services ?? []).filter((name) => !services.includes(name));
  const none = client.services !== undefined && missing.length === client.services.length;
  const first = missing[0];
  if (first === undefined && !none) return [];
  const message =
    first === undefined
      ? `${client.name} may call no service at all.`
      : `${client.name} may call ${missing.join(", ")}, which ${missing.length === 1 ? "does" : "do"} not exist${none ? ", and nothing else" : ""}.`;
  return [
    {
      code: "service_missing",
      severity: none ? "blocked" : "warning",
      message,
      command:
        first === undefined ? `aigw client set ${client.name} --services all` : `aigw service add ${first} <url>`,
    },
  ];
};

const refused = ({ client, services, recent }: ClientFacts): readonly ClientFinding[] =>
  recent.flatMap(({ service, status, tally }): readonly ClientFinding[] => {
    if (tally.denied === 0) return [];
    const calls = plural(tally.denied, "call");
    if (status === 404 && !services.includes(service)) {
      const message = `${calls} in the last 15 minutes got 404: there is no service of the name in their path. Services are: ${services.join(", ")}.`;
      const command = `aigw usage tail --client ${client.name} --status 404`;
      return [{ code: "service_unknown", severity: "warning", message, command }];
    }
    if (status !== 403 || mayCall(client, service)) return [];
    const allowed = [...(client.services ?? []), service].join(",");
    return [
      {
        code: "service_not_allowed",
        severity: "warning",
        message: `${calls} to '${service}' in the last 15 minutes got ${status}: ${client.name} is not allowed to call it.`,
        command: `aigw client set ${client.name} --services ${allowed}`,
      },
    ];
  });

/** The gateway's own 503; a service's is no refusal. */
const noRoom = ({ recent }: ClientFacts): readonly ClientFinding[] => {
  const calls = recent.reduce((sum, { status, tally }) => sum + (status === 503 ? tally.denied : 0), 0);
  if (calls === 0) return [];
  const message = `The gateway itself had no room for ${plural(calls, "call")} in the last 15 minutes and refused ${calls === 1 ? "it" : "them"} with 503. ${FAULTS.out_of_files.remedy}`;
  return [{ code: "gateway_no_room", severity: "warning", message, command: "aigw doctor" }];
};

const failing = ({ client, lastMinute, lastFaults }: ClientFacts): readonly ClientFinding[] =>
  [...Map.groupBy(lastMinute, ({ service }) => service)].flatMap(([service, rows]): readonly ClientFinding[] => {
    const failed = rows.filter(({ tally }) => tally.errors > 0);
    if (failed.length === 0 || !mayCall(client, service)) return [];
    const sum = (field: "errors" | "requests", of: readonly ServiceStatus[]): number =>
      of.reduce((count, { tally }) => count + tally[field], 0);
    const [errors, requests] = [sum("errors", failed), sum("requests", rows)];
    const statuses = failed.map(({ status, tally }) => `${status} (${times(tally.errors)})`).join(", ");
    return [
      {
        code: "service_failing",
        severity: errors === requests ? "blocked" : "warning",
        message: `${service} failed ${errors} of ${requests} calls in the last minute: ${statuses}.${reasons(lastFaults, service, errors)}`,
        command: failed.some(({ status }) => status === 504)
          ? `aigw service set ${service} --timeout 300s`
          : `aigw service show ${service}`,
      },
    ];
  });

/** The two most frequent; a service's own errors have none. */
const reasons = (faults: readonly ServiceFault[], service: string, errors: number): string =>
  faults
    .filter((fault) => fault.service === service)
    .slice(0, 2)
    .map(({ reason, calls }) => {
      const words = faultWords(reason);
      if (words === undefined) return "";
      return ` ${calls === errors ? "Each time" : capitalised(times(calls))} ${words.what}. ${words.remedy}`;
    })
    .join("");

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const times = (count: number): string => (count === 1 ? "once" : count === 2 ? "twice" : `${count} times`);
