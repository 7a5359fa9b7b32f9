import type { Fault } from "@aigw/core/services";
import { PROBLEMS, type ProblemCode } from "./http-errors.ts";
import { Connection } from "./proxy/upstream/connection.ts";
import { type ConnectionFacts, Connector } from "./proxy/upstream/connector.ts";
import { failureOf, faultOf, systemCodeOf } from "./proxy/upstream-failure.ts";

export interface TrialRequest {
  /** `http://127.0.0.1:9000` or `unix:/run/ocr.sock`. */
  readonly origin: string;
  /** Base path and path. */
  readonly target: string;
  readonly method: string;
  /** Name, value, name, value … */
  readonly fields: readonly string[];
  readonly content: Buffer | undefined;
  /** In place of the target's own Host. */
  readonly host: string | undefined;
  readonly facts: ConnectionFacts | undefined;
  /** For the answer's head, and for each pause behind it. */
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** When each stage was over, milliseconds since the beginning; absent: it did not come to that, or there is none. */
export interface TrialStages {
  readonly name?: number;
  readonly connect?: number;
  readonly tls?: number;
  readonly firstByte?: number;
  readonly end?: number;
}

export interface TrialResult {
  readonly stages: TrialStages;
  /** That was connected to; empty when none was. */
  readonly address: string;
  /** What a client would get. */
  readonly client: {
    readonly status: number;
    /** The gateway's own answer. */
    readonly problem?: { readonly code: ProblemCode; readonly detail: string };
    readonly contentType: string;
    readonly bytes: number;
    /** The answer breaks off. */
    readonly isBroken: boolean;
  };
  /** Why there was no whole answer, and the system's word for it, which may be empty. */
  readonly fault?: { readonly fault: Fault; readonly code: string };
}

/** Whose connection serves one exchange and nobody else. */
export const ALONE = { release: () => undefined, closed: () => undefined, sawSurplus: () => undefined };
const CHECK_MS = 50;

/** One request to a target, on a connection as the gateway opens it and read as the gateway reads it. Never throws. */
export const trialCall = async (request: TrialRequest): Promise<TrialResult> => {
  const started = performance.now();
  const stages: Partial<Record<keyof TrialStages, number>> = {};
  const note = (stage: keyof TrialStages): void => {
    stages[stage] ??= performance.now() - started;
  };
  const isSecure = request.origin.startsWith("https:");
  const connector = new Connector(request.origin, {
    ...request.facts,
    onPhase: (ended) => {
      if (ended === "lookup") note("name");
      else if (ended === "connect") note("connect");
      else if (isSecure) note("tls");
    },
  });
  const connection = new Connection(connector, ALONE);
  const { promise, resolve } = Promise.withResolvers<TrialResult["fault"]>();
  let head: { readonly status: number; readonly fields: readonly string[]; readonly length: number } | undefined;
  let bytes = 0;
  let movedAt = started;
  const fail = (fault: Fault, code = ""): void => resolve({ fault, code });
  const timer = setInterval(() => {
    const now = performance.now();
    // A connection that does not open says so itself.
    if (head === undefined && now - started >= request.timeoutMs) {
      fail(connection.opening ? "connect_timeout" : "answer_timeout");
    } else if (head !== undefined && now - movedAt >= request.idleTimeoutMs) fail("answer_stalled");
  }, CHECK_MS);
  connection.request(
    request.method,
    request.target,
    request.content === undefined
      ? request.fields
      : [...request.fields, "Content-Length", String(request.content.length)],
    request.content ?? null,
    {
      onInterim: () => undefined,
      onHead: ({ status, fields }, length) => {
        note("firstByte");
        movedAt = performance.now();
        head = { status, fields, length };
      },
      onContent: (content) => {
        movedAt = performance.now();
        bytes += content.length;
      },
      onReadEnd: () => undefined,
      onDrain: () => undefined,
      onEnd: () => {
        note("end");
        resolve(undefined);
      },
      onError: (error) => fail(faultOf(error, connection, head?.length), systemCodeOf(error)),
    },
    request.host,
  );
  const fault = await promise;
  clearInterval(timer);
  connection.destroy();
  return {
    stages,
    address: connection.address,
    client:
      fault === undefined || head !== undefined ? passedOn(head, bytes, fault !== undefined) : refusal(fault.fault),
    ...(fault && { fault }),
  };
};

const passedOn = (
  head: { readonly status: number; readonly fields: readonly string[] } | undefined,
  bytes: number,
  isBroken: boolean,
): TrialResult["client"] => {
  const { status = 0, fields = [] } = head ?? {};
  const at = fields.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === "content-type");
  return { status, contentType: at < 0 ? "" : (fields[at + 1] ?? ""), bytes, isBroken };
};

/** As the gateway would put it; one that comes too late is so whatever kept it. */
const refusal = (fault: Fault): TrialResult["client"] => {
  const problem = failureOf(fault);
  const { status } = PROBLEMS[problem.code];
  return { status, problem, contentType: "application/problem+json", bytes: 0, isBroken: false };
};
