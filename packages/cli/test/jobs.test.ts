import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openHome, systemClock } from "@aigw/core";
import { type Job, newJobId } from "@aigw/core/jobs";
import { aJob } from "@aigw/core/testing";
import { aigw, json, type Outcome, temporaryHome } from "./support/harness.ts";

const ID = /^j_[0-9a-f]{40}$/;

const setUp = async (t: TestContext) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const on = (...argv: string[]): Promise<Outcome> => aigw(home, argv);
  await on("service", "add", "whisper", "http://127.0.0.1:1", "--no-check", "--jobs");
  await on("client", "add", "john", "-q");
  await on("client", "add", "ann", "-q");
  return { home, on };
};

/** As a gateway would have left them. */
const putJobs = async (home: string, jobs: readonly Partial<Job>[]): Promise<readonly string[]> => {
  const { store } = await openHome({ home, storeUrl: undefined, clock: systemClock });
  try {
    const made = await Promise.all(
      jobs.map(async (facts, index) => {
        const clientName = facts.clientName ?? "john";
        const now = store.traffic.steadyNow();
        const client = (await store.control.client(clientName))?.id ?? "";
        const job = aJob({
          client,
          clientName,
          at: now + index,
          wakeAt: now + 60_000,
          requestBytes: 1_500,
          storedBytes: 1_500,
          ...facts,
        });
        await store.traffic.setJob(0, job);
        return job.id;
      }),
    );
    return made;
  } finally {
    await store.close();
  }
};

test("how a service's jobs are kept is set, shown, and forgotten with them", async (t) => {
  const { on } = await setUp(t);
  const jobsOf = async () =>
    json<{ service: { jobs: unknown } }>(await on("service", "show", "whisper", "--json")).service.jobs;
  assert.deepEqual(await jobsOf(), { keepMs: 86_400_000, retry: false, callbackOrigins: [] });
  const set = await on(
    ...["service", "set", "whisper", "--keep", "7d", "--jobs-retry"],
    ...["--callback-origins", "https://b.example.com,https://a.example.com/,https://b.example.com"],
  );
  assert.equal(set.code, 0, set.stderr);
  assert.deepEqual(await jobsOf(), {
    keepMs: 604_800_000,
    retry: true,
    callbackOrigins: ["https://a.example.com", "https://b.example.com"],
  });
  assert.match(
    (await on("service", "show", "whisper")).stdout,
    /Jobs +kept for 168h; run again when interrupted; call-backs to https:\/\/a\.example\.com, https:\/\/b\.example\.com/,
  );
  await on("service", "set", "whisper", "--timeout", "3h", "--no-jobs-retry", "--callback-origins", "none");
  assert.deepEqual(await jobsOf(), { keepMs: 604_800_000, retry: false, callbackOrigins: [] });
  assert.match((await on("guide")).stdout, /Prefer: respond-async/);
  await on("service", "set", "whisper", "--no-jobs");
  assert.equal(await jobsOf(), null);
  assert.doesNotMatch((await on("guide")).stdout, /Prefer: respond-async/);
  assert.match((await on("audit", "list", "--subject", "whisper")).stdout, /jobs kept for 168h → none/);
  for (const [argv, said] of [
    [["--keep", "24h"], /do not become jobs.*--jobs/],
    [["--jobs", "--keep", "31d"], /1s to 30d/],
    [["--jobs", "--keep", "soon"], /30m, 24h or 7d/],
    [["--jobs", "--callback-origins", "https://a.example.com/hook"], /a scheme, a host and a port/],
    [["--jobs", "--callback-origins", "ftp://a.example.com"], /a scheme, a host and a port/],
  ] as const) {
    const { code, stderr } = await on("service", "set", "whisper", ...argv);
    assert.equal(code, 2, stderr);
    assert.match(stderr, said);
  }
  assert.equal(await jobsOf(), null);
});

