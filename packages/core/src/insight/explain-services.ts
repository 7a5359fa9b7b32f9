import { mayCall } from "../clients/client.ts";
import type { ClientFacts, ServiceStatus } from "./client-facts.ts";
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
  return [...reachable(facts), ...refused(facts), ...failing(facts)];
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

const failing = ({ client, lastMinute }: ClientFacts): readonly ClientFinding[] =>
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
        message: `${service} failed ${errors} of ${requests} calls in the last minute: ${statuses}.`,
        command: failed.some(({ status }) => status === 504)
          ? `aigw service set ${service} --timeout 300s`
          : `aigw service show ${service}`,
      },
    ];
  });

const times = (count: number): string => (count === 1 ? "once" : count === 2 ? "twice" : `${count} times`);
