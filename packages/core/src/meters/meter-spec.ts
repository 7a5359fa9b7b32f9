import { AigwError } from "../errors.ts";
import { type Pointer, parsePointer, pointerInWords } from "./pointer.ts";
import { BUILT_IN_UNITS, MAX_UNITS, parseUnit } from "./unit.ts";

/** What `openai`, `anthropic` and `ollama` find. */
export const PROFILE_UNITS = {
  openai: ["input_tokens", "output_tokens", "cached_tokens", "seconds", "images"],
  anthropic: ["input_tokens", "output_tokens", "cached_tokens"],
  ollama: ["input_tokens", "output_tokens"],
} as const;

export type Profile = keyof typeof PROFILE_UNITS;

/** What can be read from the bytes of a request: seconds of audio, pages of a PDF, the number of images. */
export const REQUEST_SOURCES = ["audio", "pdf", "images"] as const;

export type RequestSource = (typeof REQUEST_SOURCES)[number];

export interface JsonUnit {
  readonly unit: string;
  readonly pointer: Pointer;
}

export interface HeaderUnit {
  readonly unit: string;
  /** As it was given; compared without regard to case. */
  readonly field: string;
}

export interface RequestUnit {
  readonly unit: string;
  readonly source: RequestSource | { readonly pointer: Pointer };
}

export type Meter =
  | { readonly kind: Profile }
  | { readonly kind: "json"; readonly units: readonly JsonUnit[] }
  | { readonly kind: "header"; readonly units: readonly HeaderUnit[] }
  | { readonly kind: "request"; readonly units: readonly RequestUnit[] };

/** The meters of a service in the order in which they are tried; empty: none. */
export type MeterSpec = readonly Meter[];

const MAX_SPEC = 1_024;
const FORMS =
  "use openai, anthropic, ollama, json:pages=/pages, header:pages=X-Pages, request:seconds=audio, several with commas, or none";

const invalid = (what: string, why: string): AigwError =>
  new AigwError("invalid_value", `${what} is not valid: ${why}.`);

/**
 * `openai,request:seconds=audio`, `json:pages=/pages,characters=/stats/chars`, `header:pages=X-Pages`, `none`.
 * @throws AigwError `invalid_value` that names the part that is wrong and what is allowed there
 */
export const parseMeters = (value: string): MeterSpec => {
  const text = value.trim();
  if (text === "none") return [];
  if (text === "") throw invalid("an empty meter", FORMS);
  if (text.length > MAX_SPEC) throw invalid("the meter", `it is longer than ${MAX_SPEC} characters`);
  const meters: Meter[] = [];
  for (const raw of text.split(",")) {
    const part = raw.trim();
    const open = /^(json|header|request):(.*)$/s.exec(part);
    const last = meters.at(-1);
    if (open !== null) meters.push(withUnit({ kind: open[1] as UnitKind, units: [] }, part, open[2] ?? ""));
    else if (Object.hasOwn(PROFILE_UNITS, part)) meters.push({ kind: part as Profile });
    else if (part === "none") throw invalid("meter 'none'", "it switches meters off, and must stand alone");
    else if (part.includes("=") && last !== undefined && "units" in last)
      meters.splice(-1, 1, withUnit(last, part, part));
    else throw invalid(`meter '${part}'`, FORMS);
  }
  assertOnce(meters);
  const units = unitsOf(meters);
  if (units.length <= MAX_UNITS) return meters;
  throw invalid(
    "the meter",
    `it has ${units.length} units (${units.join(", ")}), more than the ${MAX_UNITS} of a service`,
  );
};

type UnitKind = "json" | "header" | "request";
type UnitMeter = Extract<Meter, { kind: UnitKind }>;

const withUnit = (meter: UnitMeter, part: string, text: string): Meter => {
  const equals = text.indexOf("=");
  if (equals < 0 || text.length === equals + 1)
    throw invalid(`meter '${part}'`, `name a unit and where it stands, such as ${EXAMPLES[meter.kind]}`);
  const unit = parseUnit(text.slice(0, equals).trim());
  const at = text.slice(equals + 1).trim();
  if (BUILT_IN_UNITS.includes(unit) || unit === "cost") {
    throw invalid(`unit '${unit}'`, "the gateway counts it itself; choose another name");
  }
  if (meter.units.some((known) => known.unit === unit)) throw invalid(`meter '${part}'`, `${unit} is there twice`);
  switch (meter.kind) {
    case "json":
      return { kind: "json", units: [...meter.units, { unit, pointer: parsePointer(at) }] };
    case "header":
      return { kind: "header", units: [...meter.units, { unit, field: parseField(at) }] };
    case "request":
      return { kind: "request", units: [...meter.units, { unit, source: parseSource(part, at) }] };
  }
};

const EXAMPLES: Readonly<Record<UnitKind, string>> = {
  json: "json:pages=/pages",
  header: "header:pages=X-Pages",
  request: "request:seconds=audio",
};

/** Any field of a response; the names that a service's own header must not have are no matter here. */
const parseField = (value: string): string => {
  if (/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(value)) return value;
  throw invalid(`field name '${value}'`, "use the name of a response field, such as X-Pages");
};

const parseSource = (part: string, value: string): RequestUnit["source"] => {
  const source = REQUEST_SOURCES.find((known) => known === value);
  if (source !== undefined) return source;
  if (value.startsWith("/") || value.startsWith("#")) return { pointer: parsePointer(value) };
  throw invalid(`meter '${part}'`, "a request is read for audio, pdf, images or a JSON pointer such as /n");
};

const assertOnce = (meters: MeterSpec): void => {
  for (const { kind } of meters) {
    if (kind in PROFILE_UNITS && meters.filter((meter) => meter.kind === kind).length > 1) {
      throw invalid(`meter '${kind}'`, "it is there twice");
    }
  }
};

/** As {@link parseMeters} reads it, in its shortest form. */
export const metersInWords = (meters: MeterSpec): string =>
  meters.length === 0 ? "none" : meters.map(meterInWords).join(",");

const meterInWords = (meter: Meter): string => {
  switch (meter.kind) {
    case "json":
      return `json:${meter.units.map(({ unit, pointer }) => `${unit}=${pointerInWords(pointer)}`).join(",")}`;
    case "header":
      return `header:${meter.units.map(({ unit, field }) => `${unit}=${field}`).join(",")}`;
    case "request":
      return `request:${meter.units.map(({ unit, source }) => `${unit}=${sourceInWords(source)}`).join(",")}`;
    default:
      return meter.kind;
  }
};

const sourceInWords = (source: RequestUnit["source"]): string =>
  typeof source === "string" ? source : pointerInWords(source.pointer);

/** The units that these meters may find, each once, in the order of the meters. */
export const unitsOf = (meters: MeterSpec): readonly string[] => [
  ...new Set(
    meters.flatMap((meter) => ("units" in meter ? meter.units.map(({ unit }) => unit) : PROFILE_UNITS[meter.kind])),
  ),
];
