import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { addService } from "@aigw/core";
import { startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { jobClient, startHeldService } from "../support/jobs.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";

test("a folder of jobs whose file system does not answer holds up jobs, and nothing else", async (t) => {
  const service = await startHeldService(t);
  // By a name, so that a thread is needed to look it up.
  const plain = (await startEcho(t)).url.replace("127.0.0.1", "localhost");
  const { home, passwords } = await prepareHome(t, {
    services: { plain },
    clients: { john: UNLIMITED, ann: UNLIMITED },
  });
  const storeId = await withHome(home, async ({ deps, store }) => {
    await addService(deps, { name: "whisper", url: service.url, jobs: { on: true } });
    return store.control.storeId;
  });
  const folder = join(home, "jobs");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, "store"), storeId, { mode: 0o600 });
  // To open it takes as long as nobody writes to it, as on a mount whose server is away.
  const place = join(folder, "place");
  execFileSync("mkfifo", ["-m", "600", place]);
  const gateway = await startGatewayProcess(t, home, ["--drain", "100ms"]);
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  const john = jobClient(gateway.url, token);

  let answered = 0;
  const asked = Array.from({ length: 8 }, async () => {
    const answer = await john.ask("/api/whisper/x", { body: "x" });
    answered += 1;
    return answer;
  });
  for (let count = 0; count < 5; count += 1) {
    const call = send(`${gateway.url}/api/plain/x`, { headers: bearer(token) });
    assert.equal((await within("a call of a service", call, 5_000)).status, 200);
  }
  await within("a token", tokenFor(gateway.url, "ann", passwords["ann"] ?? ""), 5_000);
  assert.equal((await john.get("/jobs/")).status, 200);
  assert.equal(answered, 0);

  const writer = openSync(place, constants.O_WRONLY | constants.O_NONBLOCK);
  writeFileSync(`${place}.again`, "p_0123456789abcdef", { mode: 0o600 });
  renameSync(`${place}.again`, place);
  writeSync(writer, "p_0123456789abcdef");
  closeSync(writer);
  const answers = await within("jobs to be taken", Promise.all(asked));
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array(8).fill(202),
  );
  const call = await until("a job to be run", () => service.open[0]);
  call.response.end("late");
  await until("its end", async () => {
    const { jobs } = JSON.parse((await john.get("/jobs/")).body) as { jobs: { state: string }[] };
    return jobs.some(({ state }) => state === "done");
  });

  await until("two to run", () => service.open.length === 2);
  // Those that wait cannot be read from here on: whoever begins them hangs.
  const waiting = await withHome(home, ({ store }) => store.traffic.jobs({ state: "queued" }, { limit: 9 }));
  assert.equal(waiting.length, 5);
  for (const { job } of waiting) {
    const request = join(folder, job.client, `${job.id}.request`);
    execFileSync("mkfifo", ["-m", "600", `${request}.fifo`]);
    renameSync(`${request}.fifo`, request);
  }
  for (const { response } of [...service.open]) response.end("late");
  await until("others to be begun", () =>
    withHome(home, async ({ store }) => {
      const running = await store.traffic.jobs({ state: "running" }, { limit: 9 });
      return running.length === 2 && running.every(({ job }) => waiting.some((one) => one.job.id === job.id));
    }),
  );
  assert.equal(
    (await within("a call of a service", send(`${gateway.url}/api/plain/x`, { headers: bearer(token) }), 5_000)).status,
    200,
  );
  // A process with a thread that hangs in the system cannot end; the gateway in it does, with all that it knows stored.
  let log = "";
  gateway.child.stderr?.on("data", (text: string) => (log += text));
  gateway.child.kill("SIGTERM");
  await until("the gateway to stop", () => log.includes("gateway stopped"), 8_000);
  await withHome(home, async ({ store }) => {
    const usage = await allUsage(store);
    assert.equal(usage.filter((event) => event.service === "plain").length, 6);
    // They had not begun: no call was made, and they wait again.
    assert.equal((await store.traffic.jobs({ state: "queued" }, { limit: 9 })).length, 5);
  });
});
