import type { ClientFacts, ServiceStatus } from "@aigw/core";
import { standingOf } from "@aigw/core/clients";
import { mayCall } from "@aigw/core/plans";
import { FAULTS, type Fault } from "@aigw/core/services";
import { grouped, humanMs } from "../terminal/output/figures.ts";
import { counted, listed, times } from "../terminal/output/words.ts";
import type { ClientFinding } from "./explain-client.ts";
import { moreRoom } from "./queue-words.ts";
import { moreTime, reasonsOf, total } from "./words.ts";

/** What the services have to do with it: there is none, not this one, or it fails. */
export const explainServices = (facts: ClientFacts): readonly ClientFinding[] => {
  if (facts.services.length === 0) {
    const message = "There is no service behind the gateway yet: every call gets 404.";
    return [{ code: "no_service", severity: "blocked", message, command: "aigw service add <name> <url>" }];
  }
  return [
    ...allowed(facts),
    ...unknown(facts),
    ...noRoom(facts),
    ...turnedAway(facts),
    ...waiting(facts),
    ...failing(facts),
    ...rejecting(facts),
    ...leaving(facts),
  ];
};

/** Which services it may call, and called without. One command at most: two would undo each other. */
const allowed = ({ client, terms, services, refused }: ClientFacts): readonly ClientFinding[] => {
  const { name } = client;
  if (terms.services === undefined) return [];
  const known = services.map((service) => service.name);
  const missing = terms.services.filter((service) => !known.includes(service));
  const left = terms.services.filter((service) => known.includes(service));
  const forbidden = refused.filter(
    ({ status, service }) => status === 403 && known.includes(service) && !mayCall(terms, service),
  );
  const wanted = [...new Set(forbidden.map(({ service }) => service))].sort();
  const found: ClientFinding[] = [];
  if (missing.length > 0 || left.length === 0) {
    const [first] = missing;
    const message =
      first === undefined
        ? `${name} may call no service at all.`
        : `${name} may call ${listed(missing)}, which ${missing.length === 1 ? "does" : "do"} not exist${left.length === 0 ? ", and nothing else" : ""}.`;
    const command = first === undefined ? `aigw client set ${name} --services all` : `aigw service add ${first} <url>`;
    const severity = left.length === 0 ? "blocked" : "warning";
    found.push({ code: "service_missing", severity, message, ...(wanted.length === 0 && { command }) });
  }
  if (wanted.length > 0) {
    const counts = wanted.map((service) => {
      const calls = forbidden.reduce((sum, group) => sum + (group.service === service ? group.calls : 0), 0);
      return `${counted(calls, "call")} to ${service}`;
    });
    found.push({
      code: "service_not_allowed",
      severity: "warning",
      message: `${listed(counts)} in the last 15 minutes got 403: ${name} is not allowed to call ${wanted.length === 1 ? "it" : "them"}.`,
      command: `aigw client set ${name} --services ${[...left, ...wanted].join(",")}`,
    });
  }
  return found;
};

const unknown = ({ client, services, refused }: ClientFacts): readonly ClientFinding[] => {
  const groups = refused.filter(({ status }) => status === 404);
  // One that was added meanwhile is found by the next call.
  const lost = groups.filter(({ service }) => !services.some(({ name }) => name === service));
  if (lost.length === 0) return [];
  const calls = lost.reduce((sum, group) => sum + group.calls, 0);
  const latest = lost.toSorted((one, other) => other.lastAt - one.lastAt)[0];
  const message = `${counted(calls, "call")} in the last 15 minutes got 404, the latest for ${latest?.path}: there was no service of the name in the path. Services are: ${listed(services.map(({ name }) => name))}.`;
  const command = `aigw usage tail --client ${client.name} --status 404`;
  return [{ code: "service_unknown", severity: "warning", message, command }];
};

/** The gateway's own 503; a service's is no refusal. */
const noRoom = ({ refused }: ClientFacts): readonly ClientFinding[] => {
  const groups = refused.filter(({ status, reason }) => status === 503 && reason === ("out_of_files" satisfies Fault));
  const calls = groups.reduce((sum, group) => sum + group.calls, 0);
  if (calls === 0) return [];
  const message = `The gateway itself had no room for ${counted(calls, "call")} in the last 15 minutes and refused ${calls === 1 ? "it" : "them"} with 503. ${FAULTS.out_of_files.remedy}`;
  return [{ code: "gateway_no_room", severity: "warning", message, command: "aigw doctor" }];
};

/** Of a service that takes only so many calls at once. */
const turnedAway = ({ refused, services }: ClientFacts): readonly ClientFinding[] =>
  services.flatMap(({ name, queue }): readonly ClientFinding[] => {
    const groups = refused.filter(({ service, reason }) => service === name && reason === "service_busy");
    const calls = groups.reduce((sum, group) => sum + group.calls, 0);
    if (queue === undefined || calls === 0) return [];
    const late = groups.reduce((sum, group) => sum + (group.late ?? 0), 0);
    const message = `${name} had no room for ${counted(calls, "call")} in the last 15 minutes, which got 503: it takes ${grouped(queue.concurrency)} at once, and ${grouped(queue.most)} may wait, for ${humanMs(queue.waitMs)} at most.`;
    return [{ code: "service_busy", severity: "warning", message, command: moreRoom(name, queue, late * 2 > calls) }];
  });

/** Of the time that calls take, and so long at least. */
const WAITING = { share: 0.25, ms: 100 };

