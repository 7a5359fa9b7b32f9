import { spawnSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Run } from "../row.ts";

/**
 * A clock that can be set while processes run by it, with Debian's `faketime`: the wall clock of those that get its
 * environment, whatever they call to read it. The monotonic clock goes on as it does for all others.
 */
export class FakedClock {
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(run: Run, bySeconds = 0) {
    const folder = mkdtempSync(join(tmpdir(), "aigw-clock-"));
    run.after(() => rmSync(folder, { recursive: true, force: true }));
    this.#file = join(folder, "offset");
    this.set(bySeconds);
    // Where the library is depends on the machine; the program knows.
    const { stdout } = spawnSync("faketime", ["-m", "-f", "+0", "env"], { encoding: "utf8" });
    const library = /^LD_PRELOAD=(.+)$/m.exec(stdout)?.[1];
    if (library === undefined) throw new Error("faketime does not say where its library is");
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      // A clock that is set leaves the times of files as they are.
      NO_FAKE_STAT: "1",
    };
  }

  /** From within a second on. */
  set(bySeconds: number): void {
    writeFileSync(`${this.#file}.new`, `${bySeconds < 0 ? "-" : "+"}${Math.abs(bySeconds)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
