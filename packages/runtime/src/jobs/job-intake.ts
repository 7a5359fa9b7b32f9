import type { MaybePromise, Sealer } from "@aigw/core";
import { isStoreFault } from "@aigw/core/errors";
import { type Job, type JobFolder, newJobId, sealedSize, type VersionedJob } from "@aigw/core/jobs";
import type { ApiCall } from "../gate/api-call.ts";
import type { Admitted, Authentication } from "../gate/authenticator.ts";
import type { ProblemCode } from "../http-errors.ts";
import { HeldJob } from "./held-job.ts";
import { type JobBounds, LOOK_BYTES, type NoRoom } from "./job-bounds.ts";
import { type JobRecords, LEASE_MS } from "./job-records.ts";
import { callbackUrl, type JobWish } from "./prefer.ts";
import { contentOf, STOP } from "./request-content.ts";
import { type RequestFacts, requestFacts } from "./request-facts.ts";

export interface JobIntakeDeps {
  readonly records: JobRecords;
  readonly bounds: JobBounds;
  /** @throws AigwError when it cannot be used */
  readonly folder: () => MaybePromise<JobFolder>;
  readonly sealer: Sealer;
  readonly instanceId: string;
  readonly hostname: string;
  readonly judge: (claims: Admitted["claims"]) => Authentication;
  readonly onFault: (error: unknown) => void;
}

/** What became of a request that was to be a job. */
export type Taken =
  | { readonly kind: "taken"; readonly job: Job }
  | {
      readonly kind: "refused";
      readonly code: ProblemCode;
      readonly detail: string;
      readonly fields: readonly string[];
    }
  /** Its client is gone, or may not call any more; `why` is told when it is still there. */
  | { readonly kind: "broken"; readonly why: "left" | "revoked" | "stalled"; readonly bytesIn: number };

interface Receiving {
  readonly call: ApiCall;
  readonly claims: Admitted["claims"];
  readonly held: HeldJob;
  bytes: number;
  /** Of its file, bytes. */
  stored: number;
  /** Why it is read no further; `lost`: its record is somebody else's, or gone. */
  end: "left" | "revoked" | "stalled" | "cancelled" | "lost" | NoRoom | undefined;
  movedAt: number;
}

/** Of what clients choose, so much is in a record. */
const MAX_PATH = 512;

const NO_ROOM: Readonly<Record<NoRoom, string>> = {
  count: "You have as many jobs as you may: delete some whose answers you have, or wait until they are gone.",
  client_size: "Your jobs keep as much as they may: delete some whose answers you have, or wait until they are gone.",
  size: "There is no room for another job: try again later.",
};

/** Takes requests in: what waits of them afterwards is a record, and a sealed file. */
export class JobIntake {
  readonly #deps: JobIntakeDeps;
  readonly #receiving = new Set<Receiving>();

  constructor(deps: JobIntakeDeps) {
    this.#deps = deps;
  }

  async take(call: ApiCall, who: Admitted, wish: JobWish): Promise<Taken> {
    const url =
      wish.callback === undefined ? undefined : callbackUrl(wish.callback, call.upstream.jobs?.callbackOrigins);
    if (wish.callback !== undefined && url === undefined) {
      const detail = `Call-backs of '${call.service}' may go only where its admin allows, to an absolute URL without user and fragment.`;
      return refused("invalid_request", detail);
    }
    try {
      const folder = await this.#deps.folder();
      await folder.makeRoomFor({ client: who.client.id });
      const facts = requestFacts(call, wish.others);
      const job = this.#draft(call, who, url, folder.place, facts);
      if (!(await folder.hasRoomFor(job.storedBytes))) return noRoom("size");
      return await this.#takeIn(call, who, facts, job, folder);
    } catch (error) {
      this.#deps.onFault(error);
      if (isStoreFault(error) && error.code === "store_full") return noRoom("size");
      return notStored();
    }
  }

