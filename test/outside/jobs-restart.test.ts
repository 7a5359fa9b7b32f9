import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { type AddServiceInput, addService, setClient } from "@aigw/core";
import { quotaTerms } from "@aigw/core/quotas";
import { type RunningGateway, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, tokenFor } from "../support/http.ts";
import { type HeldService, type JobClient, jobClient, startHeldService } from "../support/jobs.ts";
import { allUsage, prepareHome, withHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";

interface Scene {
  readonly home: string;
  readonly service: HeldService;
  start(...args: string[]): Promise<{ gateway: RunningGateway; john: JobClient; token: string }>;
}

const scene = async (t: TestContext, jobs: NonNullable<AddServiceInput["jobs"]>): Promise<Scene> => {
  const service = await startHeldService(t);
  const { home, passwords } = await prepareHome(t, { clients: { john: { limit: 10_000 } } });
  await withHome(home, async ({ deps }) => {
    await addService(deps, { name: "whisper", url: service.url, jobs: { on: true, ...jobs }, timeoutMs: 600_000 });
    await setClient(deps, "john", { quota: "requests=100/day" });
  });
  return {
    home,
    service,
    start: async (...args) => {
      const gateway = await startGatewayProcess(t, home, args);
      const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
      return { gateway, token, john: jobClient(gateway.url, token) };
    },
  };
};

const called = (service: HeldService, path: string) =>
  until("the service to be called", () => service.open.find(({ request }) => request.url === path), 15_000);

const end = async ({ child, done }: RunningGateway, signal: NodeJS.Signals): Promise<void> => {
  child.kill(signal);
  await within("the gateway to end", done, 20_000);
};

/** Usage events, and what of the quota is used. */
const counted = ({ home }: Scene) =>
  withHome(home, async ({ store }) => {
    const events = await allUsage(store);
    const client = await store.control.client("john");
    const terms = client && quotaTerms(client, client.quota, "UTC");
    const record = client && (await store.traffic.quotaRecord(client.id));
    const used = Object.values(record?.record.used ?? {}).reduce((sum, [amount]) => sum + amount, 0);
    const held = Object.values(record?.record.holders ?? {}).flatMap(({ held: each }) => Object.values(each));
    assert.ok(terms);
    return {
      outcomes: events.map(({ outcome }) => outcome),
      used: used + held.reduce((sum, [amount]) => sum + amount, 0),
    };
  });

describe("a gateway that ends in the middle of a job", () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`by ${signal}: it is run again where the service allows, counted once, with the same request`, async (t) => {
      const it = await scene(t, { retry: true });
      const first = await it.start("--drain", "100ms");
      const body = "x".repeat(100_000);
      const id = await first.john.submit("/api/whisper/a?b=c", { body });
      const waiting = await first.john.submit("/api/whisper/waiting");
      await called(it.service, "/a?b=c");
      await called(it.service, "/waiting");
      await end(first.gateway, signal);
      await until("the service to be let go", () => it.service.open.length === 0);
      const second = await it.start();
      const { response, body: again } = await called(it.service, "/a?b=c");
      assert.equal(again.toString(), body);
      response.end("late");
      (await called(it.service, "/waiting")).response.end("too");
      await second.john.becomes(id, "done", 15_000);
      await second.john.becomes(waiting, "done", 15_000);
      assert.equal((await second.john.get(`/jobs/${id}/result`)).body, "late");
      await end(second.gateway, "SIGTERM");
      const { outcomes, used } = await counted(it);
      assert.deepEqual(outcomes, ["ok", "ok"]);
      if (signal === "SIGTERM") assert.equal(used, 2);
    });

    it(`by ${signal}: else it ends as interrupted, counted once, and what waits is run`, async (t) => {
      const it = await scene(t, {});
      const first = await it.start("--drain", "100ms");
      const ids = [];
      for (const path of ["1", "2", "3"]) ids.push(await first.john.submit(`/api/whisper/${path}`));
      const [one = "", two = "", three = ""] = ids;
      await called(it.service, "/2");
      await end(first.gateway, signal);
      const second = await it.start();
      await second.john.becomes(one, "interrupted", 15_000);
      await second.john.becomes(two, "interrupted", 15_000);
      (await called(it.service, "/3")).response.end("ok");
      await second.john.becomes(three, "done", 15_000);
      assert.equal((await second.john.get(`/jobs/${one}/result`)).status, 409);
      assert.equal(it.service.seen.length, 3);
      await end(second.gateway, "SIGTERM");
      assert.deepEqual((await counted(it)).outcomes.toSorted(), ["incomplete", "incomplete", "ok"]);
    });
  }

  it("of two workers: the other one takes it up", async (t) => {
    const it = await scene(t, { retry: true });
    const { gateway, john } = await it.start("--workers", "2");
    const ids = [];
    for (let index = 0; index < 6; index += 1) ids.push(await john.submit(`/api/whisper/${index}`));
    await until("two to run", () => it.service.open.length === 2);
    const holders = await withHome(it.home, async ({ store }) =>
      (await store.traffic.jobs({ state: "running" }, { limit: 9 })).map(({ job }) => job.holder),
    );
    const instances = await withHome(it.home, ({ store }) => store.traffic.instances(10_000));
    const victim = instances.find(({ id }) => id === holders[0])?.pid ?? 0;
    assert.ok(victim !== 0 && victim !== gateway.pid);
    process.kill(victim, "SIGKILL");
    const done = new Set<string>();
    await until(
      "all to be done",
      async () => {
        for (const { request, response } of [...it.service.open]) {
          done.add(request.url ?? "");
          response.end("ok");
        }
        const left = await withHome(it.home, ({ store }) => store.traffic.jobGroups({ state: "done" }));
        return left[0]?.count === 6;
      },
      30_000,
    );
    assert.equal(done.size, 6);
    assert.ok(it.service.most() <= 2, `${it.service.most()}`);
    await end(gateway, "SIGTERM");
    assert.deepEqual((await counted(it)).outcomes, Array(6).fill("ok"));
  });
});

describe("a proxy that cuts what takes long", () => {
  it("takes the answer of a call, and leaves a job's", async (t) => {
    const it = await scene(t, {});
    const { gateway, token } = await it.start();
    const { hostname, port } = new URL(gateway.url);
    const cutting = createServer((client: Socket) => {
      const upstream = connect(Number(port), hostname);
      for (const socket of [client, upstream]) socket.on("error", () => undefined);
      client.pipe(upstream).pipe(client);
      setTimeout(() => {
        client.destroy();
        upstream.destroy();
      }, 700).unref();
    });
    await new Promise<void>((ready) => cutting.listen(0, "127.0.0.1", ready));
    t.after(() => cutting.close());
    const behind = `http://127.0.0.1:${(cutting.address() as AddressInfo).port}`;
    const john = jobClient(behind, token);
    const cut = send(`${behind}/api/whisper/call`, { headers: bearer(token) });
    await assert.rejects(cut);
    const id = await john.submit("/api/whisper/job", { body: "x" });
    const { response } = await called(it.service, "/job");
    setTimeout(() => response.end("after all"), 1_500);
    await john.becomes(id, "done");
    assert.equal((await john.get(`/jobs/${id}/result`)).body, "after all");
  });
});
