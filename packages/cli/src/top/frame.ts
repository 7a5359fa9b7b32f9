import type { SeenInstance, ServiceFault } from "@aigw/core";
import { isSilent } from "@aigw/core/acts";
import { faultWords } from "@aigw/core/services";
import { spark } from "../terminal/output/bar.ts";
import { escapeText } from "../terminal/output/escape.ts";
import { grouped, humanMs } from "../terminal/output/figures.ts";
import { rfc3339 } from "../terminal/output/time.ts";
import type { View } from "../terminal/output/view.ts";
import { padEnd, padStart, truncate } from "../terminal/output/width.ts";
import type { Snapshot, Stretch } from "./rolling-minute.ts";

export const SORTS = ["requests", "errors", "limited", "denied", "p99", "name"] as const;
export type Sort = (typeof SORTS)[number];

export interface FrameFacts {
  readonly snapshot: Snapshot;
  readonly gateways: readonly SeenInstance[];
  readonly sort: Sort;
  /** Rows there are; endless for a single frame. */
  readonly height: number;
  /** What the keys do; empty where there are none. */
  readonly keys: string;
}

const NAME = 16;
/** As much of it as leaves room for every count at 60 columns. */
const NAME_AT_LEAST = 14;
const FIGURES = 8;
/** Name, five figures of eight columns, two latencies, and the space between them. */
const BEFORE_SPARK = NAME + 7 * (FIGURES + 1) + 1;
/** Of the column that is sorted by. */
const MARK = 1;
const WIDEST_SPARK = 60;

const OUT = "out of file descriptors, see aigw doctor";

/** Lines of at most the view's width: a summary, the services, the clients, as many as there is room for. */
export const renderFrame = (view: View, facts: FrameFacts): readonly string[] => {
  const { snapshot, gateways, sort, height, keys } = facts;
  const ready = gateways.filter((gateway) => gateway.state === "ready" && !isSilent(gateway)).length;
  const time = rfc3339(snapshot.at).slice(11, 19);
  const title = `aigw top  ${time} UTC  ${gateways.length === 0 ? "no gateway is running" : `${ready} of ${gateways.length} gateways ready`}  last 60 s`;
  const dropped = gateways.reduce((sum, { droppedUsage }) => sum + droppedUsage, 0);
  const refused = gateways.reduce((sum, { openFiles }) => sum + (openFiles?.refused ?? 0), 0);
  const lines = [
    view.style.bold(cut(view, title)),
    ...(dropped === 0 ? [] : [view.style.red(cut(view, `${grouped(dropped)} calls could not be recorded`))]),
    ...(refused === 0 ? [] : [view.style.red(cut(view, `${grouped(refused)} connections and calls refused: ${OUT}`))]),
    head(view, "", sort),
    row(view, snapshot.all),
    "",
    head(view, "service", sort),
  ];
  const faults = snapshot.faults.slice(0, MOST_FAULTS).flatMap((fault) => faultLines(view, fault));
  const left = Math.max(2, height - lines.length - faults.length - 3);
  const services = sorted(snapshot.services, sort).slice(
    0,
    Math.max(1, Math.min(snapshot.services.length, Math.floor(left / 2))),
  );
  lines.push(...listed(view, services), ...faults, "", head(view, "client", sort));
  lines.push(...listed(view, sorted(snapshot.clients, sort).slice(0, Math.max(1, height - lines.length - 1))));
  if (keys !== "") lines.push(view.style.dim(cut(view, `${keys}  sorted by ${sort}`)));
  return lines;
};

const MOST_FAULTS = 3;

/** Why a service fails and, under it, what to do about it. */
const faultLines = (view: View, { service, reason, calls }: ServiceFault): readonly string[] => {
  const words = faultWords(reason);
  const why = `${service}, ${grouped(calls)} ×: ${words?.what ?? reason}`;
  return [view.style.red(cut(view, escapeText(why))), ...(words === undefined ? [] : [cut(view, `  ${words.remedy}`)])];
};

const listed = (view: View, stretches: readonly Stretch[]): readonly string[] =>
  stretches.length === 0 ? [view.style.dim("no calls")] : stretches.map((stretch) => row(view, stretch));

const sorted = (stretches: readonly Stretch[], sort: Sort): readonly Stretch[] => {
  const byName = (one: Stretch, other: Stretch): number => (one.name < other.name ? -1 : 1);
  if (sort === "name") return stretches.toSorted(byName);
  return stretches.toSorted((one, other) => (other[sort] ?? 0) - (one[sort] ?? 0) || byName(one, other));
};

const TITLES = ["req/s", "requests", "errors", "limited", "denied", "p50", "p99"];

const head = (view: View, name: string, sort: Sort): string => {
  const titles = TITLES.slice(0, figuresIn(view)).map((title) =>
    padStart(title === sort ? `${title}↓` : title, FIGURES),
  );
  return view.style.dim(cut(view, `${padEnd(name, nameWidth(view))} ${titles.join(" ")}`));
};

/** A terminal of few columns shows as many figures as fit. */
const figuresIn = ({ width }: View): number =>
  Math.max(1, Math.min(TITLES.length, Math.floor((width - NAME_AT_LEAST) / (FIGURES + 1))));

const nameWidth = (view: View): number =>
  Math.max(NAME_AT_LEAST, Math.min(NAME, view.width - figuresIn(view) * (FIGURES + 1) - MARK));

const row = (view: View, stretch: Stretch): string => {
  const figure = (text: string): string => padStart(text, FIGURES);
  const { errors, limited, denied, p50, p99 } = stretch;
  const name = padEnd(truncate(escapeText(stretch.name) || "-", nameWidth(view)), nameWidth(view));
  const ms = (value: number | undefined): string => figure(value === undefined ? "-" : humanMs(value));
  const cells = [
    figure(stretch.perSecond.toFixed(1)),
    figure(grouped(stretch.requests)),
    errors === 0 ? figure("0") : view.style.red(figure(grouped(errors))),
    limited === 0 ? figure("0") : view.style.yellow(figure(grouped(limited))),
    denied === 0 ? figure("0") : view.style.yellow(figure(grouped(denied))),
    ms(p50),
    ms(p99),
  ];
  const width = Math.min(WIDEST_SPARK, view.width - BEFORE_SPARK - 1);
  // Fewer columns than seconds: each stands for several, so that the line still tells of the whole minute.
  const line = width < 5 || !view.isTerminal ? "" : ` ${view.style.cyan(spark(merged(stretch.seconds, width)))}`;
  return `${name} ${cells.slice(0, figuresIn(view)).join(" ")}${line}`.trimEnd();
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
