import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { describe, it } from "node:test";
import { READY, runTogether, startChild } from "./store-support/children.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

const APPEND_CHILD = join(import.meta.dirname, "store-support", "append-child.ts");
const WRITERS = 8;
const EACH = 25;
const KILLS = Number(process.env["AIGW_TEST_ROUNDS"] ?? 6);

/** `<rev> <name>` lines, without a last one cut off. */
const acknowledged = (out: string): ReadonlyMap<number, string> =>
  new Map(
    out
      .slice(0, out.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [rev, name = ""] = line.split(" ");
        return [Number(rev), name];
      }),
  );

describe("processes that append at once", () => {
  it(`${WRITERS} writers: no revision is skipped or given twice, no change is lost`, async () => {
    const { url, open } = sqliteFixture();
    const exits = await runTogether(
      APPEND_CHILD,
      Array.from({ length: WRITERS }, (_, index) => [url, `w${index}`, String(EACH)]),
    );
    const acks = new Map<number, string>();
    for (const exit of exits) {
      assert.equal(exit.code, 0, exit.err);
      for (const [rev, name] of acknowledged(exit.out)) {
        assert.ok(!acks.has(rev), `revision ${rev} given twice`);
        acks.set(rev, name);
      }
    }
    assert.equal(acks.size, WRITERS * EACH);
    const store = open();
    const changes = store.control.changesAfter(0, 10_000);
    assert.deepEqual(
      changes.map((change) => change.rev),
      Array.from({ length: WRITERS * EACH }, (_, index) => index + 1),
    );
    for (const change of changes) assert.equal(change.effects[0]?.subject, acks.get(change.rev));
    assert.equal((await store.control.snapshot()).clients.size, WRITERS * EACH);
    await store.close();
  });

  it(`killed ${KILLS} times in the middle of it: sound, and every acknowledged change is there`, async () => {
    const { url, open } = sqliteFixture();
    const acks = new Map<number, string>();
    for (let kill = 0; kill < KILLS; kill += 2) {
      const victims = [kill, kill + 1].map((index) => startChild(APPEND_CHILD, [url, `k${index}`, "1000000"]));
      await Promise.all(
        victims.map(async (victim) => {
          await victim.printed(READY.length);
          victim.process.stdin?.end("go\n");
          // Somewhere in the work: after so many characters of acknowledgements.
          await victim.printed(READY.length + randomInt(1, 400));
          victim.process.kill("SIGKILL");
        }),
      );
      for (const victim of victims) {
        const exit = await victim.exit;
        assert.equal(exit.signal, "SIGKILL", exit.err);
        for (const [rev, name] of acknowledged(exit.out.slice(READY.length))) acks.set(rev, name);
      }
      const store = open();
      assert.deepEqual(store.integrityCheck(), []);
      const changes = store.control.changesAfter(0, 1_000_000);
      assert.deepEqual(
        changes.map((change) => change.rev),
        changes.map((_, index) => index + 1),
      );
      for (const [rev, name] of acks) assert.equal(changes[rev - 1]?.effects[0]?.subject, name);
      assert.equal(store.control.clients().length, changes.length);
      await store.close();
    }
    assert.ok(acks.size >= KILLS);
  });
});
