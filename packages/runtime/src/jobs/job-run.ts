import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { MaybePromise, Sealer } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import { isAigwError } from "@aigw/core/errors";
import type { Job, JobFolder, SealedReader, SealedWriter } from "@aigw/core/jobs";
import { NO_CORS } from "../cors/cors-answer.ts";
import type { ApiGate } from "../gate/api-gate.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import type { CallMeter } from "../metering/call-meter.ts";
import { drained } from "./drained.ts";
import type { HeldJob } from "./held-job.ts";
import type { InnerServer } from "./inner-server.ts";
import { LOOK_BYTES } from "./job-bounds.ts";
import { JobCall } from "./job-call.ts";
import { type AnswerFacts, answerFields, type RequestFacts } from "./request-facts.ts";

export interface JobRunDeps {
  readonly inner: InnerServer;
  readonly folder: () => MaybePromise<JobFolder>;
  readonly sealer: Sealer;
  readonly gate: Pick<ApiGate, "run">;
  readonly meter: CallMeter;
  /** The client, when it may still have jobs of that service. */
  readonly owner: (job: Pick<Job, "client" | "service">) => Client | undefined;
  /** More of its answer has come. */
  readonly progress: (run: JobRun) => Promise<void>;
  readonly onFault: (error: unknown) => void;
}

/** How a job comes to its end before its service has answered. */
export type Stop = "cancelled" | "revoked" | "closing" | "lost" | Fault;

/** What its files are; `away`: they cannot be read at this moment. */
type Fault = "full" | "damaged" | "away";

/** What came of it. */
export interface Made {
  readonly call: JobCall | undefined;
  /** Absent when no answer came. */
  readonly facts: AnswerFacts | undefined;
  /** All of the answer is on the disk. */
  readonly isWhole: boolean;
  readonly why: Stop | undefined;
}

/** One call of a job: its request comes from the disk, and its answer goes there. */
export class JobRun {
  readonly held: HeldJob;
  answerBytes = 0;
  /** Of its file. */
  answerStored = 0;
  /** Of them, those that the record knows of. */
  renewedBytes = 0;
  readonly #deps: JobRunDeps;
  #why: Stop | undefined;
  #abort: (() => void) | undefined;

  constructor(held: HeldJob, deps: JobRunDeps) {
    this.held = held;
    this.#deps = deps;
  }

  /** The first reason counts. */
  stop(why: Stop): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#abort?.();
  }

  #onStop(abort: () => void): void {
    this.#abort = abort;
    if (this.#why !== undefined) abort();
  }

  /** Makes the call, and keeps its answer. */
  async make(): Promise<Made> {
    const { folder: open, inner, sealer, progress, onFault } = this.#deps;
    const { job } = this.held;
    let folder: JobFolder | undefined;
    let call: JobCall | undefined;
    let facts: AnswerFacts | undefined;
    let isWhole = false;
    let fault: Fault | undefined;
    let reader: SealedReader | undefined;
    let writer: SealedWriter | undefined;
    try {
      const ours = await open();
      folder = ours;
      await ours.remove(job, "answer");
      reader = await ours.read(sealer, job, "request");
      const asked = reader.facts as RequestFacts;
      const ran = Promise.withResolvers<void>();
      // As Node sends it for a call: without it, a request that may have content would come in pieces.
      const saysLength = reader.length > 0 || /^(POST|PUT|PATCH)$/.test(job.method);
      const exchange = inner.begin({
        method: job.method,
        target: asked.target,
        fields: saysLength ? [...asked.fields, "Content-Length", String(reader.length)] : asked.fields,
        handle: (incoming, outgoing) => {
          call = this.#begin(asked, { incoming, outgoing }, ran.resolve);
        },
      });
      const { request } = exchange;
      this.#onStop(exchange.abort);
      const answered = once(request, "response") as Promise<[IncomingMessage]>;
      // Its end is seen by whoever waits for the answer.
      answered.catch(() => undefined);
      request.on("error", () => undefined);
      const sent = this.#sendContent(reader, request).catch(async (error: unknown) => {
        exchange.abort();
        if (isAigwError(error)) fault = await faultOf(error, ours);
      });
      try {
        const [answer] = await answered;
        facts = {
          status: answer.statusCode ?? 502,
          reason: answer.statusMessage ?? "",
          fields: answerFields(answer.rawHeaders),
        };
        writer = await ours.create(sealer, job, "answer", facts);
        let lookAt = LOOK_BYTES;
        for await (const chunk of answer as AsyncIterable<Buffer>) {
          await writer.write(chunk);
          this.answerBytes = writer.bytes;
          this.answerStored = writer.size;
          if (writer.bytes < lookAt) continue;
          lookAt += LOOK_BYTES;
          if (!(await ours.hasRoomFor(LOOK_BYTES))) this.stop("full");
          await progress(this).catch(onFault);
        }
        await writer.end();
        this.answerStored = writer.size;
        // What came since the last look counts, too.
        if (this.answerBytes !== this.renewedBytes) await progress(this).catch(onFault);
        isWhole = this.#why === undefined || this.#why === "closing";
      } catch (error) {
        // What the answer itself is cut by, the call's own result says.
        if (isAigwError(error, "store_full")) fault = "full";
        if (isAigwError(error)) onFault(error);
        exchange.abort();
      }
      await sent;
      // One that was refused has no result to wait for.
      if (call?.isSent === true) await ran.promise;
    } catch (error) {
      fault = await faultOf(error, folder);
      onFault(error);
    } finally {
      await reader?.close();
      await writer?.close();
    }
    // What came to its end beside the gateway's is kept.
    const why = isWhole && this.#why === "closing" ? undefined : this.#why;
    return { call, facts, isWhole, why: why ?? fault };
  }

  #begin(
    asked: RequestFacts,
    { incoming, outgoing }: Pick<GatewayRequest, "incoming" | "outgoing">,
    onRan: () => void,
  ): JobCall {
    const { gate, meter, owner } = this.#deps;
    const { job } = this.held;
    const request = {
      incoming,
      outgoing,
      target: asked.target,
      requestId: job.requestId,
      expectsContinue: false,
      cors: NO_CORS,
    };
    const call = new JobCall(request, meter, onRan);
    call.clientAddress = asked.clientAddress;
    call.scheme = asked.scheme;
    call.host = asked.host;
    call.isCountedBefore = job.claimed === true;
    // Nobody's connection is held up.
    call.queueWaitMs = Number.POSITIVE_INFINITY;
    const client = owner(job);
    if (client === undefined) outgoing.destroy();
    else gate.run(call, client, job);
    return call;
  }

  async #sendContent(reader: SealedReader, request: ClientRequest): Promise<void> {
    for await (const piece of reader.read()) {
      if (request.destroyed) return;
      if (!request.write(piece) && !(await drained(request))) return;
    }
    request.end();
  }
}

/** @param folder undefined when it could not be opened */
export const faultOf = async (error: unknown, folder: JobFolder | undefined): Promise<Fault> => {
  if (isAigwError(error, "store_full")) return "full";
  if (isAigwError(error, "store_corrupt")) return "damaged";
  const isMissing = isAigwError(error) && error.details["system"] === "ENOENT";
  return isMissing && (await folder?.isThere()) === true ? "damaged" : "away";
};
