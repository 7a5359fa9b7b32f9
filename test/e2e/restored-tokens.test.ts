import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { revokeClient, rotateSecret, setPassword } from "@aigw/core";
import { aigw, aigwJson, temporaryHome } from "../support/aigw.ts";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, login, send, startEcho, tokenFor } from "../support/http.ts";
import { allChanges, assertSound, withHome } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

interface Restored {
  readonly home: string;
  readonly revision: number;
  readonly signingKey: string;
  readonly backup: { readonly revision: number };
}

test("what has ended stays ended after a backup is restored", async (t) => {
  const echo = await startEcho(t);
  const before = await startTestGateway(t, { services: { ocr: echo.url } });
  const { home, deps, url } = before;
  const johns = await before.add("john");
  const marys = await before.add("mary");
  const kept = await tokenFor(url, "mary", marys.password);
  const ofFirstEpoch = await tokenFor(url, "john", johns.password);
  const file = join(dirname(home), "backup.tar");
  await aigw(home, ["backup", file]);

  // Ended after the backup, in each of the ways there are.
  const second = (await setPassword(deps, "john")).result;
  const third = (await setPassword(deps, "john")).result;
  const ofThirdEpoch = await tokenFor(url, "john", third.password);
  await rotateSecret(deps);
  const ofLaterKey = await tokenFor(url, "mary", marys.password);
  await revokeClient(deps, "john");
  const call = (at: string, token: string) => send(`${at}/api/ocr`, { headers: bearer(token) });
  assert.equal((await call(url, ofLaterKey)).status, 200);

  const restored = temporaryHome(t);
  const answer = await aigwJson<Restored>(restored, [
    "restore-backup",
    file,
    "--master-key-file",
    join(home, "master.key"),
  ]);
  assert.equal(answer.revision, answer.backup.revision + 1);
  await withHome(restored, async ({ store, sealer }) => {
    await assertSound({ store, sealer });
    const last = (await allChanges(store)).at(-1);
    assert.deepEqual(
      [last?.action, last?.subject, last?.rev],
      ["secret.restore", answer.signingKey, answer.revision],
      "the last change says so",
    );
    const keyring = await store.control.keyring();
    assert.deepEqual(
      keyring.map(({ kid, status }) => [kid === answer.signingKey, status]),
      [
        [false, "retired"],
        [true, "active"],
      ],
    );
  });
  const audit = await aigw(restored, ["audit", "list", "-n", "1"]);
  assert.match(audit.stdout, /secret\.restore +k_\w+ +a backup was restored; earlier tokens are dead +\S+@\S+$/m);

  const after = await startTestGateway(t, { home: restored });
  const refused = async (): Promise<void> => {
    for (const [what, token] of Object.entries({ kept, ofFirstEpoch, ofThirdEpoch, ofLaterKey })) {
      assert.equal((await call(after.url, token)).status, 401, what);
    }
  };
  await refused();
  // The epochs that they were issued in come again.
  await setPassword(after.deps, "john");
  await refused();
  const { result } = await setPassword(after.deps, "john");
  const fresh = await tokenFor(after.url, "john", result.password);
  assert.equal((await call(after.url, fresh)).status, 200);
  await refused();
  assert.equal((await login(after.url, "john", second.password)).status, 401);
  // Whoever was not ended gets in as ever.
  const again = await tokenFor(after.url, "mary", marys.password);
  assert.equal((await call(after.url, again)).status, 200);
});

test("a gateway that runs on over a restoration serves no ended token for longer than it may be stale", async (t) => {
  const echo = await startEcho(t);
  const running = await startTestGateway(t, { services: { ocr: echo.url }, maxStaleMs: 500 });
  const { home, url, deps } = running;
  const token = await running.tokenFor("john");
  const call = () => send(`${url}/api/ocr`, { headers: bearer(token) });
  const file = join(dirname(home), "backup.tar");
  await aigw(home, ["backup", file]);
  await revokeClient(deps, "john");
  await until("the revocation", async () => (await call()).status === 401);
  // In one step: a gateway that finds its usage gone begins a new one, also in a home that is being filled.
  const restored = await aigw(`${home}.new`, ["restore-backup", file, "--master-key-file", join(home, "master.key")]);
  assert.equal(restored.code, 0, restored.stderr);
  renameSync(home, `${home}.old`);
  renameSync(`${home}.new`, home);
  const seen = new Set<number>();
  await until("it to be stale", async () => {
    const { status } = await call();
    seen.add(status);
    return status === 503;
  });
  assert.deepEqual(
    [...seen].filter((status) => status !== 401 && status !== 503),
    [],
  );
  // Started anew on what was restored, it knows the new key alone.
  const after = await startTestGateway(t, { home });
  assert.equal((await send(`${after.url}/api/ocr`, { headers: bearer(token) })).status, 401);
});

test("the command says what comes back, and what every client has to do", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  const file = join(dirname(home), "backup.tar");
  await aigw(home, ["backup", file]);
  const target = temporaryHome(t);
  const restore = ["restore-backup", file, "--master-key-file", join(home, "master.key")];
  const { code, stdout, stderr } = await aigw(target, restore);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /holds revision 2 of \S+: 1 client, 0 services, 0 usage events\.\n$/);
  assert.match(stderr, /Every token issued so far has ended: each client has to get a new one/);
  assert.match(stderr, /revoked or removed since .* is back, .* aigw audit list --home <the old home>/);
});
