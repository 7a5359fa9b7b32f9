import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Client, revokeClient } from "@aigw/core";
import { HostileStore } from "@aigw/core/testing";
import { hash } from "@node-rs/argon2";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { login } from "../support/http.ts";
import { until } from "../support/until.ts";

/** What of this process's time a refused login takes, whoever else has the machine, milliseconds. */
const costOf = async ({ url }: TestGateway, name: string, password: string): Promise<number> => {
  const before = process.cpuUsage();
  assert.equal((await login(url, name, password)).status, 401);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

describe("a login that is refused", () => {
  it("costs a hash, whether the name is unknown, revoked or has another password", async (t) => {
    const gateway = await startTestGateway(t);
    await gateway.add("john");
    const { name, password } = await gateway.add("revoked");
    await gateway.applied((await revokeClient(gateway.deps, name)).rev);
    const least = { wrong: Infinity, unknown: Infinity, revoked: Infinity };
    // In turn, and the least of each: what is compiled on the way, or waits for memory, costs besides.
    for (let round = 0; round < 8; round += 1) {
      least.wrong = Math.min(least.wrong, await costOf(gateway, "john", "Wrong-password-1"));
      least.unknown = Math.min(least.unknown, await costOf(gateway, "nobody", "Wrong-password-1"));
      least.revoked = Math.min(least.revoked, await costOf(gateway, name, password));
    }
    t.diagnostic(JSON.stringify(least));
    // A hash is nearly all of it; without one a tenth is left.
    assert.ok(least.unknown > least.wrong / 3, JSON.stringify(least));
    assert.ok(least.revoked > least.wrong / 3, JSON.stringify(least));
  });

  it("is refused also when the client is revoked while its password is being hashed", async (t) => {
    let counted: HostileStore | undefined;
    const gateway = await startTestGateway(t, { through: (store) => (counted = new HostileStore(store)) });
    const { store, deps, url } = gateway;
    const { password } = await gateway.add("john");
    const client = (await store.control.client("john")) as Client;
    // One that takes long enough for the change to come in between.
    const passwordHash = await hash(password, { algorithm: 2, memoryCost: 65_536, timeCost: 12, parallelism: 1 });
    const draft = { action: "client.set", subject: "john", after: { ...client, passwordHash } } as const;
    const act = { at: deps.clock.now(), actor: "test" };
    await gateway.applied((await store.control.append(await store.control.head(), [draft], act)).rev);
    let ended = false;
    const pending = login(url, "john", password).finally(() => {
      ended = true;
    });
    await until("the attempt to be counted", () => (counted?.calls("traffic.setPermitWindow") ?? 0) > 0);
    await gateway.applied((await revokeClient(deps, "john")).rev);
    assert.equal(ended, false, "the change came in between");
    assert.equal((await pending).status, 401);
  });
});
