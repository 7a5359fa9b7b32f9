import type { SealedReader } from "@aigw/core/jobs";
import { type CorsAnswer, exposing } from "../cors/cors-answer.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import { closeIfUnread } from "../proxy/lingering-close.ts";
import { drained } from "./drained.ts";
import type { AnswerFacts } from "./request-facts.ts";

/** What is asked for of a content: all of it, a part, or a part that there is not (RFC 9110 §14). */
type Wanted = { readonly from: number; readonly until: number } | "all" | "unsatisfiable";

/** One range is served; several, and what is not understood, get all of it, as §14.2 allows. */
export const wantedRange = (field: string | undefined, length: number): Wanted => {
  const [, first = "", last = ""] = /^bytes\s*=\s*(\d*)\s*-\s*(\d*)$/i.exec(field ?? "") ?? [];
  if (first === "" && last === "") return "all";
  if (first === "") {
    const from = Math.max(0, length - Number(last));
    return Number(last) === 0 || length === 0 ? "unsatisfiable" : { from, until: length };
  }
  if (last !== "" && Number(last) < Number(first)) return "all";
  if (Number(first) >= length) return "unsatisfiable";
  return { from: Number(first), until: last === "" ? length : Math.min(length, Number(last) + 1) };
};

const conditionOf = (field: string | string[] | undefined): string | undefined =>
  Array.isArray(field) ? field.join(",") : field;

/** RFC 9110 §13.1.5: a part only of what the client has another part of. */
const isSame = (condition: string | undefined, fields: readonly string[]): boolean => {
  if (condition === undefined) return true;
  const fieldOf = (name: string): string | undefined => {
    const at = fields.findIndex((field, index) => index % 2 === 0 && field.toLowerCase() === name);
    return at < 0 ? undefined : fields[at + 1];
  };
  return condition.startsWith('"') ? fieldOf("etag") === condition : fieldOf("last-modified") === condition;
};

/** Where the gateway speaks for a service, the service's own are not beside it, but for what it lets such pages read. */
const withoutCors = (fields: readonly string[], kept: CorsAnswer["kept"]): readonly string[] =>
  fields.filter((_field, index) => {
    const name = (fields[index - (index % 2)] ?? "").toLowerCase();
    return !name.startsWith("access-control-") || (kept === "exposed" && name === "access-control-expose-headers");
  });

/**
 * Gives a kept answer as the service gave it, or a part of it.
 * @param own the gateway's fields of this answer
 * @param onMoved its client has taken some
 */
export const sendAnswer = async (
  { incoming, outgoing, requestId, cors }: GatewayRequest,
  reader: SealedReader,
  own: readonly string[],
  onMoved: () => void,
): Promise<void> => {
  const { status, reason, fields: kept } = reader.facts as AnswerFacts;
  const fields = cors.own.length === 0 ? kept : withoutCors(kept, cors.kept);
  const { length } = reader;
  const mayRange =
    status === 200 && incoming.method === "GET" && isSame(conditionOf(incoming.headers["if-range"]), fields);
  const wanted = mayRange ? wantedRange(incoming.headers.range, length) : "all";
  closeIfUnread(incoming, outgoing);
  const common = ["X-Request-ID", requestId, ...own, ...exposing(cors.own, "Accept-Ranges", "Content-Range")];
  if (wanted === "unsatisfiable") {
    outgoing.writeHead(416, [...common, "Content-Range", `bytes */${length}`, "Content-Length", "0"]).end();
    return;
  }
  const { from, until } = wanted === "all" ? { from: 0, until: length } : wanted;
  const has = (name: string): boolean => fields.some((field, index) => index % 2 === 0 && field.toLowerCase() === name);
  const head = [
    ...fields,
    ...common,
    ...(status === 200 && !has("accept-ranges") ? ["Accept-Ranges", "bytes"] : []),
    ...(wanted === "all" ? [] : ["Content-Range", `bytes ${from}-${until - 1}/${length}`]),
    ...(status === 204 || status === 304 ? [] : ["Content-Length", String(until - from)]),
  ];
  if (wanted === "all") outgoing.writeHead(status, reason, head);
  else outgoing.writeHead(206, head);
  if (incoming.method === "HEAD" || length === 0) {
    outgoing.end();
    return;
  }
  for await (const piece of reader.read(from, until)) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(piece) && !(await drained(outgoing))) return;
    onMoved();
  }
  outgoing.end();
};

/** Until all of it has gone to the system, or its client is gone. */
export const isSent = async ({ outgoing }: GatewayRequest): Promise<void> => {
  if (outgoing.writableFinished || outgoing.destroyed) return;
  await new Promise<void>((done) => outgoing.once("finish", done).once("close", done));
};
