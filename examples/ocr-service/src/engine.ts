import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Worker as Thread } from "node:worker_threads";
import tesseract from "tesseract.js";

/** What was read. `confidence` is tesseract's own mean, 0 to 100; 0 for a page without text. */
export interface Reading {
  readonly text: string;
  readonly confidence: number;
}

/** One tesseract in a thread of its own. It reads one picture at a time. */
export interface Engine {
  isAlive(): boolean;
  /** Rejects when the picture cannot be read and when the thread dies over it. */
  recognize(image: Buffer): Promise<Reading>;
  /** Ends the thread, also in the middle of a picture. */
  stop(): Promise<void>;
}

/** The language data comes from node_modules; without `langPath` tesseract.js would fetch it from a CDN. */
function languageFolder(): string {
  const manifest = createRequire(import.meta.url).resolve("@tesseract.js-data/eng/package.json");
  return join(dirname(manifest), "4.0.0_best_int");
}

export async function startEngine(): Promise<Engine> {
  const worker = await startWorker();
  const thread: unknown = Reflect.get(worker, "worker");
  if (!(thread instanceof Thread)) throw new Error("tesseract.js did not start a worker thread");
  // Leptonica prints each broken picture on stderr; the caller learns it from the answer instead.
  thread.stderr.unpipe();
  thread.stderr.resume();

  let alive = true;
  const died = new Promise<never>((_, reject) => {
    // Without a listener a thread's error would be an uncaught exception of this process.
    thread.on("error", reject);
    thread.once("exit", (code) => {
      alive = false;
      reject(new Error(`the tesseract thread ended with ${code}`));
    });
  });
  died.catch(() => {});

  return {
    isAlive: () => alive,
    async recognize(image) {
      // tesseract.js leaves a job of a dead thread pending for ever.
      const { data } = await Promise.race([worker.recognize(image), died]);
      return { text: data.text.trim(), confidence: data.confidence };
    },
    async stop() {
      await thread.terminate();
    },
  };
}

function startWorker(): Promise<tesseract.Worker> {
  return new Promise((resolve, reject) => {
    const options = {
      langPath: languageFolder(),
      gzip: true,
      cacheMethod: "none",
      // Without a handler tesseract.js throws outside every promise; and missing language data it reports only here.
      errorHandler: (reason: unknown) => reject(new Error(`tesseract: ${String(reason)}`)),
    };
    tesseract.createWorker("eng", tesseract.OEM.LSTM_ONLY, options).then(resolve, reject);
  });
}
