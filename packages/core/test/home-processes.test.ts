import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { AT_FULL_SIZE } from "../../../test/support/rounds.ts";
import { initHome, inspectHome, openHome } from "../src/home/index.ts";
import { FixedClock } from "../src/testing/index.ts";
import { runChild, runTogether } from "./store-support/children.ts";
import { temporaryFolder } from "./store-support/folders.ts";

const SUPPORT = join(import.meta.dirname, "store-support");
const PROCESSES = AT_FULL_SIZE ? 8 : 4;
const ROUNDS = 2;
/** A process for each step is what takes the time; with AIGW_TEST_ROUNDS every step is tried, in the first two ways. */
const STRIDE = process.env["AIGW_TEST_ROUNDS"] !== undefined ? 1 : AT_FULL_SIZE ? 4 : 7;
const ACT = { at: 1_000, actor: "test" };

/** A folder that cannot be replaced by a rename. */
const folderInUse = (home: string): void => {
  mkdirSync(home, { mode: 0o700 });
  writeFileSync(join(home, "notes.txt"), "mine");
};

describe("processes that initialise at once", () => {
  for (const [name, prepare] of [
    ["an absent home", () => undefined],
    ["an empty home", (home: string) => mkdirSync(home, { mode: 0o700 })],
    ["a home with other files", folderInUse],
  ] as const) {
    it(`${PROCESSES} on ${name}: one creates it, all use it`, async () => {
      const base = join(temporaryFolder(), "aigw");
      for (let round = 0; round < ROUNDS; round += 1) prepare(`${base}-${round}`);
      const exits = await runTogether(
        join(SUPPORT, "init-child.ts"),
        Array.from({ length: PROCESSES }, () => [String(ROUNDS), base]),
      );
      for (const exit of exits) assert.equal(exit.code, 0, exit.err);
      const lines = exits.flatMap((exit) => exit.out.trim().split("\n"));
      assert.equal(lines.length, PROCESSES * ROUNDS);
      for (let round = 0; round < ROUNDS; round += 1) {
        const found = lines.map((line) => line.split(" ")).filter(([of]) => of === String(round));
        assert.equal(found.filter(([, created]) => created === "true").length, 1);
        assert.equal(new Set(found.map(([, , storeId]) => storeId)).size, 1);
        assert.ok(found.every(([, , , head]) => head === "1"));
        // Of processes that close at once none may be the last, which would clear SQLite's own files away.
        const left = readdirSync(`${base}-${round}`).filter((file) => !/^notes\.txt$|-(?:wal|shm)$/.test(file));
        assert.deepEqual(left.sort(), ["aigw.db", "master.key"]);
      }
      assert.equal(readdirSync(join(base, "..")).length, ROUNDS);
    });
  }
});

describe("an initialisation killed", () => {
  const crashAt = async (step: number, home: string, storeUrl?: string): Promise<boolean> => {
    const exit = await runChild(join(SUPPORT, "crash-child.ts"), [
      String(step),
      home,
      ...(storeUrl === undefined ? [] : [storeUrl]),
    ]);
    if (exit.code === 0) return false;
    assert.equal(exit.signal, "SIGKILL", exit.err);
    return true;
  };

  for (const [name, prepare, elsewhere, stride] of [
    ["beside an absent home", () => undefined, false, STRIDE],
    ["in a home with other files", folderInUse, false, STRIDE],
    // The same steps again, so a few of them do.
    ["with the database elsewhere", () => undefined, true, AT_FULL_SIZE ? 5 : 7],
  ] as const) {
    it(`before any step on the disk, ${name}: nothing or everything, and it can be finished`, async () => {
      let next = 1;
      let finished = 0;
      const states = new Set<string>();
      const worker = async (): Promise<void> => {
        while (finished === 0) {
          const step = next;
          next += stride;
          assert.ok(step < 200);
          const folder = temporaryFolder();
          const home = join(folder, "aigw");
          prepare(home);
          const storeUrl = elsewhere ? `sqlite:${join(folder, "x.db")}` : undefined;
          if (!(await crashAt(step, home, storeUrl))) {
            finished = step;
            return;
          }
          const state = await inspectHome({ home, storeUrl });
          states.add(state);
          const open = async (): Promise<string> => {
            const { store } = await openHome({ home, storeUrl, clock: new FixedClock() });
            assert.equal(await store.control.head(), 1);
            await store.close();
            return store.control.storeId;
          };
          const before = state === "ready" ? await open() : undefined;
          assert.deepEqual(await initHome({ home, storeUrl, ...ACT }), { created: state === "empty" });
          const after = await open();
          assert.equal(before ?? after, after);
          // A database lost from now on must not count as one that was never made.
          assert.ok(!readdirSync(home).includes(".init-pending"));
        }
      };
      await Promise.all(Array.from({ length: availableParallelism() }, worker));
      assert.ok(finished > 10);
      assert.deepEqual([...states].sort(), ["empty", "ready"]);
    });
  }
});

describe("a home that is a mount point", () => {
  it("is initialised file by file", async (test) => {
    const home = temporaryFolder();
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m,mode=700", "aigw-test", home]).status !== 0) {
      return test.skip("may not mount a file system");
    }
    try {
      assert.deepEqual(await initHome({ home, ...ACT }), { created: true });
      assert.deepEqual(readdirSync(home).sort(), ["aigw.db", "master.key"]);
      assert.equal(await inspectHome({ home }), "ready");
    } finally {
      assert.equal(spawnSync("umount", [home]).status, 0);
    }
  });
});
