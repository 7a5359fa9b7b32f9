import type { Profile } from "@aigw/core/meters";
import { ANY, type JsonPaths, type Path } from "./json-paths.ts";

/** Where a unit stands in answers: the first slot that has it. */
export interface UnitSource {
  readonly unit: string;
  readonly slots: readonly number[];
  /** A stream without it is worth as many as it had pieces: about a token each. */
  readonly estimated: boolean;
}

const at = (path: string): Path => path.slice(1).split("/");

interface ProfileShape {
  /** Units and where they stand, the better place first. */
  readonly units: Readonly<Record<string, readonly Path[]>>;
  /** Counted instead of read: how many elements have it. */
  readonly counts?: Readonly<Record<string, readonly Path[]>>;
  readonly models: readonly Path[];
  /** What carries a piece of a streamed answer. */
  readonly pieces: readonly Path[];
}

const PROFILES: Readonly<Record<Profile, ProfileShape>> = {
  // Chat completions and completions; responses, images and transcriptions, whose stream's last event has the usage
  // itself or in `response`; embeddings and rerank, of which some have nothing but a total.
  openai: {
    units: {
      input_tokens: [
        "/usage/prompt_tokens",
        "/usage/input_tokens",
        "/response/usage/input_tokens",
        "/usage/total_tokens",
      ].map(at),
      output_tokens: ["/usage/completion_tokens", "/usage/output_tokens", "/response/usage/output_tokens"].map(at),
      cached_tokens: [
        "/usage/prompt_tokens_details/cached_tokens",
        "/usage/input_tokens_details/cached_tokens",
        "/response/usage/input_tokens_details/cached_tokens",
      ].map(at),
      seconds: ["/usage/seconds", "/duration"].map(at),
    },
    counts: { images: ["b64_json", "url"].map((key): Path => ["data", ANY, key]) },
    models: ["/model", "/response/model"].map(at),
    pieces: [
      "/choices/0/delta/content",
      "/choices/0/delta/reasoning_content",
      "/choices/0/delta/reasoning",
      "/choices/0/delta/tool_calls",
      "/choices/0/text",
      "/delta",
    ].map(at),
  },
  anthropic: {
    units: {
      input_tokens: ["/usage/input_tokens", "/message/usage/input_tokens"].map(at),
      // What `message_start` says of the output is not its total.
      output_tokens: [at("/usage/output_tokens")],
      cached_tokens: ["/usage/cache_read_input_tokens", "/message/usage/cache_read_input_tokens"].map(at),
    },
    models: ["/model", "/message/model"].map(at),
    pieces: ["/delta/text", "/delta/thinking", "/delta/partial_json"].map(at),
  },
  ollama: {
    units: { input_tokens: [at("/prompt_eval_count")], output_tokens: [at("/eval_count")] },
    models: [at("/model")],
    pieces: ["/response", "/message/content", "/message/thinking", "/message/tool_calls"].map(at),
  },
};

/** @returns where its units stand, and the slots of texts that may name the model */
export const addProfile = (paths: JsonPaths, profile: Profile): { units: UnitSource[]; models: number[] } => {
  const { units, counts = {}, models, pieces } = PROFILES[profile];
  for (const path of pieces) paths.add(path, "some");
  const sources = (of: ProfileShape["units"], want: "number" | "count"): UnitSource[] =>
    Object.entries(of).map(([unit, places]) => ({
      unit,
      slots: places.map((path) => paths.add(path, want)),
      estimated: unit === "output_tokens",
    }));
  return {
    units: [...sources(units, "number"), ...sources(counts, "count")],
    models: models.map((path) => paths.add(path, "text")),
  };
};
