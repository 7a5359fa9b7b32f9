import { type Engine, type Reading, startEngine } from "./engine.ts";
import type { Limits } from "./limits.ts";
import { Refusal } from "./refusal.ts";

/** Reads pictures one after the other, each with a fresh or proven engine. */
export interface Reader {
  /** An aborted signal takes the picture out of the queue; one already being read is finished. */
  read(image: Buffer, signal: AbortSignal): Promise<Reading>;
  /** Refuses whoever waits, gives the picture being read `drainMs`, ends the engine. */
  close(): Promise<void>;
}

interface Job {
  readonly image: Buffer;
  readonly take: (reading: Promise<Reading>) => void;
}

const RETRY = { headers: { "retry-after": "5" } };

export async function openReader(limits: Limits): Promise<Reader> {
  let engine = startEngine();
  await engine;
  const queue: Job[] = [];
  let running: Promise<unknown> | undefined;
  let closed = false;

  const closing = (): Refusal => new Refusal("unavailable", "the service is shutting down", RETRY);

  function renew(): void {
    // Also one that comes up too late must not stay behind.
    engine.then((old) => old.stop()).catch(() => {});
    engine = startEngine();
    // Whoever reads next meets the error and tries anew.
    engine.catch(() => {});
  }

  async function readyEngine(): Promise<Engine> {
    const late = (): Error => new Error("tesseract did not start in time");
    try {
      const current = await within(limits.readMs, engine, late);
      if (current.isAlive()) return current;
      renew();
      return await within(limits.readMs, engine, late);
    } catch (cause) {
      if (!closed) renew();
      throw new Refusal("unavailable", "the recognition does not start", { ...RETRY, cause });
    }
  }

  async function readNow(image: Buffer): Promise<Reading> {
    const current = await readyEngine();
    try {
      return await within(limits.readMs, current.recognize(image), () => {
        return new Refusal("bad_image", `the image could not be read within ${limits.readMs / 1000} s`);
      });
    } catch (cause) {
      // After a failure the state of tesseract's memory is unknown, so the next picture gets a new one (0.4 s).
      await current.stop();
      if (closed) throw closing();
      renew();
      if (cause instanceof Refusal) throw cause;
      throw new Refusal("bad_image", "the image cannot be decoded: it is damaged, truncated or of an odd kind", {
        cause,
      });
    }
  }

  function next(): void {
    if (running !== undefined) return;
    const job = queue.shift();
    if (!job) return;
    const reading = readNow(job.image);
    job.take(reading);
    running = reading
      .catch(() => {})
      .then(() => {
        running = undefined;
        next();
      });
  }

  return {
    read(image, signal) {
      if (closed) return Promise.reject(closing());
      return new Promise((resolve, reject) => {
        const leave = (why: unknown): void => {
          const at = queue.indexOf(job);
          if (at === -1) return;
          queue.splice(at, 1);
          job.take(Promise.reject(why));
        };
        const gone = (): void => leave(new Refusal("unavailable", "the caller went away"));
        const timer = setTimeout(() => leave(new Refusal("busy", "too many pictures wait", RETRY)), limits.waitMs);
        const job: Job = {
          image,
          take(reading) {
            clearTimeout(timer);
            signal.removeEventListener("abort", gone);
            reading.then(resolve, reject);
          },
        };
        queue.push(job);
        signal.addEventListener("abort", gone);
        if (signal.aborted) gone();
        next();
      });
    },
    async close() {
      closed = true;
      for (const job of queue.splice(0)) job.take(Promise.reject(closing()));
      if (running !== undefined) await within(limits.drainMs, running, closing).catch(() => {});
      const last = await engine.catch(() => undefined);
      await last?.stop();
    },
  };
}

/** Settles as `work` does, or rejects with `late()` after `ms`. */
async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
