import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { addPlan, openHome, setClient, setService, systemClock } from "@aigw/core";
import { readQueues } from "@aigw/core/queue";
import { type RunningGateway, startGatewayProcess } from "../support/aigw.ts";
import { storeUrlOf } from "../support/engine.ts";
import { type HeldService, startHeldService } from "../support/held-service.ts";
import { bearer, send, tokenFor } from "../support/http.ts";
import { prepareHome, withHome } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

interface Story {
  readonly service: HeldService;
  readonly gateways: readonly RunningGateway[];
  /** So many calls at once, over all gateways in turn. @returns their statuses; 0 for one that was broken off */
  readonly calls: (client: string, count: number, of?: readonly RunningGateway[]) => Promise<readonly number[]>;
  /** Calls that wait, as the store has it. */
  readonly waiting: () => Promise<number>;
}

/** Two gateways, the second one with two workers, before a service that takes only so many calls at once. */
const prepared = async (t: TestContext, { concurrency }: { readonly concurrency: number }): Promise<Story> => {
  const service = await startHeldService(t);
  const limit = 100_000;
  const { home, passwords } = await prepareHome(t, {
    services: { ocr: service.url },
    clients: { john: { limit }, mary: { limit } },
  });
  await withHome(home, async ({ deps }) => {
    await setService(deps, "ocr", { queue: { concurrency, most: 2_000 } });
    await addPlan(deps, { name: "gold", weight: 3 });
    await setClient(deps, "mary", { plan: "gold" });
  });
  const gateways = await Promise.all([[], ["--workers", "2"]].map((args) => startGatewayProcess(t, home, args)));
  const tokens: Record<string, string> = {};
  for (const name of ["john", "mary"]) {
    tokens[name] = await tokenFor(gateways[0]?.url ?? "", name, passwords[name] ?? "");
  }
  const { store } = await openHome({ home, storeUrl: storeUrlOf(home), clock: systemClock });
  t.after(() => store.close());
  return {
    waiting: async () => (await readQueues(store, await store.control.services()))[0]?.waiting ?? 0,
    service,
    gateways,
    calls: (client, count, of = gateways) =>
      Promise.all(
        Array.from({ length: count }, (_, n) =>
          send(`${of[n % of.length]?.url}/api/ocr`, { headers: bearer(tokens[client] ?? ""), timeoutMs: 30_000 }).then(
            ({ status }) => status,
            () => 0,
          ),
        ),
      ),
  };
};

describe("two gateways and their workers before one service", () => {
  it("send it no more at once than it takes, and clients their shares", async (t) => {
    const { service, calls, waiting } = await prepared(t, { concurrency: 2 });
    const all = Promise.all([calls("john", 60), calls("mary", 60)]);
    await until("all but two to wait", async () => (await waiting()) === 118);
    for (let n = 0; n < 120; n += 1) {
      await service.came(n + 1);
      service.calls[n]?.answer();
    }
    assert.deepEqual(new Set((await all).flat()), new Set([200]));
    assert.equal(service.calls.length, 120);
    assert.equal(service.most(), 2);
    // While both wait, every fourth is john's.
    const ofMary = service.calls.slice(2, 74).filter(({ client }) => client === "mary").length;
    assert.ok(Math.abs(ofMary - 54) <= 2, `${ofMary} of 72`);
  });

  it("let a client wait for at most two calls of one that has many waiting", async (t) => {
    const { service, gateways, calls, waiting } = await prepared(t, { concurrency: 1 });
    const greedy = calls("john", 40);
    await service.came(1);
    let answered = 0;
    const answerNext = async (): Promise<string> => {
      service.calls[answered]?.answer();
      answered += 1;
      await service.came(answered + 1);
      return service.calls[answered]?.client ?? "";
    };
    await until("john's to wait", async () => (await waiting()) === 39);
    for (let n = 0; n < 6; n += 1) {
      const before = await waiting();
      const answer = calls("mary", 1, [gateways[n % 2] as RunningGateway]);
      await until("mary's to wait", async () => (await waiting()) === before + 1);
      const turns = [await answerNext(), await answerNext()];
      assert.ok(turns.includes("mary"), turns.join());
      if (turns[1] === "mary") await answerNext();
      assert.deepEqual(await answer, [200]);
    }
    assert.equal(service.most(), 1);
    while (answered < 39 + 6) await answerNext();
    service.calls[answered]?.answer();
    assert.deepEqual(new Set(await greedy), new Set([200]));
  });

  it("take over the slots of a killed one within 5 s", async (t) => {
    const { service, gateways, calls, waiting } = await prepared(t, { concurrency: 2 });
    const [one, other] = gateways as [RunningGateway, RunningGateway];
    const lost = calls("john", 2, [one]);
    await service.came(2);
    const next = calls("mary", 2, [other]);
    await until("both to wait", async () => (await waiting()) === 2);
    const killedAt = performance.now();
    one.child.kill("SIGKILL");
    await one.done;
    assert.deepEqual(await lost, [0, 0]);
    await until("its slots to be back", () => service.calls.length === 4, 6_000);
    const took = performance.now() - killedAt;
    assert.ok(took <= 5_000, `${took} ms`);
    assert.equal(service.most(), 2);
    for (const call of service.calls) call.answer();
    assert.deepEqual(await next, [200, 200]);
  });
});
