import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { PROBLEMS, type Problem, problemBody } from "../http-errors.ts";

const LINGER_MS = 500;

/**
 * Answers on a connection that has no response object (a broken request, CONNECT) and closes it. The receiving half is
 * left open for a moment, so that unread bytes do not turn the close into a reset that takes the answer away.
 */
export const answerRaw = (socket: Duplex, problem: Problem, fields: readonly string[] = []): void => {
  socket.end(rawAnswer(problem, fields));
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
};

/** @param fields lines such as `Allow: GET` */
export const rawAnswer = (problem: Problem, fields: readonly string[]): string => {
  const { status } = PROBLEMS[problem.code];
  const body = problemBody(problem);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${problem.requestId}`,
    ...fields,
    "Connection: close",
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
};
