import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { addService } from "@aigw/core";
import { startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { jobClient, startHeldService } from "../support/jobs.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";

const missing =
  spawnSync("strace", ["-e", "trace=none", "true"]).status === 0 ? undefined : "strace is not there or may not trace";

/** What a gateway asks of the folder itself, and of a client's: each takes so long, as on a mount far away. */
const SLOW = ["statx", "statfs", "openat", "getdents64", "mkdir"];
const SLOW_MS = 2_000;

it("a folder of jobs whose every system call takes two seconds slows down no call of a service", async (t) => {
  reportNeed(NEEDS.strace, missing);
  if (missing !== undefined) {
    t.skip(missing);
    return;
  }
  const service = await startHeldService(t);
  const { home, passwords } = await prepareHome(t, {
    services: { plain: (await startEcho(t)).url },
    clients: { john: UNLIMITED },
  });
  const client = await withHome(home, async ({ deps, store }) => {
    await addService(deps, { name: "whisper", url: service.url, jobs: { on: true } });
    return (await store.control.client("john"))?.id ?? "";
  });
  const folder = join(home, "jobs");
  mkdirSync(join(folder, client), { recursive: true, mode: 0o700 });
  const log = `${home}.strace`;
  const watch = ["-f", "--seccomp-bpf", "-o", log, "-P", folder, "-P", join(folder, client)];
  const slow = SLOW.join(",");
  const inject = ["-e", `trace=${slow}`, "-e", `inject=${slow}:delay_enter=${SLOW_MS * 1_000}`];
  const gateway = await startGatewayProcess(t, home, [], {}, ["strace", ...watch, ...inject]);
  t.after(() => process.kill(gateway.pid, "SIGKILL"));
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  const john = jobClient(gateway.url, token);

  let isTaken = false;
  const taken = john.submit("/api/whisper/x", { body: "x" }).finally(() => (isTaken = true));
  let slowestMs = 0;
  let calls = 0;
  // The folder is listed every five seconds, too.
  for (const begun = performance.now(); !isTaken || performance.now() - begun < 6_000; calls += 1) {
    const at = performance.now();
    const call = send(`${gateway.url}/api/plain/x`, { headers: bearer(token) });
    assert.equal((await within("a call of a service", call)).status, 200);
    slowestMs = Math.max(slowestMs, performance.now() - at);
  }
  const id = await within("the job to be taken", taken, 30_000);
  (await until("it to be run", () => service.open[0], 30_000)).response.end("late");
  await john.becomes(id, "done", 30_000);
  const delayed = readFileSync(log, "utf8");
  for (const name of ["statfs", "getdents64"])
    assert.match(delayed, new RegExp(`${name}( resumed>|\\().*DELAYED`), name);
  assert.ok(slowestMs < SLOW_MS / 2, `${calls} calls, the slowest took ${Math.round(slowestMs)} ms`);
  t.diagnostic(`${calls} calls, the slowest took ${Math.round(slowestMs)} ms`);
});
