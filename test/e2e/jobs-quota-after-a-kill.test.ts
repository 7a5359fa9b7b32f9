import assert from "node:assert/strict";
import { it } from "node:test";
import { addService, setClient } from "@aigw/core";
import { startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { jobClient, startHeldService } from "../support/jobs.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";

it("a job whose gateway is killed in the middle of it counts as one request of its client's quota, and as one event", async (t) => {
  const service = await startHeldService(t);
  const { home, passwords } = await prepareHome(t, {
    services: { plain: (await startEcho(t)).url },
    clients: { john: UNLIMITED },
  });
  await withHome(home, async ({ deps }) => {
    await addService(deps, { name: "whisper", url: service.url, jobs: { on: true, retry: true } });
    await setClient(deps, "john", { quota: "requests=2/month" });
  });
  const first = await startGatewayProcess(t, home);
  const token = await tokenFor(first.url, "john", passwords["john"] ?? "");
  const id = await jobClient(first.url, token).submit("/api/whisper/x");
  await until("the service to be called", () => service.open.length === 1);
  first.child.kill("SIGKILL");
  await within("the gateway to end", first.done);

  const { url } = await startGatewayProcess(t, home);
  const john = jobClient(url, token);
  const [again] = await until(
    "it to be run again",
    () => service.seen.length === 2 && service.open.length === 1 && service.open,
    15_000,
  );
  again?.response.end("after all");
  await john.becomes(id, "done");
  const call = async (): Promise<number> => (await send(`${url}/api/plain/x`, { headers: bearer(token) })).status;
  // One is left of two, and no more.
  assert.deepEqual([await call(), await call()], [200, 429]);
  const outcomes = await until("the usage", () =>
    withHome(home, async ({ store }) => {
      const events = await allUsage(store);
      return events.length >= 3 && events.map((event) => `${event.service} ${event.outcome}`).toSorted();
    }),
  );
  assert.deepEqual(outcomes, ["plain limited", "plain ok", "whisper ok"]);
});
