import type { Client, Service, UsageEvent } from "@aigw/core";
import { standingOf } from "@aigw/core/clients";
import { hasWaitedOut } from "@aigw/core/insight";
import { mayCall, type Terms } from "@aigw/core/plans";
import { faultWords } from "@aigw/core/services";
import { type Outcome, tokenEndWords, triedClient } from "@aigw/core/usage";
import { humanBytes, humanMs } from "../terminal/output/figures.ts";
import type { Finding, Severity } from "./finding.ts";
import { moreRoom } from "./queue-words.ts";
import { moreTime } from "./words.ts";

/** Closed and stable: `request_` and the outcome, or for `denied` what was refused. */
export type RequestFindingCode =
  | `request_${Exclude<Outcome, "denied">}`
  | "request_token_refused"
  | "request_over_quota"
  | "request_not_allowed"
  | "request_unknown_service"
  | "request_no_room"
  | "request_service_busy"
  | "request_unavailable";

export type RequestFinding = Finding<RequestFindingCode>;

/** The request, and who is there now. */
export interface RequestFacts {
  readonly event: UsageEvent;
  /** Undefined when it was removed since. */
  readonly client: Client | undefined;
  /** The client's, as they are. */
  readonly terms: Terms | undefined;
  readonly services: readonly Pick<Service, "name" | "timeoutMs" | "queue">[];
  readonly now: number;
}

export const explainRequest = (facts: RequestFacts): RequestFinding => {
  const { event } = facts;
  const { status, outcome } = event;
  const took = humanMs(event.latencyMs);
  // One of a later version has no words here.
  const words = faultWords(event.reason ?? "");
  const because = words === undefined ? "" : `: ${words.what}`;
  const remedy = words === undefined ? "" : ` ${words.remedy}`;
  const known = facts.services.find(({ name }) => name === event.service);
  // A command about a service that was removed since would be refused.
  const service = known === undefined ? `${event.service} (removed since)` : event.service;
  const finding = (severity: Severity, message: string, command?: string): RequestFinding => ({
    code: outcome === "denied" ? "request_token_refused" : `request_${outcome}`,
    severity,
    message,
    ...(command !== undefined && { command }),
  });
  const show = known === undefined ? undefined : `aigw service show ${known.name}`;
  if (status === 101 && outcome !== "revoked") return finding(...socket(event, service, took));
  switch (outcome) {
    case "ok": {
      const own = status >= 400 ? " The status is the service's own, not the gateway's." : "";
      return finding(
        "fine",
        `${service} answered ${status} in ${took}, and the client got all of it.${own}${waited(event)}`,
      );
    }
    case "denied":
      return denied(facts);
    case "limited":
      return limited(facts);
    case "upstream_error":
      return finding(
        "blocked",
        event.upstreamMs === undefined
          ? `The gateway got no answer from ${service} and sent ${status}${because}.${remedy}`
          : `${service} itself answered ${status} after ${humanMs(event.upstreamMs)}; the gateway passed it on. Its own log knows why.`,
        show,
      );
    case "timeout": {
      const isSlow = event.reason === undefined || event.reason === "answer_timeout";
      return finding(
        "blocked",
        `${service} did not answer in time; the gateway gave up after ${took} with ${status}${because}.${remedy}`,
        (isSlow && known !== undefined ? moreTime(known.name, known.timeoutMs) : undefined) ?? show,
      );
    }
    case "aborted":
      return finding("warning", aborted(event, service, took));
    case "incomplete": {
      const what =
        words === undefined
          ? "broke off or fell silent in the middle of its answer, or the gateway was stopped"
          : `did not finish its answer: ${words.what}`;
      return finding(
        "blocked",
        `${service} ${what}. After ${took} the client had ${humanBytes(event.bytesOut)} and got a broken transfer.${remedy}`,
        show,
      );
    }
    case "revoked":
      return finding(
        "blocked",
        `The transfer was cut after ${took}, because ${event.client}'s right to it ended while it was under way: access, password, signing secret, or the service itself.`,
        "aigw audit list",
      );
  }
};

/** Where it is most of what the call took. */
const waited = ({ queuedMs = 0, latencyMs }: UsageEvent): string =>
  queuedMs * 2 < latencyMs || queuedMs < 1
    ? ""
    : ` For ${humanMs(queuedMs)} of that it waited for the service to have room.`;

/** A WebSocket that nobody cut. */
const socket = ({ outcome, bytesIn, bytesOut }: UsageEvent, service: string, took: string): [Severity, string] => {
  const moved = `with ${humanBytes(bytesIn)} from the client and ${humanBytes(bytesOut)} to it`;
  if (outcome === "ok")
    return ["fine", `A WebSocket of ${service} that was open for ${took}, ${moved}, and then closed.`];
  const who = outcome === "aborted" ? "The client" : `${service}, or the gateway when it was stopped,`;
  return ["warning", `${who} ended a WebSocket of ${service} without closing it, after ${took}, ${moved}.`];
};

