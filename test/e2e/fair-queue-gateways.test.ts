import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { aigw, aigwJson, type RunningGateway, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { type HeldService, startHeldService } from "../support/held-service.ts";
import { bearer, send, tokenFor } from "../support/http.ts";
import { until } from "../support/until.ts";

interface Story {
  readonly home: string;
  readonly service: HeldService;
  readonly gateways: readonly RunningGateway[];
  /** So many calls at once, over all gateways in turn. @returns their statuses; 0 for one that was broken off */
  readonly calls: (client: string, count: number, of?: readonly RunningGateway[]) => Promise<readonly number[]>;
}

/** Two gateways, the second one with two workers, before a service that takes only so many calls at once. */
const prepared = async (
  t: TestContext,
  { concurrency, holdMs }: { readonly concurrency: number; readonly holdMs?: number },
): Promise<Story> => {
  const home = temporaryHome(t);
  const service = await startHeldService(t, holdMs);
  const queue = ["--concurrency", String(concurrency), "--queue", "2000"];
  await aigw(home, ["service", "add", "ocr", service.url, "--no-check", ...queue]);
  await aigw(home, ["plan", "add", "gold", "--weight", "3"]);
  const passwords: Record<string, string> = {};
  for (const [name, ...facts] of [["john"], ["mary", "--plan", "gold"]] as const) {
    const added = await aigwJson<{ password: string }>(home, ["client", "add", name, "--limit", "100000", ...facts]);
    passwords[name] = added.password;
  }
  const gateways = await Promise.all([[], ["--workers", "2"]].map((args) => startGatewayProcess(t, home, args)));
  const tokens: Record<string, string> = {};
  for (const name of ["john", "mary"]) {
    tokens[name] = await tokenFor(gateways[0]?.url ?? "", name, passwords[name] ?? "");
  }
  return {
    home,
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
    const { service, calls } = await prepared(t, { concurrency: 2, holdMs: 20 });
    const all = await Promise.all([calls("john", 120), calls("mary", 120)]);
    assert.deepEqual(new Set(all.flat()), new Set([200]));
    assert.equal(service.calls.length, 240);
    assert.equal(service.most(), 2);
    // While both wait, every fourth is john's; all of them came within the first few.
    const shared = service.calls.slice(20, 140).filter(({ client }) => client === "mary").length;
    assert.ok(Math.abs(shared - 90) <= 6, `${shared} of 120`);
  });

  it("let a client wait for at most two calls of one that has many waiting", async (t) => {
    const { service, gateways, calls } = await prepared(t, { concurrency: 1, holdMs: 40 });
    const greedy = calls("john", 150);
    await service.came(10);
    for (let n = 0; n < 6; n += 1) {
      const before = service.calls.length;
      const gateway = gateways[n % 2] as RunningGateway;
      assert.deepEqual(await calls("mary", 1, [gateway]), [200]);
      const place = service.calls.slice(before).findIndex(({ client }) => client === "mary");
      assert.ok(place >= 0 && place <= 2, `${place} calls before it`);
    }
    assert.equal(service.most(), 1);
    assert.equal((await greedy).filter((status) => status === 200).length, 150);
  });

  it("take over the slots of a killed one within 5 s", async (t) => {
    const { home, service, gateways, calls } = await prepared(t, { concurrency: 2 });
    const [one, other] = gateways as [RunningGateway, RunningGateway];
    const lost = calls("john", 2, [one]);
    await service.came(2);
    const waiting = calls("mary", 2, [other]);
    await until("both to wait", async () => {
      const { queues } = await aigwJson<{ queues: { waiting: number }[] }>(home, ["status"]);
      return queues[0]?.waiting === 2;
    });
    const killedAt = performance.now();
    one.child.kill("SIGKILL");
    await one.done;
    assert.deepEqual(await lost, [0, 0]);
    await until("its slots to be back", () => service.calls.length === 4, 6_000);
    const took = performance.now() - killedAt;
    assert.ok(took <= 5_000, `${took} ms`);
    assert.equal(service.most(), 2);
    for (const call of service.calls) call.answer();
    assert.deepEqual(await waiting, [200, 200]);
  });
});
