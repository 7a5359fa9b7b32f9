import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Sealer, Service } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import { isAigwError } from "@aigw/core/errors";
import { hasRoomFor } from "@aigw/core/files";
import { type Job, type JobFolder, SealedReader, SealedWriter, type VersionedJob } from "@aigw/core/jobs";
import { NO_CORS } from "../cors/cors-answer.ts";
import type { ApiGate } from "../gate/api-gate.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import type { CallMeter } from "../metering/call-meter.ts";
import type { CallResult } from "../proxy/call.ts";
import { drained } from "./drained.ts";
import { HeldJob } from "./held-job.ts";
import { InnerServer } from "./inner-server.ts";
import type { JobBounds } from "./job-bounds.ts";
import { JobCall } from "./job-call.ts";
import { JobQueue } from "./job-queue.ts";
import { type JobRecords, LEASE_MS } from "./job-records.ts";
import { type AnswerFacts, answerFields, type RequestFacts } from "./request-facts.ts";

export interface JobRunnerDeps {
  readonly records: JobRecords;
  readonly bounds: JobBounds;
  readonly folder: () => JobFolder;
  readonly sealer: Sealer;
  readonly storeId: string;
  readonly instanceId: string;
  readonly gate: Pick<ApiGate, "run">;
  readonly meter: CallMeter;
  /** The service, when its jobs may run now. */
  readonly runnable: (service: string) => Service | undefined;
  /** The client, when it may still have jobs of that service. */
  readonly owner: (job: Pick<Job, "client" | "service">) => Client | undefined;
  /** Whether calls of this service may be made again. */
  readonly mayRepeat: (service: string) => boolean;
  /** Completes the record of a job that has ended. */
  readonly ended: (job: Job) => Job;
  /** Records the usage of a job whose call has left none. */
  readonly count: (job: Job, outcome: "incomplete" | "aborted" | "revoked") => void;
  /** A job has ended here. */
  readonly onEnded: (job: Job) => void;
  readonly onFault: (error: unknown) => void;
}

/** How a job comes to its end before its service has answered. */
type Stop = "cancelled" | "revoked" | "closing" | "lost" | "full" | "damaged";

interface Run {
  readonly held: HeldJob;
  readonly done: Promise<void>;
  stop(why: Stop): void;
  answerBytes: number;
  renewedBytes: number;
}

/** More in one process than a machine has services for. */
const MOST_RUNNING = 256;
/** How much of an answer may come before it is looked whether there is still room. */
const LOOK_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 500;

/**
 * Runs jobs that wait: of each service no more at once, over all gateways, than it has slots, and its clients in turn.
 * What waits takes no memory here.
 */
export class JobRunner {
  readonly #deps: JobRunnerDeps;
  readonly #inner = new InnerServer();
  readonly #queue: JobQueue;
  readonly #running = new Map<string, Run>();
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #closing = false;

  constructor(deps: JobRunnerDeps) {
    this.#deps = deps;
    this.#queue = new JobQueue(deps.records, deps.runnable, deps.owner);
  }

  get running(): number {
    return this.#running.size;
  }

  isRunning(id: string): boolean {
    return this.#running.has(id);
  }

  get queue(): JobQueue {
    return this.#queue;
  }

