import { readFileSync } from "node:fs";
import type { Pasting } from "./bash.ts";
import { type CurlCall, curlCallOf } from "./curl-call.ts";
import { ANSWER_MS, type Answer, MAX_BODY_BYTES, type NoAnswer, type Reply } from "./reply.ts";

/** Sends the request of a curl command, where there is no curl. */
export const sendByNode = async (command: string, { stop, field }: Pasting = {}): Promise<Reply> => {
  const call = curlCallOf(command);
  if (call === undefined) return { kind: "broken", reason: "the command is not a plain call of curl" };
  try {
    const late = AbortSignal.timeout(ANSWER_MS);
    const signal = stop === undefined ? late : AbortSignal.any([late, stop]);
    return await answerOf(await fetch(requestOf(call, field), { signal }));
  } catch (error) {
    return noAnswer(error);
  }
};

const requestOf = ({ url, method, headers, form, file }: CurlCall, more: string | undefined): Request => {
  const body = file === undefined ? (form.length > 0 ? form.join("&") : undefined) : new Uint8Array(readFileSync(file));
  const fields = new Headers(form.length > 0 ? { "Content-Type": "application/x-www-form-urlencoded" } : {});
  for (const header of more === undefined ? headers : [...headers, more]) {
    const colon = header.indexOf(":");
    fields.set(header.slice(0, colon), header.slice(colon + 1).trim());
  }
  const parts = { method: method ?? (body === undefined ? "GET" : "POST"), headers: fields };
  return new Request(url, { ...parts, redirect: "manual", ...(body === undefined ? {} : { body }) });
};

const answerOf = async (response: Response): Promise<Answer> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MAX_BODY_BYTES) break;
    }
  } catch {
    // The answer has come; that its body does not end, or breaks off, is the service's affair.
  }
  const headers = new Map(response.headers);
  const body = Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString();
  return { kind: "answer", status: response.status, headers, body };
};

const NOBODY_THERE = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;

const noAnswer = (error: unknown): NoAnswer => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  const reason = timedOut
    ? `no answer within ${ANSWER_MS / 1000} s`
    : cause instanceof Error
      ? cause.message
      : "failed";
  return { kind: timedOut || NOBODY_THERE.test(code) ? "silent" : "broken", reason: reason || code };
};
