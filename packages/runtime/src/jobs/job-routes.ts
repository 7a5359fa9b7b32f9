import type { Limiter, MaybePromise, Sealer } from "@aigw/core";
import { isAigwError, isStoreFault } from "@aigw/core/errors";
import { callbackKey, hasEnded, isJobId, type Job, type JobFolder, type VersionedJob } from "@aigw/core/jobs";
import { inTime } from "@aigw/core/store";
import type { ControlFollower } from "../follow/control-follower.ts";
import { answerFields } from "../gate/answer-fields.ts";
import type { Admitted, Authentication, Authenticator } from "../gate/authenticator.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import type { ProblemCode } from "../http-errors.ts";
import { refuse } from "../proxy/lingering-close.ts";
import { answer, answerJson } from "../routes/answer.ts";
import { INVALID_TOKEN, MISSING_TOKEN, STORE_AWAY } from "../unauthorized.ts";
import { isSent, sendAnswer } from "./job-answer.ts";
import { hasAnswer, JOBS, jobFacts, jobText } from "./job-json.ts";
import type { JobQueue } from "./job-queue.ts";
import { JOB_PATIENCE_MS, type JobRecords } from "./job-records.ts";
import { faultOf } from "./job-run.ts";
import type { JobSendings, Sending } from "./job-sendings.ts";

export interface JobRoutesDeps {
  readonly follower: Pick<ControlFollower, "isFresh" | "termsOf">;
  readonly limiter: Pick<Limiter, "peek">;
  readonly authenticator: Authenticator;
  readonly records: JobRecords;
  readonly folder: () => MaybePromise<JobFolder>;
  readonly sealer: Sealer;
  readonly storeId: string;
  readonly queue: JobQueue;
  readonly sendings: JobSendings;
  /** Whether its client may still have it. */
  readonly isOwned: (job: Job) => boolean;
  readonly cancel: (job: Job) => Promise<void>;
  readonly onStranger: (code: ProblemCode) => void;
  readonly onElsewhere: (job: Job) => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

/** Requests of one client within a minute, at one gateway: asking for a job every second leaves room. */
const MOST_A_MINUTE = 600;
const MINUTE_MS = 60_000;
const LISTED = 100;
const NO_STORE = ["Cache-Control", "no-store"] as const;

/**
 * `/jobs/…`: clients ask for what they have. That takes no permit of their limit and is no usage, or waiting for a job
 * would cost what the job does not; it is bounded all the same.
 */
export class JobRoutes {
  readonly #deps: JobRoutesDeps;
  readonly #asked = new Map<string, { count: number; readonly since: number }>();

  constructor(deps: JobRoutesDeps) {
    this.#deps = deps;
  }

