import type { MeterSpec, RequestUnit } from "@aigw/core/meters";
import { JsonPaths, type PathNode } from "./json-paths.ts";
import { addProfile } from "./profiles.ts";

/** Where a unit may be found. Sources are asked in order; the first that has a unit wins. */
export type Source =
  | { readonly kind: "answer"; readonly unit: string; readonly slots: readonly number[]; readonly estimated: boolean }
  | { readonly kind: "field"; readonly unit: string; readonly field: number }
  | { readonly kind: "request"; readonly unit: string; readonly source: RequestUnit["source"] };

/** A service's meters, made ready: one scan of an answer serves all of them. */
export interface MeterPlan {
  readonly sources: readonly Source[];
  /** Response fields that are read, in lower case, without repetition. */
  readonly fields: readonly string[];
  readonly root: PathNode;
  readonly numbers: number;
  readonly texts: number;
  /** Slots of texts, the better one first. */
  readonly models: readonly number[];
  readonly readsContent: boolean;
  readonly readsRequest: boolean;
}

export const planOf = (meters: MeterSpec): MeterPlan => {
  const paths = new JsonPaths();
  const sources: Source[] = [];
  const fields: string[] = [];
  const models: number[] = [];
  for (const meter of meters) {
    switch (meter.kind) {
      case "json":
        for (const { unit, pointer } of meter.units)
          sources.push({ kind: "answer", unit, slots: [paths.add(pointer, "number")], estimated: false });
        break;
      case "header":
        for (const { unit, field } of meter.units) {
          const name = field.toLowerCase();
          if (!fields.includes(name)) fields.push(name);
          sources.push({ kind: "field", unit, field: fields.indexOf(name) });
        }
        break;
      case "request":
        for (const { unit, source } of meter.units) sources.push({ kind: "request", unit, source });
        break;
      default: {
        const profile = addProfile(paths, meter.kind);
        for (const source of profile.units) sources.push({ kind: "answer", ...source });
        models.push(...profile.models);
      }
    }
  }
  return {
    sources,
    fields,
    root: paths.compile(),
    numbers: paths.numbers,
    texts: paths.texts,
    models: [...new Set(models)],
    readsContent: sources.some(({ kind }) => kind === "answer"),
    readsRequest: sources.some(({ kind }) => kind === "request"),
  };
};
