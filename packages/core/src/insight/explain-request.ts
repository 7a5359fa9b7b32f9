import { type Client, standingOf } from "../clients/client.ts";
import { faultWords } from "../services/fault.ts";
import type { Outcome, UsageEvent } from "../usage/usage-event.ts";
import type { Finding } from "./finding.ts";

/** Closed and stable: `request_` and the outcome, or for `denied` what was refused. */
export type RequestFindingCode =
  | `request_${Exclude<Outcome, "denied">}`
  | "request_token_refused"
  | "request_not_allowed"
  | "request_unknown_service"
  | "request_no_room";

export type RequestFinding = Finding<RequestFindingCode>;

/** @param client as it is now; undefined when it was removed since */
export const explainRequest = (event: UsageEvent, client: Client | undefined, now: number): RequestFinding => {
  const { service, status, outcome } = event;
  const took = `${Math.round(event.latencyMs)} ms`;
  // One of a later version has no words here.
  const words = faultWords(event.reason ?? "");
  const because = words === undefined ? "" : `: ${words.what}`;
  const remedy = words === undefined ? "" : ` ${words.remedy}`;
  const show = { command: `aigw service show ${service}` };
  switch (outcome) {
    case "ok":
      return {
        code: "request_ok",
        severity: "fine",
        message: `${service} answered ${status} in ${took}, and the client got all of it.`,
      };
    case "denied":
      return denied(event, client, now);
    case "limited": {
      const message = `${event.client} was over its limit: the gateway answered ${status} and ${service} was not called. It cost no permit.`;
      return { code: "request_limited", severity: "warning", message, command: `aigw why ${event.client}` };
    }
    case "upstream_error": {
      const message =
        event.upstreamMs === undefined
          ? `The gateway got no answer from ${service} and sent ${status}${because}.${remedy}`
          : `${service} itself answered ${status} after ${Math.round(event.upstreamMs)} ms; the gateway passed it on. Its own log knows why.`;
      return { code: "request_upstream_error", severity: "blocked", message, ...show };
    }
    case "timeout": {
      const message = `${service} did not answer in time; the gateway gave up after ${took} with ${status}${because}.${remedy}`;
      const more = { command: `aigw service set ${service} --timeout 300s` };
      const isSlow = event.reason === undefined || event.reason === "answer_timeout";
      return { code: "request_timeout", severity: "blocked", message, ...(isSlow ? more : show) };
    }
    case "aborted":
      return { code: "request_aborted", severity: "warning", message: aborted(event, took) };
    case "incomplete": {
      const what =
        words === undefined
          ? "broke off or fell silent in the middle of its answer, or the gateway was stopped"
          : `did not finish its answer: ${words.what}`;
      const message = `${service} ${what}. After ${took} the client had ${event.bytesOut} bytes and got a broken transfer.${remedy}`;
      return { code: "request_incomplete", severity: "blocked", message, ...show };
    }
    case "revoked": {
      const message = `The transfer was cut after ${took}, because ${event.client}'s access ended while it was under way.`;
      return {
        code: "request_revoked",
        severity: "blocked",
        message,
        command: `aigw audit list --subject ${event.client}`,
      };
    }
  }
};

/** By the client, in one way or another. */
const aborted = ({ service, status, upstreamMs, bytesIn, bytesOut }: UsageEvent, took: string): string => {
  // The gateway's own, and not one that the service sent.
  if (status === 408 && upstreamMs === undefined) {
    return `The client stopped sending in the middle of its request: after ${took} and ${bytesIn} bytes the gateway gave up with 408. ${service} was waiting for the rest.`;
  }
  if (status === 0) return `The client left after ${took}, before anything was sent to it. Often a timeout of its own.`;
  return `The client left, or stopped reading or sending, and the transfer ended after ${took} with ${bytesOut} bytes sent to it. Often a timeout of its own, or a client that hangs.`;
};

const denied = (event: UsageEvent, client: Client | undefined, now: number): RequestFinding => {
  const { service, status } = event;
  const words = faultWords(event.reason ?? "");
  if (words !== undefined) {
    const message = `The gateway refused it with ${status} and did not call ${service}: ${words.what}. ${words.remedy}`;
    return { code: "request_no_room", severity: "blocked", message, command: "aigw doctor" };
  }
  if (status === 403) {
    const message = `${event.client} was not allowed to call ${service}.`;
    const names = [...(client?.services ?? []), service].join(",");
    const command =
      client?.services?.includes(service) === false ? `aigw client set ${client.name} --services ${names}` : undefined;
    return { code: "request_not_allowed", severity: "blocked", message, ...(command && { command }) };
  }
  if (status === 404) {
    const message = `There was no service of the name that ${event.path} asks for.`;
    return { code: "request_unknown_service", severity: "blocked", message, command: "aigw service list" };
  }
  const known = client === undefined ? "has been removed since" : `is ${standingOf(client, now)} now`;
  return {
    code: "request_token_refused",
    severity: "blocked",
    message: `The token was genuine, but not good any more: run out, rotated out, or from before a new password or a revocation. ${event.client} ${known}.`,
    command: client === undefined ? "aigw client list" : `aigw why ${event.client}`,
  };
};
