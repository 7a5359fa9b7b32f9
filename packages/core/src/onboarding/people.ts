import { MAX_EFFECTS } from "../changes/change.ts";
import {
  isRelativeExpiry,
  parseClientName,
  parseEmail,
  parseExpiry,
  parseLimit,
  parseLine,
  parseServiceList,
} from "../clients/index.ts";
import { AigwError, isAigwError } from "../errors.ts";
import { parsePlanName, parseWeight } from "../plans/parse-plan.ts";
import { parseQuotas, quotasInWords } from "../quotas/quota.ts";
import type { Row } from "./roster.ts";

export interface People {
  readonly people: readonly Row[];
  /** `line 3: …` each. */
  readonly problems: readonly string[];
}

/** As much as fits on one screen of any spreadsheet program many times over. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Reads the bytes of a CSV file: comma or semicolon, header row required, columns in any order. */
export const readPeople = async (bytes: Uint8Array, now: number): Promise<People> => {
  const { records, problems } = await recordsIn(decoded(bytes));
  const [header, ...rows] = records;
  if (header === undefined) throw invalid("it is empty; the first row names the columns");
  const columns = columnsOf(header.cells);
  const found: string[] = [...problems];
  const people: Row[] = [];
  const seen = new Map<string, number>();
  for (const { line, cells } of rows) {
    const { person, wrong } = personIn(line, cells, columns, now);
    const before = seen.get(person.name);
    if (before !== undefined) wrong.push(`${person.name} stands on line ${before} already`);
    else if (person.name !== "") seen.set(person.name, line);
    people.push(person);
    found.push(...wrong.map((what) => `line ${line}: ${what}`));
  }
  if (people.length === 0 && found.length === 0) throw invalid("there is nobody in it but the header row");
  // They are one change of the log.
  if (people.length > MAX_EFFECTS) throw invalid(`it names more than ${MAX_EFFECTS} people; split it`);
  return { people, problems: found };
};

const invalid = (why: string): AigwError => new AigwError("invalid_value", `The file is not valid: ${why}.`);

const decoded = (bytes: Uint8Array): string => {
  if (bytes.length > MAX_BYTES) throw invalid(`it is larger than ${MAX_BYTES / 1024 / 1024} MiB`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AigwError("invalid_value", "The file is not UTF-8 text: save it as CSV UTF-8.", { cause });
  }
};

interface Cells {
  /** The first of the row: a cell may have several. */
  readonly line: number;
  readonly cells: readonly string[];
}

const recordsIn = async (
  text: string,
): Promise<{ readonly records: readonly Cells[]; readonly problems: readonly string[] }> => {
  const { parse } = await import("csv-parse/sync");
  const bytes = Buffer.from(text.replace(/\r\n?/g, "\n"));
  const firstLineFrom = lineCounter(bytes);
  const problems: string[] = [];
  const records: Cells[] = [];
  /** Where the last row that could be read ends. */
  let end = 0;
  parse(bytes, {
    delimiter: delimiterOf(text),
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    skip_records_with_error: true,
    on_record: (cells, { bytes: reached }) => {
      records.push({ line: firstLineFrom(end), cells });
      end = reached;
      return null;
    },
    on_skip: () => {
      // From there on nobody can say where a row begins.
      if (problems.length > 0) return;
      problems.push(`line ${firstLineFrom(end)}: a quotation mark is out of place; what follows could not be read`);
    },
  });
  // A spreadsheet leaves rows of nothing but delimiters behind.
  return { records: records.filter(({ cells }) => cells.some((cell) => cell !== "")), problems };
};

/** @returns for a place behind the last one asked for: the number of the first line from there that is not empty */
const lineCounter = (bytes: Buffer): ((from: number) => number) => {
  let line = 1;
  let at = 0;
  return (from) => {
    while (at < bytes.length && (at < from || bytes[at] === NEWLINE)) {
      if (bytes[at] === NEWLINE) line += 1;
      at += 1;
    }
    return line;
  };
};

const NEWLINE = 0x0a;

/** The header row tells: a semicolon is what spreadsheets write where the comma is the decimal sign. */
const delimiterOf = (text: string): "," | ";" => {
  const header = text.split(/\r?\n/).find((line) => line.trim() !== "") ?? "";
  const bare = header.replace(/"[^"]*"/g, "");
  return bare.split(";").length > bare.split(",").length ? ";" : ",";
};

type Column = Exclude<keyof Row, "line" | "expiryIsRelative">;

const COLUMNS: Readonly<Record<string, Column>> = {
  name: "name",
  username: "name",
  email: "email",
  displayname: "displayName",
  services: "services",
  limit: "limit",
  plan: "plan",
  quota: "quota",
  weight: "weight",
  expires: "expiresAt",
  note: "note",
};
const KNOWN_COLUMNS = "name, email, display name, services, limit, plan, quota, weight, expires, note";

const columnsOf = (header: readonly string[]): readonly (Column | undefined)[] => {
  const columns = header.map((title) => {
    const column = COLUMNS[title.toLowerCase().replace(/[\s_-]/g, "")];
    if (column === undefined && title !== "")
      throw invalid(`there is no column '${title}'; columns are: ${KNOWN_COLUMNS}`);
    return column;
  });
  const twice = columns.find((column, index) => column !== undefined && columns.indexOf(column) !== index);
  if (twice !== undefined) throw invalid(`the column '${header[columns.lastIndexOf(twice)]}' stands there twice`);
  if (!columns.includes("name"))
    throw invalid(`there is no column 'name'; the first row names the columns: ${KNOWN_COLUMNS}`);
  return columns;
};

const personIn = (
  line: number,
  cells: readonly string[],
  columns: readonly (Column | undefined)[],
  now: number,
): { readonly person: Row; readonly wrong: string[] } => {
  const wrong: string[] = [];
  if (cells.slice(columns.length).some((cell) => cell !== "")) {
    wrong.push(
      `it has ${cells.length} cells, and the header ${columns.length}; does a cell with a comma lack its quotation marks?`,
    );
  }
  const cell = <T>(column: Column, parse: (value: string) => T): { readonly [K in Column]?: T } => {
    const value = cells[columns.indexOf(column)] ?? "";
    if (!columns.includes(column) || value === "") return {};
    try {
      const result = parse(value);
      return result === undefined ? {} : ({ [column]: result } as { [K in Column]?: T });
    } catch (error) {
      if (!isAigwError(error, "invalid_value")) throw error;
      wrong.push(error.message.replace(/\.$/, ""));
      return {};
    }
  };
  const name = cell("name", parseClientName).name ?? "";
  if (name === "" && wrong.length === 0) wrong.push("the name is missing");
  const person = {
    line,
    name,
    ...cell("email", parseEmail),
    ...cell("displayName", (value) => parseLine("display name", value, 100)),
    ...cell("services", (value) => parseServiceList(value.replace(/[;|\s]+/g, ",").replace(/,+/g, ","))),
    ...cell("limit", parseLimit),
    ...cell("plan", parsePlanName),
    ...cell("quota", (value) => quotasInWords(parseQuotas(value))),
    ...cell("weight", parseWeight),
    ...cell("expiresAt", (value) => parseExpiry(value, now)),
    expiryIsRelative: isRelativeExpiry(cells[columns.indexOf("expiresAt")] ?? ""),
    ...cell("note", (value) => parseLine("note", value, 500)),
  } as Row;
  return { person, wrong };
};
