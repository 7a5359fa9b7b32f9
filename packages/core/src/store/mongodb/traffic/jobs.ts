import type { Collection, Filter } from "mongodb";
import type { Job, JobState, VersionedJob } from "../../../jobs/job.ts";
import type { JobCursor, JobFilter, JobGroup } from "../../../jobs/job-store.ts";
import { isDuplicateKey } from "../translate-error.ts";
import type { JobDocument } from "./collections.ts";

const versioned = ({ v, r }: JobDocument): VersionedJob => ({ version: v, job: r });

export const readJob = async (jobs: Collection<JobDocument>, id: string): Promise<VersionedJob | undefined> => {
  const found = await jobs.findOne({ _id: id });
  return found === null ? undefined : versioned(found);
};

/** An error does not say that nothing was written: whoever gets one reads again. */
export const writeJob = async (jobs: Collection<JobDocument>, expectedVersion: number, job: Job): Promise<boolean> => {
  if (expectedVersion !== 0) {
    const { matchedCount } = await jobs.updateOne(
      { _id: job.id, v: expectedVersion },
      { $set: { r: job }, $inc: { v: 1 } },
    );
    return matchedCount === 1;
  }
  try {
    await jobs.insertOne({ _id: job.id, v: 1, r: job });
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
};

export const deleteJob = async (jobs: Collection<JobDocument>, expectedVersion: number, id: string): Promise<boolean> =>
  (await jobs.deleteOne({ _id: id, v: expectedVersion })).deletedCount === 1;

const matching = ({ client, service, state, place }: JobFilter): Filter<JobDocument> => ({
  ...(client !== undefined && { "r.client": client }),
  ...(service !== undefined && { "r.service": service }),
  ...(state !== undefined && { "r.state": state }),
  ...(place !== undefined && { "r.place": place }),
});

const beyond = (which: "$gt" | "$lt", { at, id }: JobCursor): Filter<JobDocument> => ({
  $or: [{ "r.at": { [which]: at } }, { "r.at": at, _id: { [which]: id } }],
});

export const readJobs = async (
  jobs: Collection<JobDocument>,
  filter: JobFilter,
  { limit, after, oldestFirst = false }: { limit: number; after?: JobCursor | undefined; oldestFirst?: boolean },
): Promise<readonly VersionedJob[]> => {
  const behind = after && beyond(oldestFirst ? "$gt" : "$lt", after);
  const order = oldestFirst ? 1 : -1;
  const found = await jobs
    .find({ ...matching(filter), ...behind }, { sort: { "r.at": order, _id: order }, limit })
    .toArray();
  return found.map(versioned);
};

/** @param now steady milliseconds, @param from the first `wakeAt` */
export const readDueJobs = async (
  jobs: Collection<JobDocument>,
  now: number,
  limit: number,
  from: number = Number.NEGATIVE_INFINITY,
): Promise<readonly VersionedJob[]> =>
  (await jobs.find({ "r.wakeAt": { $gte: from, $lte: now } }, { sort: { "r.wakeAt": 1 }, limit }).toArray()).map(
    versioned,
  );

export const countJobsBefore = (
  jobs: Collection<JobDocument>,
  filter: JobFilter,
  before: JobCursor,
  most: number,
): Promise<number> => jobs.countDocuments({ ...matching(filter), ...beyond("$lt", before) }, { limit: most });

export const readJobGroups = async (jobs: Collection<JobDocument>, filter: JobFilter): Promise<readonly JobGroup[]> => {
  const groups = await jobs
    .aggregate<{ _id: { c: string; s: string; t: JobState }; n: number; b: number; o: number }>([
      { $match: matching(filter) },
      {
        $group: {
          _id: { c: "$r.client", s: "$r.service", t: "$r.state" },
          n: { $sum: 1 },
          b: { $sum: "$r.storedBytes" },
          o: { $min: "$r.at" },
        },
      },
    ])
    .toArray();
  return groups.map(({ _id: { c, s, t }, n, b, o }) => ({
    client: c,
    service: s,
    state: t,
    count: n,
    storedBytes: b,
    oldestAt: o,
  }));
};
