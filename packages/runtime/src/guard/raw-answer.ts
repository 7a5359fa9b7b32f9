import type { Socket } from "node:net";
import { PROBLEMS, type Problem, problemBody } from "../http-errors.ts";
import { nodeHttp } from "../node-http.ts";

/** Answers on a connection that has no response object (a broken request, CONNECT) and closes it. */
export const answerRaw = (socket: Socket, problem: Problem, fields: readonly string[] = []): void => {
  socket.write(rawAnswer(problem, fields));
  socket.destroySoon();
};

/** @param fields lines such as `Allow: GET` */
export const rawAnswer = (problem: Problem, fields: readonly string[]): string => {
  const { status } = PROBLEMS[problem.code];
  const body = problemBody(problem);
  const lines = [
    `HTTP/1.1 ${status} ${nodeHttp.STATUS_CODES[status] ?? ""}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${problem.requestId}`,
    ...fields,
    "Connection: close",
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
};