  /** Begins what may begin. */
  look(): Promise<void> {
    if (this.#looking !== undefined) this.#lookAgain = true;
    this.#looking ??= this.#look()
      .catch(this.#deps.onFault)
      .finally(() => {
        this.#looking = undefined;
        if (!this.#lookAgain) return;
        this.#lookAgain = false;
        void this.look();
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { place } = this.#deps.folder();
    while (!this.#closing && this.#running.size < MOST_RUNNING) {
      const next = await this.#queue.claim(place, this.#deps.instanceId, this.#running.keys());
      if (next === undefined) return;
      this.#start(next);
    }
  }

  #start(claimed: VersionedJob): void {
    const { job } = claimed;
    const aborts: (() => void)[] = [];
    let stopped: Stop | undefined;
    const control = {
      why: () => stopped,
      onStop: (abort: () => void): void => {
        if (stopped === undefined) aborts.push(abort);
        else abort();
      },
    };
    const held = new HeldJob(this.#deps.records, claimed);
    const run: Run = {
      held,
      answerBytes: 0,
      renewedBytes: 0,
      stop: (why) => {
        if (stopped !== undefined) return;
        stopped = why;
        for (const abort of aborts) abort();
      },
      done: new Promise((resolve) => {
        // In the next turn: `run` is there by then.
        setImmediate(() => {
          this.#run(run, control)
            .catch(this.#deps.onFault)
            .finally(() => {
              this.#running.delete(job.id);
              resolve();
              void this.look();
            });
        });
      }),
    };
    this.#running.set(job.id, run);
  }

  /** Says that they still run, and how far they have come; ends those that somebody else has ended. */
  async renew(): Promise<void> {
    const { records, owner } = this.#deps;
    for (const run of this.#running.values()) {
      const { held, answerBytes } = run;
      if (owner(held.job) === undefined) run.stop("revoked");
      const left = held.job.wakeAt - records.now();
      // Also looks whether it was cancelled, which is to be seen within a second.
      if (answerBytes === run.renewedBytes && left > LEASE_MS * (3 / 4)) {
        const found = await records.get(held.job.id);
        if (found?.job.state === "running" && found.job.holder === this.#deps.instanceId) continue;
        if (found !== undefined && found.job.state === held.job.state) continue;
        run.stop(whyLost(found));
        continue;
      }
      await this.#progress(run);
    }
  }

  async #progress(run: Run): Promise<void> {
    const { records, bounds } = this.#deps;
    const { held, answerBytes } = run;
    run.renewedBytes = answerBytes;
    const isOurs = await held.write((job) =>
      job.state === "running"
        ? {
            ...job,
            resultBytes: answerBytes,
            storedBytes: job.requestBytes + answerBytes,
            wakeAt: records.now() + LEASE_MS,
          }
        : job,
    );
    if (!isOurs) run.stop(whyLost(await records.get(held.job.id)));
    else if (answerBytes > 0 && (await bounds.exceeded({ ...held.job, storedBytes: 0 })) !== undefined)
      run.stop("full");
  }

  /** A client's or an admin's wish, seen here first. */
  cancel(id: string): void {
    this.#running.get(id)?.stop("cancelled");
  }

  /** Those whose clients have lost their right. */
  cutRevoked(): void {
    for (const run of this.#running.values()) if (this.#deps.owner(run.held.job) === undefined) run.stop("revoked");
  }

  /** Begins no more. */
  stopTaking(): void {
    this.#closing = true;
  }

  /** Those under way get so long to end. */
  async close(drainMs: number): Promise<void> {
    this.#closing = true;
    await this.#looking;
    const all = Promise.all([...this.#running.values()].map(({ done }) => done));
    const late = AbortSignal.timeout(Math.max(1, drainMs));
    await Promise.race([all, once(late, "abort")]);
    for (const run of this.#running.values()) run.stop("closing");
    await all;
  }

  async #run(run: Run, control: Control): Promise<void> {
    const { folder: open, sealer, storeId, onFault } = this.#deps;
    const { job } = run.held;
    const folder = open();
    const name = (part: string): string => `${job.id} ${part}`;
    let call: JobCall | undefined;
    let facts: AnswerFacts | undefined;
    let isWhole = false;
    let fault: "full" | "damaged" | undefined;
    let reader: SealedReader | undefined;
    let writer: SealedWriter | undefined;
    try {
      folder.remove(job, "answer");
      reader = await SealedReader.open(folder.fileOf(job, "request"), { sealer, storeId, name: name("request") });
      const asked = reader.facts as RequestFacts;
      const ran = Promise.withResolvers<void>();
      const hasContent = reader.length > 0;
      const exchange = this.#inner.begin({
        method: job.method,
        target: asked.target,
        fields: hasContent ? [...asked.fields, "Content-Length", String(reader.length)] : asked.fields,
        handle: (incoming, outgoing) => {
          call = this.#begin(run, asked, { incoming, outgoing }, ran.resolve);
        },
      });
      const { request } = exchange;
      control.onStop(exchange.abort);
      const answered = once(request, "response") as Promise<[IncomingMessage]>;
      // Its end is seen by whoever waits for the answer.
      answered.catch(() => undefined);
      request.on("error", () => undefined);
      const sent = this.#sendContent(reader, request).catch((error: unknown) => {
        if (isAigwError(error, "store_corrupt") || isAigwError(error, "store_unavailable")) fault = "damaged";
        exchange.abort();
      });
      try {
        const [answer] = await answered;
        facts = {
          status: answer.statusCode ?? 502,
          reason: answer.statusMessage ?? "",
          fields: answerFields(answer.rawHeaders),
        };
        writer = await SealedWriter.create(
          folder.fileOf(job, "answer"),
          { sealer, storeId, name: name("answer") },
          facts,
        );
        let lookAt = LOOK_BYTES;
        for await (const chunk of answer as AsyncIterable<Buffer>) {
          await writer.write(chunk);
          run.answerBytes = writer.bytes;
          if (writer.bytes < lookAt) continue;
          lookAt += LOOK_BYTES;
          if (!hasRoomFor(folder.fileOf(job, "answer"), LOOK_BYTES)) run.stop("full");
          await this.#progress(run);
        }
        await writer.end();
        // What came since the last look counts, too.
        if (run.answerBytes !== run.renewedBytes) await this.#progress(run);
        isWhole = control.why() === undefined;
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
      fault = isAigwError(error, "store_full") ? "full" : "damaged";
      onFault(error);
    } finally {
      await reader?.close();
      await writer?.close();
    }
    const isCut = this.#closing && call?.result?.outcome === "incomplete" && call.result.fault === undefined;
    await this.#end(run, { call, facts, isWhole, why: control.why() ?? (isCut ? "closing" : fault) });
  }

  #begin(
    run: Run,
    asked: RequestFacts,
    { incoming, outgoing }: Pick<GatewayRequest, "incoming" | "outgoing">,
    onRan: () => void,
  ): JobCall {
    const { gate, meter, owner } = this.#deps;
    const { job } = run.held;
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

  async #end(run: Run, { call, facts, isWhole, why }: Ended): Promise<void> {
    const { records, folder, onEnded } = this.#deps;
    const { held } = run;
    const result = call?.result;
    if (why === "lost") {
      call?.discount();
      return;
    }
    if (why === "closing" && (result === undefined || this.#deps.mayRepeat(held.job.service))) {
      call?.discount();
      folder().remove(held.job, "answer");
      await this.#write(run, ({ holder: _gone, startedAt: _begun, ...job }) => ({
        ...job,
        state: "queued",
        resultBytes: 0,
        storedBytes: job.requestBytes,
        wakeAt: job.at + job.keepMs,
      }));
      return;
    }
    const keeps = isWhole && facts !== undefined && why === undefined && result?.outcome !== "revoked";
    const state = keeps
      ? stateOf(result)
      : why === "cancelled"
        ? "cancelled"
        : why === "closing"
          ? "interrupted"
          : "failed";
    if (!keeps) folder().remove(held.job, "answer");
    const resultBytes = keeps ? run.answerBytes : 0;
    const ended = (job: Job): Job => {
      const { holder: _gone, wakeAt: _was, ...rest } = job;
      return this.#deps.ended({
        ...rest,
        wakeAt: 0,
        state,
        endedAt: records.now(),
        resultBytes,
        storedBytes: resultBytes,
        counted: true,
        ...(keeps && { status: facts.status }),
      });
    };
    const isOurs = await this.#write(run, ended);
    if (isOurs) {
      const outcome = state === "interrupted" ? "incomplete" : why === "full" ? "denied" : undefined;
      this.#count(held.job, { call, facts }, outcome);
      folder().remove(held.job, "request");
      onEnded(held.job);
      return;
    }
    // Somebody was faster: cancelled it, say, or took it away with its client.
    if (await this.#settled(held.job.id)) {
      this.#count(held.job, { call, facts }, this.#deps.owner(held.job) === undefined ? "revoked" : undefined);
      folder().remove(held.job);
    } else call?.discount();
  }

  /** Until the store says how it is: an end that is not stored would be another beginning. */
  async #write(run: Run, change: (job: Job) => Job): Promise<boolean> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await run.held.write(change);
      } catch (error) {
        if (tries === 0) this.#deps.onFault(error);
        if (this.#closing && tries >= 4) return false;
        await new Promise((again) => setTimeout(again, RETRY_MS));
      }
    }
  }

  #count(job: Job, { call, facts }: Pick<Ended, "call" | "facts">, outcome: CallResult["outcome"] | undefined): void {
    if (call?.result !== undefined) call.count(outcome);
    // One that was refused is recorded by who refused it; one that never came so far is not.
    else if (facts === undefined) this.#deps.count(job, outcome === "revoked" ? outcome : "incomplete");
  }

  /**
   * Takes over the count of one that was ended by somebody else.
   * @returns whether it is ours to count; else its files may be another gateway's by now
   */
  async #settled(id: string): Promise<boolean> {
    const { records, ended } = this.#deps;
    try {
      let isGone = true;
      const set = await records.change(id, (job) => {
        isGone = false;
        return job.state === "cancelled" && job.counted === undefined
          ? ended({ ...job, counted: true, storedBytes: 0, resultBytes: 0 })
          : undefined;
      });
      if (set !== undefined) this.#deps.onEnded(set.job);
      return set !== undefined || isGone;
    } catch (error) {
      this.#deps.onFault(error);
      return false;
    }
  }
}

/** What became of a job that is not ours any more: when it is somebody else's, its files are, too. */
const whyLost = (found: VersionedJob | undefined): Stop => {
  if (found === undefined) return "revoked";
  return found.job.state === "cancelled" ? "cancelled" : "lost";
};

/** How far the call of a job has come. */
interface Ended {
  readonly call: JobCall | undefined;
  readonly facts: AnswerFacts | undefined;
  readonly isWhole: boolean;
  readonly why: Stop | undefined;
}

interface Control {
  readonly why: () => Stop | undefined;
  readonly onStop: (abort: () => void) => void;
}

/** The service's answer is a job's, whatever it says; the gateway's own in its place is a failure. */
const stateOf = (result: CallResult | undefined): Job["state"] =>
  result !== undefined && result.fault === undefined && (result.outcome === "ok" || result.outcome === "upstream_error")
    ? "done"
    : "failed";