  #draft(call: ApiCall, { client, claims }: Admitted, url: URL | undefined, place: string, facts: RequestFacts): Job {
    const { records, sealer, instanceId, hostname } = this.#deps;
    const now = records.now();
    return {
      id: newJobId(),
      client: client.id,
      clientName: client.name,
      service: call.service,
      state: "receiving",
      method: call.method,
      path: call.path.slice(0, MAX_PATH),
      requestId: call.requestId,
      place,
      hostname,
      at: now,
      holder: instanceId,
      wakeAt: now + LEASE_MS,
      keepMs: call.upstream.jobs?.keepMs ?? 0,
      attempts: 0,
      requestBytes: 0,
      resultBytes: 0,
      storedBytes: sealedSize(facts, Number(call.incoming.headers["content-length"] ?? 0)),
      ...(claims.trial && { trial: true }),
      ...(url && {
        callback: {
          sealedUrl: sealer.seal("job-callback", Buffer.from(url.href)),
          origin: url.origin,
          epoch: client.epoch,
          tries: 0,
        },
      }),
    };
  }

  /** @throws what keeps it from being stored; nothing of it is kept then */
  async #takeIn(call: ApiCall, { claims }: Admitted, facts: RequestFacts, job: Job, folder: JobFolder): Promise<Taken> {
    const { records, bounds } = this.#deps;
    const known = await records.set({ version: 0 }, job);
    if (known === undefined) throw new Error("the id of a job came twice");
    const held = new HeldJob(records, known);
    const receiving: Receiving = {
      call,
      claims,
      held,
      bytes: 0,
      stored: 0,
      end: undefined,
      movedAt: performance.now(),
    };
    this.#receiving.add(receiving);
    try {
      receiving.end = await bounds.exceeded(job, { jobs: 1, bytes: job.storedBytes });
      if (receiving.end === undefined) await this.#receive(receiving, folder, facts);
      const queued = receiving.end === undefined ? await this.#enqueue(receiving) : undefined;
      if (queued !== undefined) return { kind: "taken", job: queued };
    } catch (error) {
      await this.#drop(receiving, folder);
      throw error;
    } finally {
      this.#receiving.delete(receiving);
    }
    await this.#drop(receiving, folder);
    const { end = "left", bytes: bytesIn } = receiving as Receiving;
    if (end === "left" || end === "revoked" || end === "stalled") return { kind: "broken", why: end, bytesIn };
    if (end === "cancelled") return refused("no_result", "The job was cancelled before its request had come.");
    return end === "lost" ? notStored() : noRoom(end);
  }

  /** Those whose right is gone, or whose clients stand still, are read no further. */
  check(): void {
    for (const receiving of this.#receiving) {
      if (receiving.end !== undefined) continue;
      if (this.#deps.judge(receiving.claims).kind !== "ok") receiving.end = "revoked";
      else if (performance.now() - receiving.movedAt > receiving.call.upstream.idleTimeoutMs) receiving.end = "stalled";
      else continue;
      receiving.call.incoming.emit(STOP);
    }
  }

  /** Its record is not its own any more: whose is it? */
  #lose(receiving: Receiving, found: VersionedJob | undefined): void {
    if (this.#deps.judge(receiving.claims).kind !== "ok") receiving.end ??= "revoked";
    else receiving.end ??= found?.job.state === "cancelled" ? "cancelled" : "lost";
    receiving.call.incoming.emit(STOP);
  }

  /** Says that they are still on their way; ends those that somebody else has ended. */
  async renew(): Promise<void> {
    const { records } = this.#deps;
    for (const receiving of this.#receiving) {
      const { held, stored } = receiving;
      if (held.job.state !== "receiving" || receiving.end !== undefined) continue;
      if (held.job.wakeAt - records.now() > LEASE_MS * (3 / 4)) {
        const found = await records.get(held.job.id);
        // One that waits or runs already was taken in here, at this moment.
        if (found === undefined || found.job.state === "cancelled") this.#lose(receiving, found);
        continue;
      }
      const isOurs = await held.write((job) =>
        job.state === "receiving"
          ? { ...job, storedBytes: Math.max(job.storedBytes, stored), wakeAt: records.now() + LEASE_MS }
          : job,
      );
      if (!isOurs) this.#lose(receiving, await records.get(held.job.id));
    }
  }

  async #receive(receiving: Receiving, folder: JobFolder, facts: RequestFacts): Promise<void> {
    const { call, held } = receiving;
    const { incoming, outgoing } = call;
    const writer = await folder.create(this.#deps.sealer, held.job, "request", facts);
    try {
      if (call.expectsContinue) outgoing.writeContinue();
      let lookAt = LOOK_BYTES;
      for await (const chunk of contentOf(call, () => receiving.end !== undefined)) {
        receiving.movedAt = performance.now();
        receiving.bytes += chunk.length;
        await writer.write(chunk);
        receiving.stored = writer.size;
        if (receiving.end !== undefined) break;
        if (receiving.bytes < lookAt) continue;
        lookAt += LOOK_BYTES;
        receiving.end = await this.#room(receiving, folder);
        if (receiving.end !== undefined) break;
      }
      if (receiving.end === undefined && !incoming.complete) receiving.end = "left";
      if (receiving.end === undefined) await writer.end();
      receiving.stored = writer.size;
    } finally {
      await writer.close();
    }
  }

  async #room(receiving: Receiving, folder: JobFolder): Promise<NoRoom | undefined> {
    if (!(await folder.hasRoomFor(LOOK_BYTES))) return "size";
    return this.#grown(receiving);
  }

  /** More has come than was declared, or than the last look found. */
  async #grown({ held, stored }: Receiving): Promise<NoRoom | undefined> {
    const more = stored - held.job.storedBytes;
    if (more <= 0) return undefined;
    await held.write((job) => ({ ...job, storedBytes: stored }));
    return this.#deps.bounds.exceeded(held.job, { jobs: 0, bytes: more });
  }

  /** It waits from then on. */
  async #enqueue(receiving: Receiving): Promise<Job | undefined> {
    const { judge } = this.#deps;
    const { held, bytes, stored, call } = receiving;
    if (judge(receiving.claims).kind !== "ok") receiving.end = "revoked";
    else if (call.outgoing.destroyed || call.incoming.socket.destroyed) receiving.end = "left";
    if (receiving.end !== undefined) return undefined;
    receiving.end = await this.#grown(receiving);
    if (receiving.end !== undefined) return undefined;
    const isQueued = await held.write(({ holder: _receiver, ...job }) => ({
      ...job,
      state: "queued",
      requestBytes: bytes,
      requestStored: stored,
      storedBytes: stored,
      wakeAt: job.at + job.keepMs,
    }));
    if (!isQueued) this.#lose(receiving, await this.#deps.records.get(held.job.id));
    return isQueued ? held.job : undefined;
  }

  /** Nothing of it is kept. */
  async #drop({ held: { job } }: Receiving, folder: JobFolder): Promise<void> {
    const { records, onFault } = this.#deps;
    try {
      await folder.remove(job);
      const found = await records.get(job.id);
      if (found !== undefined) await records.remove(found);
    } catch (error) {
      // Its lease lapses, and whoever looks then takes it away.
      onFault(error);
    }
  }
}

const refused = (code: ProblemCode, detail: string, retryAfter?: string): Taken => ({
  kind: "refused",
  code,
  detail,
  fields: retryAfter === undefined ? [] : ["Retry-After", retryAfter],
});

const notStored = (): Taken => refused("unavailable", "The job could not be stored: try again soon.", "5");

const noRoom = (why: NoRoom): Taken =>
  refused(why === "count" ? "too_many_jobs" : "insufficient_storage", NO_ROOM[why], "60");