/** Waiting is what makes it slow, and not the service. */
const waiting = ({ client, waits, services }: ClientFacts): readonly ClientFinding[] =>
  waits.flatMap(({ service, calls, waited, queuedMs, latencyMs }): readonly ClientFinding[] => {
    const queue = services.find(({ name }) => name === service)?.queue;
    if (queue === undefined || queuedMs < WAITING.ms || queuedMs < latencyMs * WAITING.share) return [];
    const message = `${client.name}'s calls to ${service} are slow because they wait: ${grouped(waited)} of the latest ${counted(calls, "call")} did, and of ${humanMs(latencyMs)} that a call took ${humanMs(queuedMs)} were waiting. ${service} takes ${counted(queue.concurrency, "call")} at once.`;
    const command = `aigw service set ${service} --concurrency <number>`;
    return [{ code: "service_waits", severity: "warning", message, command }];
  });

/** How the client's own calls fared, and everybody's of the last minute: what is broken now may be new to it. */
const failing = (facts: ClientFacts): readonly ClientFinding[] => {
  const { client, terms, recent, recentFaults, lastMinute, lastFaults } = facts;
  // Its own first: a service that it does not call fails others.
  const names = new Set([...recent, ...lastMinute].filter(({ tally }) => tally.errors > 0).map((row) => row.service));
  return [...names].flatMap((service): readonly ClientFinding[] => {
    const known = facts.services.find(({ name }) => name === service);
    // A service that is gone, or that it may not call (any more), stands in nobody's way.
    if (known === undefined || !mayCall(terms, service)) return [];
    const own = recent.filter((row) => row.service === service);
    const all = lastMinute.filter((row) => row.service === service);
    const isOwn = total(own, "errors") > 0;
    if (!isOwn && standingOf(client, facts.now) !== "active") return [];
    const rows = isOwn ? own : all;
    const [errors, calls] = [total(rows, "errors"), total(rows, "timed")];
    const of = isOwn
      ? `${client.name}'s ${counted(calls, "call")} in the last 15 minutes`
      : `everybody's ${counted(calls, "call")} in the last minute`;
    const now =
      isOwn && total(all, "timed") > 0
        ? ` In the last minute ${total(all, "errors")} of everybody's ${total(all, "timed")}.`
        : "";
    const latest = total(all, "timed") > 0 ? all : own;
    const isDown = total(latest, "errors") === total(latest, "timed");
    const statuses = rows
      .filter(({ tally }) => tally.errors > 0)
      .map(({ status, tally }) => `${statusText(status)} (${times(tally.errors)})`);
    const faults = (isOwn ? recentFaults : lastFaults).filter((fault) => fault.service === service);
    const late = faults.some(({ reason }) => reason === "answer_timeout") || (faults.length === 0 && rows.some(isLate));
    return [
      {
        code: "service_failing",
        severity: isOwn && isDown ? "blocked" : "warning",
        message: `${service} failed ${errors} of ${of}: ${statuses.join(", ")}.${now}${reasonsOf(faults, errors)}`,
        command: (late ? moreTime(service, known.timeoutMs) : undefined) ?? `aigw service show ${service}`,
      },
    ];
  });
};

const isLate = ({ status, tally }: ServiceStatus): boolean => status === 504 && tally.errors > 0;

const statusText = (status: number): string => (status === 0 ? "no status" : String(status));

/** Answers by which a service says that its caller, which is the gateway, has no right or too much of it. */
const REJECTS = new Set([401, 403, 407, 429]);

/** The service's own 4xx, which the gateway passes on. */
const rejecting = ({ client, recent, services }: ClientFacts): readonly ClientFinding[] =>
  [...Map.groupBy(recent, ({ service }) => service)].flatMap(([service, rows]): readonly ClientFinding[] => {
    if (!services.some(({ name }) => name === service)) return [];
    const calls = total(rows, "timed");
    const own = rows
      .filter(({ status }) => status >= 400 && status < 500)
      .map(({ status, tally }) => ({ status, calls: tally.timed - tally.errors - tally.aborted }))
      .filter((row) => row.calls > 0);
    const rejected = own.reduce((sum, row) => sum + row.calls, 0);
    const isOdd = own.some(({ status }) => REJECTS.has(status)) || rejected === calls;
    if (rejected === 0 || !isOdd) return [];
    const statuses = own.map((row) => `${row.status} (${times(row.calls)})`).join(", ");
    const hint = own.some(({ status }) => status === 401 || status === 403)
      ? " If it wants a key of the gateway, give it one with --header-env."
      : "";
    const message = `${service} itself answered ${rejected} of ${client.name}'s ${counted(calls, "call")} in the last 15 minutes with ${statuses}, which the gateway passed on.${hint}`;
    return [{ code: "service_rejects", severity: "warning", message, command: `aigw service show ${service}` }];
  });

/** Of its calls, and so many at least. */
const LEAVING = { share: 0.5, calls: 3 };

const leaving = ({ client, recent }: ClientFacts): readonly ClientFinding[] => {
  const [aborted, calls] = [total(recent, "aborted"), total(recent, "timed")];
  if (aborted < LEAVING.calls || aborted < calls * LEAVING.share) return [];
  const message = `${client.name} itself broke off ${aborted} of its ${counted(calls, "call")} in the last 15 minutes: often a timeout of its own that is shorter than the service takes.`;
  const command = `aigw usage tail --client ${client.name}`;
  return [{ code: "client_leaves", severity: "warning", message, command }];
};
