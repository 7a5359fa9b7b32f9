import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { isAigwError } from "../src/errors.ts";
import { FolderCalls } from "../src/jobs/index.ts";
import { temporaryFolder } from "./store-support/folders.ts";

/** Files that take as long to open as nobody writes to them: system calls that hang, of this process's own. */
const hangingFiles = (t: TestContext, count: number): { paths: readonly string[]; letGo: () => void } => {
  const folder = temporaryFolder();
  const paths = Array.from({ length: count }, (_, index) => join(folder, `${index}`));
  execFileSync("mkfifo", paths);
  const held: number[] = [];
  // Held open, or a call that a busy machine has not begun yet would hang after it.
  const letGo = (): void => {
    for (const path of paths.splice(0)) held.push(openSync(path, constants.O_RDWR));
  };
  t.after(() => {
    letGo();
    for (const file of held) closeSync(file);
  });
  return { paths: [...paths], letGo };
};

const isAway = (error: unknown): boolean => isAigwError(error, "store_unavailable") && error.message.includes("/mnt/x");

describe("calls of a folder whose file system does not answer", () => {
  it("hold some threads, are given up in time, and keep what comes late from what comes after", async (t) => {
    const { paths, letGo } = hangingFiles(t, 2);
    const calls = new FolderCalls("/mnt/x", 300);
    const late: FileHandle[] = [];
    const begun: string[] = [];
    const hanging = paths.map((path) =>
      calls.run(
        () => open(path, "r"),
        (file) => late.push(file),
      ),
    );
    const behind = calls.run(async () => begun.push("behind"));
    const all = Promise.allSettled([...hanging, behind]);
    // Others that need a thread still get one.
    assert.ok((await readFile(import.meta.filename)).length > 0);
    for (const result of await all) assert.ok(result.status === "rejected" && isAway(result.reason));
    await assert.rejects(
      calls.run(async () => begun.push("after")),
      isAway,
    );
    const kept = await open(import.meta.filename, "r");
    await calls.close(kept);
    assert.notEqual(kept.fd, -1, "it waits for its turn");
    letGo();
    for (let tries = 0; begun.length === 0 && tries < 1_000; tries += 1) {
      await new Promise((next) => setTimeout(next, 5));
      await calls.run(async () => begun.push("again")).catch(() => undefined);
    }
    assert.deepEqual(begun, ["again"]);
    assert.equal(late.length, 2);
    for (const file of late) await file.close();
    assert.equal(kept.fd, -1);
  });

  it("are waited for no more when the process ends", async (t) => {
    const { paths, letGo } = hangingFiles(t, 1);
    const calls = new FolderCalls("/mnt/x");
    const late = Promise.withResolvers<FileHandle>();
    const hanging = calls.run(() => open(paths[0] ?? "", "r"), late.resolve);
    calls.abandon();
    await assert.rejects(hanging, isAway);
    letGo();
    await (await late.promise).close();
    await assert.rejects(
      calls.run(async () => "after"),
      isAway,
    );
  });

  it("come back in their own time, however many there are, with their own faults", async () => {
    const calls = new FolderCalls("/mnt/x", 5_000);
    let open_ = 0;
    let most = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        calls.run(async () => {
          open_ += 1;
          most = Math.max(most, open_);
          await new Promise((next) => setImmediate(next));
          open_ -= 1;
          if (index === 7) throw new Error("its own");
          return index;
        }),
      ),
    );
    assert.equal(most, 2);
    assert.deepEqual(
      results.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason))),
      results.map((_, index) => (index === 7 ? "Error: its own" : index)),
    );
  });
});
