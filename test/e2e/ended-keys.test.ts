import assert from "node:assert/strict";
import { test } from "node:test";
import { openSigningKey, rotateSecretWithGrace } from "@aigw/core";
import { FixedClock } from "@aigw/core/testing";
import { aigwJson } from "../support/aigw.ts";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, send, startEcho } from "../support/http.ts";
import { until } from "../support/until.ts";

test("a running gateway drops the secret of a key whose grace is over, and says so once", async (t) => {
  const clock = new FixedClock(Date.now());
  const echo = await startEcho(t);
  const gateway = await startTestGateway(t, { clock, services: { echo: echo.url } });
  const { store, deps, sealer } = gateway;
  const token = await gateway.tokenFor("john");
  const call = async (): Promise<number> => (await send(`${gateway.url}/api/echo`, { headers: bearer(token) })).status;
  const [first] = await store.control.keyring();
  const { rev } = await rotateSecretWithGrace(deps, 600_000);
  await gateway.applied(rev);
  assert.equal(await call(), 200);

  clock.advance(605_000);
  const keys = async () => store.control.keyring();
  await until("the key to be retired", async () => (await keys())[0]?.status === "retired");
  const [ended, active] = await keys();
  assert.deepEqual([ended?.kid, ended?.sealedSecret], [first?.kid, undefined]);
  assert.equal(openSigningKey(sealer, active ?? assert.fail())?.length, 32);
  assert.equal(await call(), 401);
  // Past the pause after an attempt, too.
  clock.advance(20_000);
  await gateway.applied(rev + 1);
  const changes = await store.control.changesAfter(rev, 10);
  assert.deepEqual(
    changes.map(({ actor, effects }) => [actor, effects.map(({ action, subject }) => `${action} ${subject}`)]),
    [[`gateway ${gateway.gateway.instanceId}`, [`secret.retire ${first?.kid}`]]],
  );
  const audit = await aigwJson<{ changes: { action: string; summary: string }[] }>(gateway.home, ["audit", "list"]);
  assert.deepEqual(
    audit.changes.slice(0, 3).map(({ action, summary }) => [action, summary.split(";")[0]]),
    [
      ["secret.retire", "its grace is over"],
      ["secret.activate", "signs"],
      ["secret.publish", "verifies, does not sign yet"],
    ],
  );
});
