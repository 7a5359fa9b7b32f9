import type { SeenInstance, Service } from "@aigw/core";
import { type QueueSettings, seenTargets } from "@aigw/core/services";
import type { Field } from "../../terminal/output/fields.ts";
import { humanBytes } from "../../terminal/output/figures.ts";
import { formatDuration } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { targetWords } from "./target-words.ts";

/** Where a service runs, and how each place is. */
export const targetFields = (view: View, service: Service, gateways: readonly SeenInstance[]): readonly Field[] =>
  seenTargets(service, gateways).map((target, index, all) => {
    const weight = target.weight === 1 ? "" : `weight ${target.weight}`;
    const calls = target.openCalls === 0 ? "" : `${target.openCalls} open`;
    const isPlain = all.length === 1 && (target.state === "up" || target.state === "unknown");
    const facts = [weight, isPlain ? "" : targetWords(view, target), calls].filter((fact) => fact !== "").join(", ");
    const label = all.length === 1 ? "URL" : index === 0 ? "Targets" : "";
    return [label, facts === "" ? target.url : `${target.url}  ${facts}`];
  });

/** `2, 100 wait for up to 30s`. */
const queueWords = ({ concurrency, most, waitMs }: QueueSettings): string =>
  `${concurrency} ${concurrency === 1 ? "call" : "calls"}; ${most === 0 ? "none waits" : `up to ${most} wait, ${formatDuration(waitMs)} at most`}`;

/** What is set of how it is reached; nothing of what is as it comes. */
export const reachFields = (service: Service): readonly Field[] => {
  const { health, disabled, fallback, queue, connectTimeoutMs, idleConnectionMs, maxHeadBytes } = service;
  const { ca, clientCert, serverName, hostHeader, encodedSlash, noVia } = service;
  const set = <T>(label: string, value: T | undefined, words: (value: T) => string): readonly Field[] =>
    value === undefined ? [] : [[label, words(value)]];
  return [
    ...set("Out of use", disabled, (message) => message || "without a message"),
    ...set("Fallback", fallback, (name) => name),
    ...set("At once", queue, queueWords),
    ...set("Health", health, ({ path, everyMs, status }) => `${path} every ${formatDuration(everyMs)}: ${status}`),
    ...set("Connect timeout", connectTimeoutMs, formatDuration),
    ...set("Idle connection", idleConnectionMs, formatDuration),
    ...set("Largest head", maxHeadBytes, humanBytes),
    ...set("Authority", ca, () => "its own certificates (--ca)"),
    ...set("Client certificate", clientCert, () => "shown to the targets, key sealed"),
    ...set("Server name", serverName, (name) => name),
    ...set("Host", hostHeader, (host) => (host === "client" ? "as the client called it" : host)),
    ...set("Encoded slash", encodedSlash, () => "passed on"),
    ...set("Via", noVia, () => "not named"),
  ];
};
