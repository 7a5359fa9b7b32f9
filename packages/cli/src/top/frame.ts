import type { SeenInstance, ServiceFault } from "@aigw/core";
import { isSilent } from "@aigw/core/acts";
import { millionthsInWords } from "@aigw/core/meters";
import type { SeenQueue } from "@aigw/core/queue";
import { downTargets, faultWords } from "@aigw/core/services";
import { queueWords } from "../findings/queue-words.ts";
import { downWords } from "../findings/target-words.ts";
import { spark } from "../terminal/output/bar.ts";
import { escapeText } from "../terminal/output/escape.ts";
import { grouped, humanMs } from "../terminal/output/figures.ts";
import type { Tone } from "../terminal/output/style.ts";
import { rfc3339 } from "../terminal/output/time.ts";
import type { View } from "../terminal/output/view.ts";
import { displayWidth, padEnd, padStart, truncate } from "../terminal/output/width.ts";
import { listed as wordList } from "../terminal/output/words.ts";
import { headed, wrap } from "../terminal/output/wrap.ts";
import type { Snapshot, Stretch } from "./rolling-minute.ts";

export const SORTS = ["requests", "errors", "limited", "denied", "p99", "name"] as const;
export type Sort = (typeof SORTS)[number];

export interface FrameFacts {
  readonly snapshot: Snapshot;
  readonly gateways: readonly SeenInstance[];
  /** Of services that take only so many calls at once. */
  readonly queues: readonly SeenQueue[];
  readonly sort: Sort;
  /** Rows there are; endless for a single frame. */
  readonly height: number;
  /** What the keys do; empty where there are none. */
  readonly keys: string;
}

/** As much of a name as leaves room for every count at 60 columns. */
const NAME_AT_LEAST = 14;
const WIDEST_SPARK = 60;
const NARROWEST_SPARK = 5;

const OUT = "out of file descriptors, see aigw doctor";

/** Lines of at most the view's width: a summary, the services, the clients, as many as there is room for. */
export const renderFrame = (view: View, facts: FrameFacts): readonly string[] => {
  const { snapshot, gateways, queues, sort, height, keys } = facts;
  const name = nameWidth(view, [...snapshot.services, ...snapshot.clients]);
  const dropped = gateways.reduce((sum, { droppedUsage }) => sum + droppedUsage, 0);
  const refused = gateways.reduce((sum, { openFiles }) => sum + (openFiles?.refused ?? 0), 0);
  const lines = [
    view.style.bold(title(view, facts)),
    ...(dropped === 0 ? [] : alarm(view, grouped(dropped), "calls could not be recorded")),
    ...(refused === 0 ? [] : alarm(view, grouped(refused), `connections and calls refused: ${OUT}`)),
    ...downTargets(gateways.filter((gateway) => !isSilent(gateway)))
      .slice(0, MOST_DOWN)
      .flatMap((target) => alarm(view, escapeText(target.service), downWords(target))),
    ...overQuota(view, snapshot),
    ...waiting(view, queues),
    head(view, name, "", sort),
    ...row(view, name, snapshot.all),
    ...worth(view, snapshot.all),
    "",
    head(view, name, "service", sort),
  ];
  const faults = snapshot.faults.slice(0, MOST_FAULTS).flatMap((fault) => faultLines(view, fault));
  const left = Math.max(2, height - lines.length - faults.length - 3);
  const services = sorted(snapshot.services, sort).slice(
    0,
    Math.max(1, Math.min(snapshot.services.length, Math.floor(left / 2))),
  );
  lines.push(...listed(view, name, services), ...faults, "", head(view, name, "client", sort));
  const clients = listed(view, name, sorted(snapshot.clients, sort).slice(0, Math.max(1, height - lines.length - 1)));
  lines.push(...clients.slice(0, Math.max(1, height - lines.length - 1)));
  if (keys !== "") lines.push(view.style.dim(cut(view, `${keys}  sorted by ${sort}`)));
  return lines;
};

/** On a terminal of few columns without what is said last. */
const title = (view: View, { snapshot, gateways }: FrameFacts): string => {
  const ready = gateways.filter((gateway) => gateway.state === "ready" && !isSilent(gateway)).length;
  const running = gateways.length === 0 ? "no gateway is running" : `${ready} of ${gateways.length} gateways ready`;
  const parts = ["aigw top", `${rfc3339(snapshot.at).slice(11, 19)} UTC`, running, "last 60 s"];
  while (parts.length > 1 && displayWidth(parts.join("  ")) > view.width) parts.pop();
  return parts.join("  ");
};

const alarm = (view: View, count: string, what: string): readonly string[] =>
  headed(view, count, "red", what).split("\n");

const overQuota = (view: View, { all, clients }: Snapshot): readonly string[] => {
  if (all.overQuota === 0) return [];
  const whose = clients.filter((client) => client.overQuota > 0).map(({ name }) => escapeText(name));
  return alarm(view, grouped(all.overQuota), `calls over a quota: ${wordList(whose, MOST_OVER)}`);
};

/** The longest first. */
const waiting = (view: View, queues: readonly SeenQueue[]): readonly string[] =>
  queues
    .filter((queue) => queue.waiting > 0 || queue.slots > 0)
    .toSorted((one, other) => other.waiting - one.waiting)
    .slice(0, MOST_QUEUES)
    .flatMap((queue) =>
      headed(view, escapeText(queue.service), queue.waiting > 0 ? "yellow" : "green", queueWords(queue)).split("\n"),
    );

