import type { Job } from "@aigw/core/jobs";
import type { Admitted, Authenticator } from "../gate/authenticator.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import { SendQueues, STEP_MS } from "../proxy/send-queues.ts";
import type { JobRecords } from "./job-records.ts";

/** An answer that is being sent. */
export interface Sending {
  readonly claims: Admitted["claims"];
  readonly job: Job;
  readonly request: GatewayRequest;
  /** When its peer took something last, by the clock of {@link JobSendingsDeps}. */
  movedAt: number;
}

export interface JobSendingsDeps {
  readonly authenticator: Pick<Authenticator, "judge">;
  readonly records: Pick<JobRecords, "get">;
  /** Whether its client may still have it. */
  readonly isOwned: (job: Job) => boolean;
  /** How long a peer may take nothing, milliseconds. */
  readonly idleTimeoutMs: (service: string) => number;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
}

/** Of one client at once, at one gateway: each has a file open. */
const MOST_AT_ONCE = 16;

/** Answers on their way to clients: they end with the right to them, with what they are read from, and with who reads. */
export class JobSendings {
  readonly #deps: JobSendingsDeps;
  readonly #open = new Set<Sending>();
  readonly #queues = new SendQueues();

  constructor(deps: JobSendingsDeps) {
    this.#deps = deps;
  }

  /** @returns undefined when its client has as many as it may */
  begin({ claims, client }: Admitted, job: Job, request: GatewayRequest): Sending | undefined {
    let open = 0;
    for (const { claims: other } of this.#open) if (other.clientId === client.id) open += 1;
    if (open >= MOST_AT_ONCE) return undefined;
    const sending: Sending = { claims, job, request, movedAt: this.#deps.clock() };
    this.#open.add(sending);
    return sending;
  }

  moved(sending: Sending): void {
    sending.movedAt = this.#deps.clock();
  }

  end(sending: Sending): void {
    this.#open.delete(sending);
  }

  /** Cheap: cuts those whose clients have lost their right, or take nothing. */
  check(): void {
    for (const sending of this.#open) {
      if (!this.#mayGoOn(sending) || this.#standsStill(sending)) sending.request.outgoing.destroy();
    }
  }

  /** The job is gone, and what was kept of it is to leave the disk. */
  cut(id: string): void {
    for (const { job, request } of this.#open) if (job.id === id) request.outgoing.destroy();
  }

  /** Cuts those of jobs that others have taken away. @throws the store's faults */
  async cutGone(): Promise<void> {
    for (const id of new Set([...this.#open].map(({ job }) => job.id))) {
      if ((await this.#deps.records.get(id)) === undefined) this.cut(id);
    }
  }

  #mayGoOn({ claims, job }: Sending): boolean {
    const who = this.#deps.authenticator.judge(claims);
    // A token that merely reaches its own end does not end what began in time.
    return (who.kind === "ok" || (who.kind === "ended" && who.why === "token_expired")) && this.#deps.isOwned(job);
  }

  /** As of a call's answer, see UpstreamExchange. */
  #standsStill(sending: Sending): boolean {
    const now = this.#deps.clock();
    const stillMs = now - sending.movedAt;
    const mostMs = this.#deps.idleTimeoutMs(sending.job.service);
    if (stillMs < mostMs / 4) return false;
    const { socket } = sending.request.outgoing;
    // One that waits for its turn on its connection has no socket yet.
    if (socket === null || this.#queues.moved(socket, sending.movedAt, now)) {
      sending.movedAt = now;
      return false;
    }
    return stillMs >= Math.max(mostMs, STEP_MS);
  }
}
