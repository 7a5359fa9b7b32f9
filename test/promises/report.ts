import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Row, Seen } from "./row.ts";

interface Held {
  readonly row: string;
  /** RFC 3339. */
  readonly at: string;
  readonly seconds: number;
  readonly seen: readonly Seen[];
}

const DATA = join(import.meta.dirname, "results.json");
const REPORT = join(import.meta.dirname, "RESULTS.md");

/** What a row is called in the report. */
export const titleOf = ({ name }: Row, onMongodb: boolean): string => (onMongodb ? `${name} on MongoDB` : name);

/** Puts what a row saw in the place of what it saw before. @param title see {@link titleOf} */
export const save = (title: string, seconds: number, seen: readonly Seen[], rows: readonly Row[]): void => {
  const order = rows.flatMap((row) => [titleOf(row, false), titleOf(row, true)]);
  const old = existsSync(DATA) ? (JSON.parse(readFileSync(DATA, "utf8")) as Held[]) : [];
  const fresh: Held = { row: title, at: new Date().toISOString(), seconds: Math.round(seconds), seen };
  const all = [...old.filter((held) => held.row !== title && order.includes(held.row)), fresh].toSorted(
    (a, b) => order.indexOf(a.row) - order.indexOf(b.row),
  );
  writeFileSync(DATA, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(REPORT, render(all, rows));
};

const render = (all: readonly Held[], rows: readonly Row[]): string => {
  const sections = all.map(({ row, at, seconds, seen }) => {
    const promise = rows.find((one) => [titleOf(one, false), titleOf(one, true)].includes(row))?.promise ?? "";
    const lines = seen.map(
      ({ what, seen: value, promised, kept }) =>
        `| ${what} | ${value} | ${promised} | ${kept ? "kept" : "**broken**"} |`,
    );
    return `## ${row}

${promise}. Run on ${at.slice(0, 16).replace("T", " ")} UTC, ${seconds} s.

| what | seen | promised | |
| --- | --- | --- | --- |
${lines.join("\n")}
`;
  });
  const [cpu] = cpus();
  const machine = `${cpus().length} × ${cpu?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}`;
  return `# The promises, at full size

Written by \`pnpm promises [row …]\`: each row drives real processes and real sockets. ${machine}.

${sections.join("\n")}`;
};