  /** Takes a request over; always answers it. */
  handle(request: GatewayRequest): void {
    this.#handle(request).catch((error: unknown) => {
      if (request.outgoing.headersSent) {
        this.#deps.onError(error, request.requestId);
        request.outgoing.destroy();
      } else if (isStoreFault(error) || isAigwError(error, "changed_meanwhile")) this.#unavailable(request);
      else {
        this.#deps.onError(error, request.requestId);
        this.#refuse(request, "internal_error", "The gateway failed to answer.");
      }
    });
  }

  /** Forgets who has not asked for a minute. */
  prune(): void {
    const now = performance.now();
    for (const [client, { since }] of this.#asked) if (now - since > MINUTE_MS) this.#asked.delete(client);
  }

  async #handle(request: GatewayRequest): Promise<void> {
    const { authenticator, follower, onStranger } = this.#deps;
    if (!(await follower.isFresh())) {
      onStranger("unavailable");
      this.#unavailable(request);
      return;
    }
    const who = await authenticator.authenticate(request.incoming.headers.authorization);
    if (who.kind !== "ok") {
      this.#refuseStranger(request, who);
      return;
    }
    const wait = this.#waitOf(who.client.id);
    if (wait > 0) {
      this.#refuse(request, "rate_limited", `Ask less often: try again in ${wait} s.`, ["Retry-After", String(wait)]);
      return;
    }
    const [path = ""] = request.target.split("?", 1);
    const [id = "", part, ...rest] = path.slice(JOBS.length).split("/");
    if (id === "" && part === undefined) {
      await this.#only(request, "GET, HEAD", () => this.#list(request, who));
    } else if (id === "callback-key" && part === undefined) {
      await this.#only(request, "GET, HEAD", () => this.#tellKey(request, who));
    } else {
      const known = isJobId(id) && rest.length === 0 ? await this.#ownJob(id, who) : undefined;
      if (known === undefined || (part !== undefined && part !== "result")) {
        this.#refuse(request, "not_found", "You have no job of this id (any more).");
      } else if (part === "result") {
        await this.#only(request, "GET, HEAD", () => this.#sendResult(request, who, known.job));
      } else if (request.incoming.method === "DELETE") {
        await this.#deps.cancel(known.job);
        answer(request, 204, "", NO_STORE);
      } else await this.#only(request, "GET, HEAD, DELETE", () => this.#tell(request, who, known.job));
    }
  }

  /** Somebody else's is none, whoever asks. */
  async #ownJob(id: string, { client }: Admitted): Promise<VersionedJob | undefined> {
    const { records, isOwned } = this.#deps;
    const known = await inTime(records.traffic.job(id), JOB_PATIENCE_MS);
    return known !== undefined && known.job.client === client.id && isOwned(known.job) ? known : undefined;
  }

  async #only(request: GatewayRequest, methods: string, then: () => Promise<void>): Promise<void> {
    const { method } = request.incoming;
    if (method === "GET" || method === "HEAD") await then();
    else this.#refuse(request, "method_not_allowed", `Use ${methods} here.`, ["Allow", methods]);
  }

  async #tell(request: GatewayRequest, who: Admitted, job: Job): Promise<void> {
    const ahead = job.state === "queued" ? await this.#deps.queue.ahead(job) : undefined;
    answerJson(request, 200, jobText(job, ahead), await this.#own(who));
  }

  async #list(request: GatewayRequest, who: Admitted): Promise<void> {
    const { records, isOwned } = this.#deps;
    const found = await inTime(records.traffic.jobs({ client: who.client.id }, { limit: LISTED }), JOB_PATIENCE_MS);
    const jobs = found.filter(({ job }) => job.state !== "receiving" && isOwned(job));
    const body = JSON.stringify({ jobs: jobs.map(({ job }) => jobFacts(job, undefined)) });
    answerJson(request, 200, body, await this.#own(who));
  }

  async #tellKey(request: GatewayRequest, who: Admitted): Promise<void> {
    const { sealer, storeId } = this.#deps;
    const key = callbackKey(sealer, storeId, who.client.id, who.client.epoch);
    answerJson(request, 200, JSON.stringify({ key }), await this.#own(who));
  }

  async #sendResult(request: GatewayRequest, who: Admitted, job: Job): Promise<void> {
    if (!hasAnswer(job)) {
      const detail = hasEnded(job)
        ? `The job has no result: it ended as '${job.state}'.`
        : `The job is '${job.state}': its result is still to come.`;
      this.#refuse(request, "no_result", detail, hasEnded(job) ? [] : ["Retry-After", "5"]);
      return;
    }
    const { folder, onElsewhere } = this.#deps;
    const own = await folder();
    if (job.place !== own.place) {
      onElsewhere(job);
      const detail = "Another gateway keeps the result: ask again, or ask the gateway that took the job.";
      this.#refuse(request, "unavailable", detail, ["Retry-After", "5"]);
      return;
    }
    const sending = this.#deps.sendings.begin(who, job, request);
    if (sending === undefined) {
      const detail = "You read as many results at once as you may: end one of them first.";
      this.#refuse(request, "rate_limited", detail, ["Retry-After", "1"]);
      return;
    }
    await this.#send(sending, who, own).finally(() => this.#deps.sendings.end(sending));
  }

  async #send(sending: Sending, who: Admitted, folder: JobFolder): Promise<void> {
    const { sealer, sendings, onError } = this.#deps;
    const { job, request } = sending;
    const reader = await folder.read(sealer, job, "answer").catch(async (error: unknown) => {
      onError(error, request.requestId);
      if ((await faultOf(error, folder)) === "away") throw error;
      return undefined;
    });
    if (reader === undefined) {
      this.#refuse(request, "no_result", "The result cannot be read any more.");
      return;
    }
    try {
      await sendAnswer(request, reader, await this.#own(who), () => sendings.moved(sending));
    } finally {
      await reader.close();
    }
    await isSent(request);
  }

  /** Where the client stands, as on every answer: asking has changed nothing of it. */
  async #own({ client }: Admitted): Promise<readonly string[]> {
    const { limiter, follower } = this.#deps;
    const permit = await limiter.peek(client.id, follower.termsOf(client).limit);
    return [...answerFields(client.name, permit, undefined), ...NO_STORE];
  }

  /** @returns seconds; 0: it may go on */
  #waitOf(client: string): number {
    const now = performance.now();
    const known = this.#asked.get(client);
    if (known === undefined || now - known.since > MINUTE_MS) {
      this.#asked.set(client, { count: 1, since: now });
      return 0;
    }
    known.count += 1;
    return known.count <= MOST_A_MINUTE ? 0 : Math.max(1, Math.ceil((known.since + MINUTE_MS - now) / 1_000));
  }

  #refuseStranger(request: GatewayRequest, who: Exclude<Authentication, Admitted>): void {
    const missingOr = who.kind === "missing" ? MISSING_TOKEN : INVALID_TOKEN;
    const { code, detail, fields } = who.kind === "unsure" ? STORE_AWAY : missingOr;
    this.#deps.onStranger(code);
    this.#refuse(request, code, detail, fields);
  }

  #unavailable(request: GatewayRequest): void {
    this.#refuse(request, STORE_AWAY.code, STORE_AWAY.detail, STORE_AWAY.fields);
  }

  #refuse(
    { incoming, outgoing, requestId, cors }: GatewayRequest,
    code: ProblemCode,
    detail: string,
    fields: readonly string[] = [],
  ): void {
    refuse(incoming, outgoing, { code, detail, requestId }, [...fields, ...cors.own]);
  }
}
