import type { Collection } from "mongodb";
import { isAigwError } from "../../errors.ts";
import type { TimeDocument } from "./control-schema.ts";
import type { HeartbeatTime } from "./heartbeat-time.ts";
import { translated } from "./translate-error.ts";

/** The most by which a restart can go back, and that only when the servers' clock was set back as well. */
const NOTE_EVERY_MS = 10_000;

/**
 * Lets the time of a process not be behind what others have noted, and notes its own now and then, for as long as it is
 * open: so that it goes back neither over restarts nor when another server becomes the primary.
 * @returns what ends it
 */
export const shareTime = async (times: Collection<TimeDocument>, time: HeartbeatTime): Promise<() => void> => {
  const seen = await translated(() => times.findOne({ _id: "time" }));
  if (seen !== null) time.reach(seen.seen);
  if (seen === null || time.now() - seen.seen >= NOTE_EVERY_MS) await note(times, time);
  const timer = setInterval(() => void note(times, time), NOTE_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
};

/** What cannot be noted now is noted next time; who may only read cannot note. */
const note = async (times: Collection<TimeDocument>, time: HeartbeatTime): Promise<void> => {
  try {
    const noted = await translated(() =>
      times.findOneAndUpdate(
        { _id: "time" },
        { $max: { seen: time.now() } },
        { upsert: true, returnDocument: "after" },
      ),
    );
    if (noted !== null) time.reach(noted.seen);
  } catch (error) {
    if (!isAigwError(error)) throw error;
  }
};
