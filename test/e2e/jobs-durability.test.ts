import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { addService } from "@aigw/core";
import { startGatewayProcess } from "../support/aigw.ts";
import { tokenFor } from "../support/http.ts";
import { jobClient, startHeldService } from "../support/jobs.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

const missing =
  spawnSync("strace", ["-e", "trace=none", "true"]).status === 0 ? undefined : "strace is not there or may not trace";

it("a request and an answer are on the disk, and in their folder, before anybody is told that they are", async (t) => {
  reportNeed(NEEDS.strace, missing);
  if (missing !== undefined) return t.skip(missing);
  const service = await startHeldService(t);
  const { home, passwords } = await prepareHome(t, { clients: { john: UNLIMITED } });
  await withHome(home, ({ deps }) => addService(deps, { name: "whisper", url: service.url, jobs: { on: true } }));
  const trace = `${home}.trace`;
  const watch = ["-f", "-y", "--seccomp-bpf", "-e", "trace=mkdir,fsync", "-o", trace];
  const gateway = await startGatewayProcess(t, home, [], {}, ["strace", ...watch]);
  t.after(() => process.kill(gateway.pid, "SIGKILL"));
  const john = jobClient(gateway.url, await tokenFor(gateway.url, "john", passwords["john"] ?? ""));
  /** What was asked of the system since the last time, without other files of the home. */
  let seen = 0;
  const asked = (): readonly string[] => {
    const lines = readFileSync(trace, "utf8").split("\n").slice(0, -1);
    const some = lines.slice(seen).flatMap((line) => {
      const [, call, path] = /(mkdir|fsync)\((?:\d+<|")([^>"]*)/.exec(line) ?? [];
      return path?.startsWith(join(home, "jobs")) ? [`${call} ${path.slice(home.length)}`] : [];
    });
    seen = lines.length;
    return some.map((one) => one.replace(/\/c_[a-z0-9]+/, "/c_1").replace(/j_[0-9a-f]+/, "j_1"));
  };
  await until("the folder to be made", () => readFileSync(trace, "utf8").includes("/jobs/place"));
  const id = await john.submit("/api/whisper/x", { body: "x" });
  assert.deepEqual(
    asked().filter((one) => !/store|place/.test(one)),
    [
      "mkdir /jobs",
      // With the files that say whose it is, and what it is called.
      "fsync /jobs",
      "fsync /jobs",
      "mkdir /jobs/c_1",
      "fsync /jobs",
      "fsync /jobs/c_1/j_1.request",
      "fsync /jobs/c_1",
    ],
  );
  (await until("the service to be called", () => service.open[0])).response.end("late");
  await john.becomes(id, "done");
  assert.deepEqual(asked(), ["fsync /jobs/c_1/j_1.answer", "fsync /jobs/c_1"]);
});
