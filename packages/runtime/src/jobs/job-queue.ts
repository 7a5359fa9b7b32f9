import { setTimeout as delay } from "node:timers/promises";
import type { Service } from "@aigw/core";
import { type Job, type JobGroup, requeuedJob, type VersionedJob } from "@aigw/core/jobs";
import { inTime, WORK_PATIENCE_MS } from "@aigw/core/store";
import { type JobRecords, LEASE_MS } from "./job-records.ts";

/** Jobs of one service that run at once, where the service does not say how many calls it takes. */
const DEFAULT_SLOTS = 2;
/** How old what is told of a place may be. */
const PLACES_MS = 1_000;

/** As many as its fair queue lets through at once, where it has one. */
export const slotsOf = ({
  queue,
}: {
  readonly name: string;
  readonly queue?: { readonly concurrency: number };
}): number => queue?.concurrency ?? DEFAULT_SLOTS;

/** Who is next of those that wait: a look costs index entries of the store, and nothing is kept here of what waits. */
export class JobQueue {
  readonly #records: JobRecords;
  readonly #runnable: (service: string) => Service | undefined;
  readonly #owner: (group: Pick<Job, "client" | "service">) => unknown;
  /** When a client's job was begun last here, by client: of those that are equal otherwise, who waited longer is next. */
  readonly #begun = new Map<string, number>();
  readonly #leftUntil = new Map<string, number>();
  #places: { readonly at: number; readonly groups: readonly JobGroup[]; readonly place: string } | undefined;

  /** @param owner undefined for what is about to be taken away with its client's right */
  constructor(
    records: JobRecords,
    runnable: (service: string) => Service | undefined,
    owner: (group: Pick<Job, "client" | "service">) => unknown,
  ) {
    this.#records = records;
    this.#runnable = runnable;
    this.#owner = owner;
  }

  /**
   * Claims the next job of any service that has a slot.
   * @param place whose files can be read here
   * @param own jobs that run here
   */
  async claim(place: string, holder: string, own: Iterable<string>): Promise<VersionedJob | undefined> {
    const waiting = await this.#groups({ state: "queued", place });
    const here = new Set(own);
    const services = [...new Set(waiting.map(({ service }) => service))];
    for (const name of services) {
      const service = this.#runnable(name);
      if (service === undefined || (this.#leftUntil.get(name) ?? 0) > performance.now()) continue;
      const running = await this.#groups({ state: "running", service: name });
      const slots = slotsOf(service);
      if (countOf(running) >= slots) continue;
      const runs = new Map(running.map(({ client, count }) => [client, count]));
      const turn = (group: JobGroup): readonly number[] => [
        runs.get(group.client) ?? 0,
        this.#begun.get(`${name} ${group.client}`) ?? 0,
        group.oldestAt,
      ];
      const order = waiting
        .filter((group) => group.service === name && this.#owner(group) !== undefined)
        .toSorted((a, b) => compare(turn(a), turn(b)));
      for (const { client } of order) {
        const claimed = await this.#claimOf(name, client, place, holder, here);
        if (claimed === undefined) continue;
        if (countOf(await this.#groups({ state: "running", service: name })) <= slots) {
          this.#note(`${name} ${client}`);
          return claimed;
        }
        await this.#putBack(claimed);
        break;
      }
    }
    return undefined;
  }

  /** Begins none of this service's for a while. */
  leaveFor(service: string, ms: number): void {
    this.#leftUntil.set(service, performance.now() + ms);
  }

  /** How many jobs are begun before this one, at most, if none comes and none goes. */
  async ahead(job: Job): Promise<number> {
    const now = performance.now();
    if (this.#places === undefined || this.#places.place !== job.place || now - this.#places.at > PLACES_MS) {
      this.#places = { at: now, place: job.place, groups: await this.#groups({ state: "queued", place: job.place }) };
    }
    const { service, client, place } = job;
    const own = this.#records.traffic.countJobsBefore({ state: "queued", service, client, place }, job, MOST_COUNTED);
    const rank = await inTime(own, WORK_PATIENCE_MS);
    return this.#places.groups
      .filter((group) => group.service === service && group.client !== client)
      .reduce((sum, { count }) => sum + Math.min(count, rank + 1), rank);
  }

  async #claimOf(
    service: string,
    client: string,
    place: string,
    holder: string,
    here: ReadonlySet<string>,
  ): Promise<VersionedJob | undefined> {
    const first = this.#records.traffic.jobs(
      { state: "queued", service, client, place },
      { limit: 1, oldestFirst: true },
    );
    const [found] = await inTime(first, WORK_PATIENCE_MS);
    // One that is being put back here is nobody's to begin yet.
    if (found === undefined || here.has(found.job.id)) return undefined;
    const now = this.#records.now();
    return this.#records.set(found, {
      ...found.job,
      state: "running",
      holder,
      startedAt: now,
      attempts: found.job.attempts + 1,
      wakeAt: now + LEASE_MS,
    });
  }

  /** Two have claimed at the same moment what only one may run. */
  async #putBack(claimed: VersionedJob): Promise<void> {
    await this.#records.set(claimed, { ...requeuedJob(claimed.job), attempts: claimed.job.attempts - 1 });
    await delay(20 + Math.random() * 200);
  }

  #note(key: string): void {
    this.#begun.delete(key);
    this.#begun.set(key, performance.now());
    if (this.#begun.size > MOST_NOTED) this.#begun.delete(this.#begun.keys().next().value ?? "");
  }

  async #groups(filter: Parameters<JobRecords["traffic"]["jobGroups"]>[0]): Promise<readonly JobGroup[]> {
    return inTime(this.#records.traffic.jobGroups(filter), WORK_PATIENCE_MS);
  }
}

const MOST_NOTED = 10_000;
/** A client's own jobs that are counted before one of its jobs. */
const MOST_COUNTED = 1_000;

const countOf = (groups: readonly JobGroup[]): number => groups.reduce((sum, { count }) => sum + count, 0);

const compare = (a: readonly number[], b: readonly number[]): number => {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};
