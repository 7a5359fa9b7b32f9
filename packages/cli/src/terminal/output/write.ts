import { AigwError } from "@aigw/core/errors";
import { BrokenPipe } from "../../app/cli-error.ts";
import type { OutputStream } from "../io.ts";

/** Resolves when it is written. @throws BrokenPipe when nobody reads it any more, AigwError `failed` on a full disk */
export const writeData = (stream: OutputStream, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (!error) resolve();
      else if (isGone(error)) reject(new BrokenPipe("stdout was closed", { cause: error }));
      else reject(new AigwError("failed", `Cannot write to standard output: ${error.message}`, { cause: error }));
    });
  });

/** What cannot be said on stderr cannot be said. */
export const writeMessage = (stream: OutputStream, text: string): Promise<void> =>
  new Promise((resolve) => {
    stream.write(text, () => resolve());
  });

const isGone = (error: Error): boolean =>
  "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED" || error.code === "ECONNRESET");
