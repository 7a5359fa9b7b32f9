import { isJsonType, mediaTypeOf } from "../media-type.ts";

export type ContentKind = "document" | "events" | "lines" | "unknown";

/**
 * How an answer's content is read, by its Content-Type.
 * @param first the first byte that is no blank: some services do not say that they send JSON
 */
export const contentKind = (type: string, first: number): ContentKind => {
  const media = mediaTypeOf(type);
  switch (media) {
    case "application/json":
      return "document";
    case "text/event-stream":
      return "events";
    case "application/x-ndjson":
    case "application/ndjson":
    case "application/jsonl":
    case "application/x-jsonlines":
    case "application/jsonlines":
    case "application/json-lines":
      return "lines";
    case "":
    case "text/plain":
      return first === 0x7b ? "document" : "unknown";
    default:
      return isJsonType(media) || media === "text/json" ? "document" : "unknown";
  }
};

/** The media type's parameter, unquoted; undefined when there is none. */
export const parameterOf = (type: string, name: string): string | undefined => {
  for (const part of type.split(";").slice(1)) {
    const equals = part.indexOf("=");
    if (equals < 0 || part.slice(0, equals).trim().toLowerCase() !== name) continue;
    const value = part.slice(equals + 1).trim();
    return value.startsWith('"') ? value.slice(1).replace(/"$/, "").replace(/\\(.)/g, "$1") : value;
  }
  return undefined;
};
