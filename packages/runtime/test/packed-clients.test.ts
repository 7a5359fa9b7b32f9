import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { addClient, type Client, initHome, openHome, revokeClient, setPassword, systemClock } from "@aigw/core";
import type { ControlState } from "@aigw/core/changes";
import { HostileStore } from "@aigw/core/testing";
import { until } from "../../../test/support/until.ts";
import { ControlFollower } from "../src/follow/control-follower.ts";

test("a follower packs its clients between looks, and each change of one is in force", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-packed-"));
  const home = join(folder, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  const clients: Client[] = [];
  for (const name of ["ann", "bob", "john"]) clients.push((await addClient(deps, { name, limit: 7 })).result.client);
  const hostile = new HostileStore(store);
  let state: ControlState | undefined;
  hostile.treat("control.snapshot", {
    kind: "instead",
    answer: async (all) => {
      state = (await all()) as ControlState;
      return state;
    },
  });
  const follower = new ControlFollower({
    control: hostile.control,
    sealer,
    clock: systemClock,
    maxStaleMs: 60_000,
    onApplied: () => undefined,
    onFault: (error) => assert.fail(String(error)),
    onRecovered: () => undefined,
  });
  t.after(async () => {
    follower.stop();
    await store.close();
    rmSync(folder, { recursive: true });
  });
  await follower.start();
  const table = (state as unknown as ControlState).clients;
  const [ann, bob, john] = clients as [Client, Client, Client];
  /** An object that nobody has in use is made anew each time it is listed, once it is packed. */
  const isPacked = (): boolean => {
    const seen = new Set(table.values());
    return [...table.values()].every((client) => !seen.has(client));
  };
  await until("everybody to be packed", isPacked);
  assert.deepEqual([follower.clientById(ann.id), follower.clientByName("bob")], [ann, bob]);
  assert.equal(follower.epochOf(john.id), 1);

  await setPassword(deps, "ann");
  await revokeClient(deps, "john");
  assert.ok(await follower.refresh());
  assert.deepEqual([follower.epochOf(ann.id), follower.clientById(ann.id)?.epoch], [2, 2]);
  assert.deepEqual(
    [follower.clientById(john.id)?.status, follower.clientByName("john")?.status],
    ["revoked", "revoked"],
  );
  assert.equal(follower.clientCount, 3);
  assert.deepEqual(follower.clientById(bob.id), bob);
});