/** What the calls were worth, as far as it fits on a line. */
const worth = (view: View, { units, cost }: Stretch): readonly string[] => {
  const parts = Object.entries(units).map(([unit, value]) => `${unit} ${millionthsInWords(value)}`);
  if (cost > 0) parts.push(`cost ${millionthsInWords(cost)}`);
  return parts.length === 0 ? [] : [view.style.dim(cut(view, `worth  ${parts.join("  ")}`))];
};

const MOST_OVER = 3;
const MOST_QUEUES = 3;
const MOST_DOWN = 3;

const MOST_FAULTS = 3;

/** Why a service fails and, under it, what to do about it. */
const faultLines = (view: View, { service, reason, calls }: ServiceFault): readonly string[] => {
  const words = faultWords(reason);
  const why = headed(view, `${escapeText(service)},`, "red", `${grouped(calls)} ×: ${words?.what ?? reason}`);
  const remedy = words === undefined ? [] : wrap(words.remedy, view.width - 2).map((line) => `  ${line}`);
  return [...why.split("\n"), ...remedy];
};

const listed = (view: View, name: number, stretches: readonly Stretch[]): readonly string[] =>
  stretches.length === 0 ? [view.style.dim("no calls")] : stretches.flatMap((stretch) => row(view, name, stretch));

const sorted = (stretches: readonly Stretch[], sort: Sort): readonly Stretch[] => {
  const byName = (one: Stretch, other: Stretch): number => (one.name < other.name ? -1 : 1);
  if (sort === "name") return stretches.toSorted(byName);
  return stretches.toSorted((one, other) => (other[sort] ?? 0) - (one[sort] ?? 0) || byName(one, other));
};

/** With how wide they are: the title, the mark of what is sorted by, and every figure that there may be. */
const FIGURES = [
  ["req/s", 7],
  ["requests", 9],
  ["errors", 7],
  ["limited", 8],
  ["denied", 7],
  ["p50", 7],
  ["p99", 7],
] as const;

/** What the first so many of them take, with a space before each. */
const widthOf = (figures: number): number => FIGURES.slice(0, figures).reduce((sum, [, width]) => sum + width + 1, 0);

const head = (view: View, name: number, what: string, sort: Sort): string => {
  const titles = FIGURES.slice(0, figuresIn(view, name)).map(([title, width]) =>
    padStart(title === sort ? `${title}↓` : title, width),
  );
  return view.style.dim(`${padEnd(what, name)} ${titles.join(" ")}`);
};

/** A terminal of few columns shows as many figures as fit. */
const figuresIn = ({ width }: View, name: number): number => {
  let figures = FIGURES.length;
  while (figures > 1 && name + widthOf(figures) > width) figures -= 1;
  return figures;
};

/** As wide as the names, as far as every figure has room beside them. */
const nameWidth = (view: View, stretches: readonly Stretch[]): number => {
  const most = Math.max(NAME_AT_LEAST, view.width - widthOf(FIGURES.length));
  const fitting = stretches.map(({ name }) => displayWidth(escapeText(name))).filter((width) => width <= most);
  return Math.max(NAME_AT_LEAST, ...fitting);
};

/** A name that is longer than its column is alone on a line above the figures. */
const row = (view: View, width: number, stretch: Stretch): readonly string[] => {
  const { errors, limited, denied, p50, p99 } = stretch;
  const name = escapeText(stretch.name) || "-";
  const fits = displayWidth(name) <= width;
  const shown = figuresIn(view, width);
  const ms = (value: number | undefined): string => (value === undefined ? "-" : humanMs(value));
  const cells: readonly (readonly [text: string, tone?: Tone | false])[] = [
    [stretch.perSecond.toFixed(1)],
    [grouped(stretch.requests)],
    [grouped(errors), errors > 0 && "red"],
    [grouped(limited), limited > 0 && "yellow"],
    [grouped(denied), denied > 0 && "yellow"],
    [ms(p50)],
    [ms(p99)],
  ];
  const figures = cells.slice(0, shown).map(([text, tone], index) => {
    const padded = padStart(text, FIGURES[index]?.[1] ?? 0);
    return tone ? view.style[tone](padded) : padded;
  });
  const left = Math.min(WIDEST_SPARK, view.width - width - widthOf(shown) - 1);
  // Fewer columns than seconds: each stands for several, so that the line still tells of the whole minute.
  const line =
    left < NARROWEST_SPARK || !view.isTerminal ? "" : ` ${view.style.cyan(spark(merged(stretch.seconds, left)))}`;
  const all = `${padEnd(fits ? name : "", width)} ${figures.join(" ")}${line}`.trimEnd();
  return fits ? [all] : [name, all];
};

const merged = (seconds: readonly number[], width: number): readonly number[] => {
  const each = Math.ceil(seconds.length / width);
  const sums: number[] = [];
  for (let end = seconds.length; end > 0; end -= each) {
    sums.unshift(seconds.slice(Math.max(0, end - each), end).reduce((sum, count) => sum + count, 0));
  }
  return sums;
};

const cut = (view: View, text: string): string => (Number.isFinite(view.width) ? truncate(text, view.width) : text);