/** Who may be asked about it: a client that is there. */
const whyClient = ({ client }: RequestFacts): { readonly command?: string } =>
  client === undefined ? {} : { command: `aigw why ${client.name}` };

/** By the client, in one way or another. */
const aborted = ({ status, upstreamMs, bytesIn, bytesOut }: UsageEvent, service: string, took: string): string => {
  // The gateway's own, and not one that the service sent.
  if (status === 408 && upstreamMs === undefined) {
    return `The client stopped sending in the middle of its request: after ${took} and ${humanBytes(bytesIn)} the gateway gave up with 408. ${service} was waiting for the rest.`;
  }
  if (status === 0) return `The client left after ${took}, before anything was sent to it. Often a timeout of its own.`;
  return `The client left, or stopped reading or sending, and the transfer ended after ${took} with ${humanBytes(bytesOut)} sent to it. Often a timeout of its own, or a client that hangs.`;
};

const limited = (facts: RequestFacts): RequestFinding => {
  const { event, client, terms } = facts;
  if (event.reason === "quota_exceeded") {
    const message = `A quota of ${event.client} was used up at that moment, or what was left of it was set aside for calls under way: the gateway answered ${event.status} and called no service. It counts in no quota, and cost no permit.`;
    const command = client === undefined ? {} : { command: `aigw client quota ${client.name}` };
    return { code: "request_over_quota", severity: "warning", message, ...command };
  }
  // The record does not say which limit it was; it may have been changed since.
  const today = terms === undefined ? "" : ` Today it is ${terms.limit} in 60 s.`;
  const message = `${event.client} was over its limit of that moment: the gateway answered ${event.status} and called no service. It cost no permit.${today}`;
  return { code: "request_limited", severity: "warning", message, ...whyClient(facts) };
};

const denied = (facts: RequestFacts): RequestFinding => {
  const { event, client, services } = facts;
  const { service, status, reason } = event;
  const words = faultWords(reason ?? "");
  if (words !== undefined) {
    const message = `The gateway refused it with ${status} and did not call ${service}: ${words.what}. ${words.remedy}`;
    return { code: "request_no_room", severity: "blocked", message, command: "aigw doctor" };
  }
  if (reason === "service_busy") return busy(facts);
  if (status === 503) {
    const message = `The gateway refused it with 503 and did not call ${service}: the service was out of use then (aigw service disable), or the gateway was about to end.`;
    return { code: "request_unavailable", severity: "warning", message, command: `aigw service show ${service}` };
  }
  if (status === 403) return notAllowed(facts);
  if (status === 404) {
    const isThere = services.some(
      ({ name }) => event.path === `/api/${name}` || event.path.startsWith(`/api/${name}/`),
    );
    const message = `There was no service of the name that ${event.path} asks for${isThere ? "; there is one now" : ""}.`;
    return { code: "request_unknown_service", severity: "blocked", message, command: "aigw service list" };
  }
  const end = tokenEndWords(reason);
  const why = end === undefined ? "run out, rotated out, or from before a new password or a revocation" : end.what;
  const message = `The token was genuine, but not good ${end === undefined ? `any more: ${why}` : `at that moment: ${why}`}.${standingNow(facts)}`;
  const command = client === undefined ? "aigw client list" : `aigw why ${client.name}`;
  return { code: "request_token_refused", severity: "blocked", message, command };
};

const busy = ({ event, services }: RequestFacts): RequestFinding => {
  const { service, status, queuedMs } = event;
  const known = services.find(({ name }) => name === service);
  const how =
    queuedMs === undefined ? "and as many waited for it as may" : `for the ${humanMs(queuedMs)} that it waited`;
  const message = `${service} had all the calls that it takes at once, ${how}: the gateway answered ${status} and did not call it. It cost no permit.`;
  const command =
    known?.queue === undefined ? {} : { command: moreRoom(service, known.queue, hasWaitedOut(queuedMs, known.queue)) };
  return { code: "request_service_busy", severity: "warning", message, ...command };
};

const standingNow = ({ event, client, now }: RequestFacts): string => {
  const name = triedClient(event.client) ?? event.client;
  return ` ${name} ${client === undefined ? "has been removed since" : `is ${standingOf(client, now)} now`}.`;
};

const notAllowed = ({ event, client, terms, services }: RequestFacts): RequestFinding => {
  const { service } = event;
  const isThere = services.some(({ name }) => name === service);
  const mayNow = terms !== undefined && isThere && mayCall(terms, service);
  const message = `${event.client} was not allowed to call ${service}${mayNow ? "; now it is" : isThere ? "" : ", which was removed since"}.`;
  const allowed = terms?.services?.filter((name) => services.some((known) => known.name === name)) ?? [];
  const command = `aigw client set ${client?.name} --services ${[...allowed, service].join(",")}`;
  return {
    code: "request_not_allowed",
    severity: "blocked",
    message,
    ...(client !== undefined && isThere && !mayNow && { command }),
  };
};
