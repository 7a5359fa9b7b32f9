import assert from "node:assert/strict";
import { test } from "node:test";
import { initHome } from "@aigw/core/home";
import { WorkerPool } from "../src/workers/worker-pool.ts";
import { opened, temporaryHome } from "./support/harness.ts";

test("a worker that does not come to its end is killed, and it is said which: those that did are not named", async (t) => {
  const home = temporaryHome(t);
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, storeUrl } = await opened(t, home);
  const logged: Readonly<Record<string, unknown>>[] = [];
  const pool = new WorkerPool({
    workers: 2,
    job: { host: "127.0.0.1", port: 0, version: "test", maxStaleMs: 60_000, drainMs: 0, home, storeUrl },
    traffic: store.traffic,
    log: (_level, fields, msg) => logged.push({ ...fields, msg }),
  });
  t.after(() => pool.killAll());
  const [, second] = await pool.start();
  assert.ok(second);
  process.kill(second.pid, "SIGSTOP");
  await assert.rejects(pool.end({ atOnce: true }), {
    code: "failed",
    message: `Not all ended in good order: worker 2 (process ${second.pid}, ${second.id}) hung, and was killed after 3 s. See the log.`,
  });
  assert.deepEqual(logged, [
    {
      of: 2,
      pid: second.pid,
      instance: second.id,
      code: null,
      signal: "SIGKILL",
      killedAfterMs: 3_000,
      msg: "a worker did not end in good order",
    },
  ]);
  assert.deepEqual(await store.traffic.instances(60_000), [], "nobody waits for it");
});
