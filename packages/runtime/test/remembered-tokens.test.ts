import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  addClient,
  type Client,
  initHome,
  openHome,
  removeClient,
  revokeClient,
  rotateSecret,
  rotateSecretWithGrace,
  systemClock,
} from "@aigw/core";
import { issueToken, realmOf } from "@aigw/core/tokens";
import { ControlFollower } from "../src/follow/control-follower.ts";
import { Authenticator } from "../src/gate/authenticator.ts";

const MINUTE = 60_000;

test("a token that can never work again is forgotten, also when nobody brings it again", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-remembered-"));
  const home = join(folder, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  const realm = realmOf(store.control.storeId);
  let later = 0;
  const tokenNow = (): number => store.traffic.steadyNow() + later;
  const follower = new ControlFollower({
    control: store.control,
    sealer,
    clock: systemClock,
    maxStaleMs: MINUTE,
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
  const authenticator = new Authenticator({ follower, realm, tokenNow, wallNow: () => Date.now() });
  const add = async (name: string): Promise<Client> => (await addClient(deps, { name, limit: 7 })).result.client;
  /** Brings a new token of each. @returns how many are remembered then */
  const bring = async (...clients: readonly Client[]): Promise<number> => {
    assert.ok(await follower.refresh());
    const key = follower.signingKey();
    assert.ok(key);
    for (const client of clients) {
      const { token } = await issueToken(client, key, realm, tokenNow());
      assert.equal((await authenticator.authenticate(`Bearer ${token}`)).kind, "ok");
    }
    return authenticator.remembered;
  };
  const left = async (): Promise<number> => {
    assert.ok(await follower.refresh());
    authenticator.forgetDead();
    return authenticator.remembered;
  };

  const [ann, bob, john] = [await add("ann"), await add("bob"), await add("john")];
  assert.equal(await bring(ann, bob, john), 3);
  assert.equal(await left(), 3);
  await revokeClient(deps, "bob");
  assert.equal(await left(), 2, "the one of a revoked client");
  await removeClient(deps, "john");
  assert.equal(await left(), 1, "the one of a removed client");
  await rotateSecret(deps);
  assert.equal(await left(), 0, "those of a key that was retired");

  // What time ends, no change tells of.
  assert.equal(await bring(ann), 1);
  await rotateSecretWithGrace(deps, 10 * MINUTE);
  assert.equal(await bring(ann), 2);
  later = 9 * MINUTE;
  assert.equal(await left(), 2);
  later = 11 * MINUTE;
  assert.equal(await left(), 1, "the one of a key whose grace is over");
  later = 59 * MINUTE;
  assert.equal(await left(), 1);
  later = 61 * MINUTE;
  assert.equal(await left(), 0, "the one that has expired");
});
