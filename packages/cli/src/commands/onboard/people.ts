import { parseClientName, parseEmail, parseExpiry, parseLimit, parseLine, parseServiceList } from "@aigw/core/clients";
import { AigwError, isAigwError } from "@aigw/core/errors";

/** One row of a file of people, each cell checked. What was left empty is absent. */
export interface Person {
  readonly line: number;
  readonly name: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly services?: readonly string[];
  readonly limit?: number;
  readonly expiresAt?: number;
  readonly note?: string;
}

export interface People {
  readonly people: readonly Person[];
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
  const people: Person[] = [];
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

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}

const recordsIn = async (
  text: string,
): Promise<{ readonly records: readonly Row[]; readonly problems: readonly string[] }> => {
  const { parse } = await import("csv-parse/sync");
  const problems: string[] = [];
  const records: readonly { record: string[]; info: { lines: number } }[] = parse(text, {
    delimiter: delimiterOf(text),
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      problems.push(error === undefined ? "a row cannot be read" : readable(error.message));
      return undefined;
    },
  }) as never;
  const rows = records
    .map(({ record, info }) => ({ line: info.lines, cells: record }))
    // A spreadsheet leaves rows of nothing but delimiters behind.
    .filter(({ cells }) => cells.some((cell) => cell !== ""));
  return { records: rows, problems };
};

/** `…: …, got … at line 3` → `line 3: …` */
const readable = (message: string): string => {
  const line = /at line (\d+)/.exec(message)?.[1];
  const what = /quote/i.test(message) ? "a quotation mark is out of place" : "the row cannot be read";
  return line === undefined ? what : `line ${line}: ${what}`;
};

/** The header row tells: a semicolon is what spreadsheets write where the comma is the decimal sign. */
const delimiterOf = (text: string): "," | ";" => {
  const header = text.split(/\r?\n/).find((line) => line.trim() !== "") ?? "";
  const bare = header.replace(/"[^"]*"/g, "");
  return bare.split(";").length > bare.split(",").length ? ";" : ",";
};

type Column = Exclude<keyof Person, "line">;

const COLUMNS: Readonly<Record<string, Column>> = {
  name: "name",
  username: "name",
  email: "email",
  displayname: "displayName",
  services: "services",
  limit: "limit",
  expires: "expiresAt",
  note: "note",
};
const KNOWN_COLUMNS = "name, email, display name, services, limit, expires, note";

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
): { readonly person: Person; readonly wrong: string[] } => {
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
    ...cell("expiresAt", (value) => parseExpiry(value, now)),
    ...cell("note", (value) => parseLine("note", value, 500)),
  } as Person;
  return { person, wrong };
};
