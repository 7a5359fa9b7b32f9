import assert from "node:assert/strict";
import { it } from "node:test";
import { setSetting } from "@aigw/core";
import { called, codeOf, filesOf, startJobScene } from "../support/job-scene.ts";
import { jobClient } from "../support/jobs.ts";
import { UNLIMITED } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

it("all that jobs keep, whosever they are, is bounded by jobs-size: who comes when it is full is refused, until there is room", async (t) => {
  const { gateway, service, john } = await startJobScene(t);
  const ann = jobClient(gateway.url, await gateway.tokenFor("ann", UNLIMITED));
  const set = async (value: string) => gateway.applied((await setSetting(gateway.deps, "jobs-size", value)).rev);
  await set("1m");
  const body = Buffer.alloc(600_000, 1);
  const first = await john.submit("/api/whisper/1", { body });
  const { response } = await called(service);
  // Neither is near its own bound.
  const full = await ann.ask("/api/whisper/2", { body });
  assert.deepEqual([full.status, codeOf(full), full.headers["retry-after"]], [507, "insufficient_storage", "60"]);
  assert.match(full.body, /no room for another job/);
  // Of one that does not say how large it is, it is found out when it has come.
  const chunked = await ann.ask("/api/whisper/2", { body, headers: { "Transfer-Encoding": "chunked" } });
  assert.deepEqual([chunked.status, codeOf(chunked)], [507, "insufficient_storage"]);
  assert.deepEqual([filesOf(gateway).length, service.seen.length], [1, 1]);
  // What is counted is up to a second old, with those that were refused.
  const taken = (path: string, content: string | Buffer) =>
    until("room", async () => (await ann.ask(path, { body: content })).status === 202);
  await taken("/api/whisper/3", "x");
  // An answer that finds no room fails its job.
  response.end(Buffer.alloc(600_000, 1));
  await john.becomes(first, "failed");
  await taken("/api/whisper/2", body);
  await set("2g");
  await taken("/api/whisper/4", body);
});
