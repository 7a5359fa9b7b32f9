import type { Sealer } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import { callbackKey, type Job, type JobCallback, signCallback, type VersionedJob, wakeOfEnded } from "@aigw/core/jobs";
import { nodeHttp, nodeHttps } from "../node-http.ts";
import { jobFacts } from "./job-json.ts";
import type { JobRecords } from "./job-records.ts";
import { callbackUrl } from "./prefer.ts";

export interface JobCallbacksDeps {
  readonly records: JobRecords;
  readonly sealer: Sealer;
  readonly storeId: string;
  readonly owner: (job: Job) => Client | undefined;
  /** Where call-backs of a service may go now. */
  readonly origins: (service: string) => readonly string[] | undefined;
  /** The gateway's address as clients know it. */
  readonly publicUrl: () => string;
  /** There is room for one that was left before. */
  readonly onRoom: () => void;
  readonly onTold: (job: Job, problem: string | undefined) => void;
  readonly onFault: (error: unknown) => void;
}

/** A receiver is tried for so long, milliseconds. */
const TRIED_MS = 3_600_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 300_000;
/** How long one try may take, and nobody else tries meanwhile. */
const TRY_MS = 10_000;
const MOST_AT_ONCE = 16;
/** To one origin: a receiver that takes its time leaves room for the others'. */
const MOST_TO_ONE = 4;

/** Tells receivers that jobs have ended, as Standard Webhooks says (https://www.standardwebhooks.com). */
export class JobCallbacks {
  readonly #deps: JobCallbacksDeps;
  /** Tries under way, and whom they go to. */
  readonly #open = new Map<Promise<void>, string | undefined>();
  readonly #ending = new AbortController();
  #hasLeft = false;

  constructor(deps: JobCallbacksDeps) {
    this.#deps = deps;
  }

  /** Tries once, if nobody else does; what cannot be tried now stays due. */
  tell(known: VersionedJob): void {
    if (this.#ending.signal.aborted) return;
    const origin = known.job.callback?.origin;
    if (this.#open.size >= MOST_AT_ONCE || this.#openTo(origin) >= MOST_TO_ONE) {
      this.#hasLeft = true;
      return;
    }
    const told = this.#tell(known)
      .catch(this.#deps.onFault)
      .finally(() => {
        this.#open.delete(told);
        if (!this.#hasLeft) return;
        this.#hasLeft = false;
        this.#deps.onRoom();
      });
    this.#open.set(told, origin);
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#open.keys());
  }

  #openTo(origin: string | undefined): number {
    let open = 0;
    for (const one of this.#open.values()) if (one === origin) open += 1;
    return open;
  }

  async #tell(known: VersionedJob): Promise<void> {
    const { records, owner, onTold } = this.#deps;
    const { job } = known;
    const { callback } = job;
    const client = owner(job);
    if (callback === undefined || client === undefined) return;
    const now = records.now();
    // Whoever writes this has the try; it is due again when its gateway ends in the middle of it.
    const claimed = await records.set(known, withCallback(job, { ...callback, dueAt: now + 2 * TRY_MS }));
    if (claimed === undefined) return;
    const problem = await this.#send(claimed.job, callback, client);
    if (this.#ending.signal.aborted) return;
    const after = records.now();
    await records.change(job.id, (latest) => {
      const { dueAt: _due, problem: _before, ...rest } = latest.callback ?? callback;
      const tries = rest.tries + 1;
      if (problem === undefined) return withCallback(latest, { ...rest, tries, deliveredAt: after });
      const dueAt = after + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** callback.tries);
      const isLast = problem === GONE || dueAt > (job.endedAt ?? job.at) + TRIED_MS;
      return withCallback(latest, { ...rest, tries, problem, ...(!isLast && { dueAt }) });
    });
    onTold(job, problem);
  }

  /** @returns what went wrong */
  async #send(job: Job, { sealedUrl, epoch }: JobCallback, client: Client): Promise<string | undefined> {
    const { sealer, storeId, origins, publicUrl } = this.#deps;
    const given = Buffer.from(sealer.open("job-callback", sealedUrl)).toString("utf8");
    const url = callbackUrl(given, origins(job.service));
    if (url === undefined) return "not_allowed";
    const { callback: _callback, ...facts } = jobFacts(job, undefined);
    const result = facts["result"];
    const data = typeof result === "string" ? { ...facts, result: `${publicUrl()}${result}` } : facts;
    const body = JSON.stringify({
      type: `job.${job.state}`,
      timestamp: new Date(job.endedAt ?? job.at).toISOString(),
      data,
    });
    const timestamp = Math.floor(Date.now() / 1_000);
    const id = `${job.id}.end`;
    // A receiver that has not fetched the key of a new password yet knows the one of before.
    const keys = [...new Set([client.epoch, epoch])].map((one) => callbackKey(sealer, storeId, client.id, one));
    const fields = {
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(body)),
      "User-Agent": "aigw",
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": keys.map((key) => signCallback(key, id, timestamp, body)).join(" "),
    };
    return post(url, fields, body, AbortSignal.any([this.#ending.signal, AbortSignal.timeout(TRY_MS)]));
  }
}

/** What a receiver says that wants no more of it. */
const GONE = "410";

const withCallback = (job: Job, callback: JobCallback): Job => {
  const told = { ...job, callback };
  return { ...told, wakeAt: wakeOfEnded(told) };
};

/** No redirect is followed: where it leads, nobody has allowed. @returns undefined for 2xx, else what went wrong */
const post = (
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<string | undefined> =>
  new Promise((settle) => {
    const { request } = url.protocol === "https:" ? nodeHttps() : nodeHttp;
    const asked = request(url, { method: "POST", headers, signal, agent: false }, (answer) => {
      const status = answer.statusCode ?? 0;
      settle(status >= 200 && status < 300 ? undefined : String(status));
      answer.destroy();
    });
    asked.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.name));
    asked.end(body);
  });