test("jobs are listed by what is asked for, shown, and counted in status", async (t) => {
  const { home, on } = await setUp(t);
  const none = await on("jobs", "list");
  assert.deepEqual([none.code, none.stdout], [0, ""]);
  const ids = await putJobs(home, [
    {},
    { clientName: "ann", state: "running", holder: "gw-1" },
    { state: "done", status: 200, endedAt: Date.now(), resultBytes: 2_000_000, storedBytes: 2_000_000, counted: true },
  ]);
  const shown = await on("jobs", "list");
  assert.match(shown.stdout, /done +john +whisper +200 .*1\.5 kB +2\.0 MB/);
  assert.deepEqual((await on("jobs", "list", "-q")).stdout.trim().split("\n"), ids.toReversed());
  assert.equal((await on("jobs", "list", "--client", "john", "--state", "queued", "-q")).stdout.trim(), ids[0]);
  assert.match((await on("jobs", "list", "-n", "1")).stderr, /There may be more: --limit 10/);
  const { jobs } = json<{ jobs: { id: string; client: string; gateway: string | null }[] }>(
    await on("jobs", "list", "--state", "running", "--json"),
  );
  assert.deepEqual(
    jobs.map(({ client, gateway }) => [client, gateway]),
    [["ann", "gw-1"]],
  );
  assert.equal((await on("jobs", "list", "--client", "jon")).code, 3);
  assert.equal((await on("jobs", "list", "--service", "wisper")).code, 3);
  assert.match((await on("jobs", "list", "--state", "waiting")).stderr, /state 'waiting' is not valid/);
  const one = await on("jobs", "show", ids[2] ?? "");
  assert.match(one.stdout, /State +done\n/);
  assert.match(one.stdout, /Answer +2\.0 MB, status 200\n/);
  assert.equal((await on("jobs", "show", "j_1")).code, 3);
  assert.equal((await on("jobs", "show", newJobId())).code, 3);
  assert.match((await on("status")).stdout, /Jobs +1 waiting, 1 running, 1 ended; 2\.0 MB on the disk/);
  assert.deepEqual(json<{ jobs: unknown }>(await on("status", "--json")).jobs, {
    waiting: 1,
    running: 1,
    ended: 1,
    storedBytes: 2_003_000,
  });
  assert.match(ids[0] ?? "", ID);
});

test("jobs are cancelled: those named or all of a client's, when that was confirmed, and no ended one", async (t) => {
  const { home, on } = await setUp(t);
  const ids = await putJobs(home, [
    {},
    {},
    { state: "running", holder: "gw-1" },
    { clientName: "ann" },
    { state: "done", status: 200, endedAt: 1, counted: true },
  ]);
  const [first = "", , , anns = "", done = ""] = ids;
  const state = async (id: string): Promise<string> => (await on("jobs", "show", id, "-q")).stdout.trim();
  const unasked = await on("jobs", "cancel", first);
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /^error: Not done: /);
  assert.equal(await state(first), "queued");
  assert.equal((await on("jobs", "cancel", "--yes")).code, 2);
  assert.equal((await on("jobs", "cancel", first, "--client", "john", "--yes")).code, 2);
  assert.equal((await on("jobs", "cancel", first, newJobId(), "--yes")).code, 3);
  assert.equal(await state(first), "queued");
  const one = await on("jobs", "cancel", first, done, "--yes");
  assert.match(one.stdout, /^1 job cancelled\. 1 job had ended already; nothing to do\.$/m);
  assert.deepEqual([await state(first), await state(done)], ["cancelled", "done"]);
  const { job } = json<{ job: { cancelledBy: string | null } }>(await on("jobs", "show", first, "--json"));
  assert.match(job.cancelledBy ?? "", /^[^@]+@[^@]+$/);
  assert.ok((await on("jobs", "show", first)).stdout.includes(`cancelled, by ${job.cancelledBy}\n`));
  const rest = json<{ cancelled: { id: string }[] }>(await on("jobs", "cancel", "--client", "john", "--yes", "--json"));
  assert.deepEqual(rest.cancelled.map(({ id }) => id).toSorted(), [ids[1], ids[2]].toSorted());
  assert.equal(await state(anns), "queued");
});

test("doctor counts jobs, and names those that nobody runs", async (t) => {
  const { home, on } = await setUp(t);
  const found = async () => {
    const { stdout } = await on("doctor", "--json");
    const { findings } = JSON.parse(stdout) as { findings: { code: string; message: string }[] };
    return findings.filter(({ code }) => code.startsWith("jobs_"));
  };
  assert.deepEqual(await found(), []);
  await putJobs(home, [{}]);
  assert.match((await found())[0]?.message ?? "", /1 job, 1 waiting, 0 running; 1\.5 kB/);
  await putJobs(home, [{ at: Date.now() - 3_600_000 }]);
  const [stuck] = await found();
  assert.equal(stuck?.code, "jobs_stuck");
  assert.match(stuck?.message ?? "", /Jobs of whisper wait/);
  await on("service", "disable", "whisper");
  assert.deepEqual(
    (await found()).map(({ code }) => code),
    ["jobs_kept"],
  );
});
