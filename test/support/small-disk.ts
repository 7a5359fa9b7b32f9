import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A disk of so many MiB, where the system lets us mount one; else the test is skipped, and that is said. */
export const mountSmallDisk = (t: TestContext, mib = 4): string | undefined => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-disk-"));
  let mounted = false;
  t.after(() => {
    if (mounted) execFileSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m,mode=0700`, "tmpfs", folder], { stdio: "ignore" });
  } catch {
    process.stderr.write("NOT RUN: the full-disk test needs the right to mount a small disk (root on Linux).\n");
    t.skip("needs the right to mount a small disk");
    return undefined;
  }
  mounted = true;
  return folder;
};

/** Takes all the space there is. @returns frees it again */
export const fillDisk = (disk: string): (() => void) => {
  const path = join(disk, "filler");
  const file = openSync(path, "w");
  for (const size of [65_536, 4_096, 512]) {
    const block = Buffer.alloc(size, 1);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    }
  }
  closeSync(file);
  return () => rmSync(path);
};
