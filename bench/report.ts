import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Figure, number, verdictOf } from "./support/figure.ts";
import { BENCH, machine } from "./support/machine.ts";

/** What one row measured, and when and on what. */
export interface Measured {
  readonly row: string;
  /** RFC 3339. */
  readonly at: string;
  readonly machine: string;
  readonly figures: readonly Figure[];
}

const DATA = join(BENCH, "results.json");
const REPORT = join(BENCH, "RESULTS.md");

const withUnit = (value: number, unit: Figure["unit"]): string => `${number(value)}${unit === "" ? "" : ` ${unit}`}`;

const bound = ({ target, unit }: Figure, which: "bar" | "goal"): string =>
  target === undefined ? "" : `${target.better === "higher" ? "≥" : "≤"} ${withUnit(target[which], unit)}`;

const cells = (figure: Figure): readonly string[] => {
  const { what, value, unit, spread, from } = figure;
  const range = spread === undefined ? "" : ` (${number(spread[0])}–${number(spread[1])})`;
  const verdict = verdictOf(figure);
  return [
    what,
    `${withUnit(value, unit)}${range}`,
    bound(figure, "bar"),
    bound(figure, "goal"),
    verdict === "missed"
      ? "**missed**"
      : verdict === "undecided"
        ? `undecided: scatter ${number((figure.scatter ?? 0) * 100)} %`
        : verdict,
    from,
  ];
};

/** One line a figure, for the terminal. */
export const lines = (figures: readonly Figure[]): readonly string[] =>
  figures.map((figure) => {
    const [what = "", value = "", bar = "", goal = "", verdict = "", from = ""] = cells(figure);
    const against = bar === "" ? "" : `  [bar ${bar}, goal ${goal}: ${verdict.replaceAll("*", "")}]`;
    return `${what}: ${value}${against}  ${from}`;
  });

/** Puts a row's new figures in the place of its old ones. */
export const save = (row: string, figures: readonly Figure[], order: readonly string[]): void => {
  const old = existsSync(DATA) ? (JSON.parse(readFileSync(DATA, "utf8")) as Measured[]) : [];
  const fresh: Measured = { row, at: new Date().toISOString(), machine: machine(), figures };
  const all = [...old.filter((measured) => measured.row !== row && order.includes(measured.row)), fresh].toSorted(
    (a, b) => order.indexOf(a.row) - order.indexOf(b.row),
  );
  writeFileSync(DATA, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(REPORT, render(all));
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

const render = (all: readonly Measured[]): string => {
  const rows = all.flatMap(({ figures }) => figures.map(cells));
  const runs = all.map(({ row, at, machine: where }) => [
    `\`pnpm bench ${row}\``,
    at.slice(0, 16).replace("T", " "),
    where,
  ]);
  return `# Results

Written by \`pnpm bench\`; [README](README.md) says how it measures, and how each peer is set up. Ratios are medians of
the rounds' own ratios, with the smallest and the largest round in brackets; where the middle half of the rounds lies
further apart than a tenth of the median, there is no verdict.

${table(["what", "measured", "bar", "goal", "reached", "from"], rows)}

${table(["run", "when (UTC)", "where"], runs)}
`;
};
