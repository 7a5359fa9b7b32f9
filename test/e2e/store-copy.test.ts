import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { anEvent } from "@aigw/core/testing";
import { aigw, aigwJson, spawnAigw, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { assertSound, prepareHome, withHome } from "../support/prepared-home.ts";
import { ONLY_AT_FULL_SIZE } from "../support/rounds.ts";
import { until, within } from "../support/until.ts";

interface CopyJson {
  readonly copy: { readonly to: string; readonly parts: { readonly part: string; readonly records: number }[] };
  readonly masterKey: { readonly included: boolean; readonly file: string };
}

const FILE = { AIGW_STORE: "" };

const partsOf = ({ copy }: CopyJson): Record<string, number> =>
  Object.fromEntries(copy.parts.map(({ part, records }) => [part, records]));

test("a store is moved: tokens go on working, the limit goes on counting, usage is there, nobody is let in twice", async (t) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: { limit: 3 } } });
  const to = `sqlite:${join(dirname(home), "moved.db")}`;
  const first = await startGatewayProcess(t, home, [], FILE);
  const token = await tokenFor(first.url, "john", passwords["john"] ?? "");
  const call = async (url: string): Promise<number> =>
    (await send(`${url}/api/echo`, { headers: bearer(token) })).status;
  assert.deepEqual([await call(first.url), await call(first.url)], [200, 200]);
  const warned = await aigw(home, ["store", "copy", "--to", `sqlite:${join(dirname(home), "early.db")}`], {
    env: FILE,
  });
  assert.equal(warned.code, 0, warned.stderr);
  assert.match(warned.stderr, /1 gateway runs on the store that is copied/);
  assert.match(warned.stdout, /changes +3 {2}[0-9a-f]{16}\n/);
  first.child.kill("SIGTERM");
  assert.equal((await within("the gateway to end", first.done)).code, 0);

  const copy = await aigwJson<CopyJson>(home, ["store", "copy", "--to", to], { env: FILE });
  const { changes, usage, permits, tokens } = partsOf(copy);
  assert.deepEqual([changes, usage, permits !== undefined && permits > 0, tokens], [3, 2, true, 1]);
  assert.deepEqual(copy.masterKey, { included: false, file: join(home, "master.key") });

  const second = await startGatewayProcess(t, home, [], { AIGW_STORE: to });
  assert.deepEqual([await call(second.url), await call(second.url)], [200, 429], "one of three was left");
  const revoked = await aigw(home, ["client", "revoke", "john", "--yes"], { env: { AIGW_STORE: to } });
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.equal(await call(second.url), 401);
  await until("all five calls to be on record", async () => {
    const report = await aigwJson<{ total: { requests: number } }>(home, ["usage", "report"], {
      env: { AIGW_STORE: to },
    });
    return report.total.requests === 5;
  });
  // The source knows nothing of it.
  const source = await aigwJson<{ clients: { active: number }; revision: number }>(home, ["status"], { env: FILE });
  assert.deepEqual([source.clients.active, source.revision], [1, 3]);
});

test("what the command says when it cannot", async (t) => {
  const { home } = await prepareHome(t, { clients: { john: {} } });
  const run = (...args: readonly string[]) => aigw(home, ["store", "copy", ...args], { env: FILE });
  const own = `sqlite:${join(home, "aigw.db")}`;
  for (const [args, code, says] of [
    [[], 2, "aigw store copy --to <url>"],
    [["--to", "sqlite:"], 2, "--to: The store URL"],
    [["--from", "postgres://u:hunter2@h/x"], 2, "--from: The store URL"],
    [["--from", `sqlite:${join(home, "none.db")}`], 6, "none.db is missing"],
    [["--to", own], 5, "aigw.db is there"],
    [["--from", own], 5, "aigw.db is there"],
  ] as const) {
    const { code: exit, stdout, stderr } = await run(...args);
    assert.deepEqual([exit, stdout], [code, ""], `${args.join(" ")}: ${stderr}`);
    assert.ok(stderr.includes(says), stderr);
    assert.ok(!stderr.includes("hunter2"));
  }
  await withHome(home, assertSound);
});

const filled = async (t: TestContext): Promise<string> => {
  const { home } = await prepareHome(t, { clients: { john: {} } });
  await withHome(home, async ({ store }) => {
    for (let batch = 0; batch < 20; batch += 1)
      await store.traffic.recordUsage(Array.from({ length: 2_000 }, () => anEvent({ at: Date.now() })));
  });
  return home;
};

test("killed in the middle, it leaves no store, and the same command makes it", ONLY_AT_FULL_SIZE, async (t) => {
  const home = await filled(t);
  const target = join(dirname(home), "copy.db");
  const args = ["store", "copy", "--to", `sqlite:${target}`];
  const leftovers = () => readdirSync(dirname(target)).filter((name) => name.startsWith("copy.db"));
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    const { child, done } = spawnAigw(home, args, { env: FILE });
    await until("the copying to have begun", () => Promise.resolve(leftovers().length > 0));
    child.kill(signal);
    const { code, stderr } = await within("it to end", done);
    if (signal === "SIGINT") {
      assert.deepEqual([code, existsSync(target)], [130, false], stderr);
      assert.match(stderr, /Nothing was written/);
    }
    assert.ok(!existsSync(target));
    if (signal === "SIGINT") assert.deepEqual(leftovers(), []);
    const status = await aigw(home, ["status"], { env: { AIGW_STORE: `sqlite:${target}` } });
    assert.notEqual(status.code, 0);
  }
  const { usage } = partsOf(await aigwJson<CopyJson>(home, args, { env: FILE }));
  assert.equal(usage, 40_000);
  const report = await aigwJson<{ total: { requests: number } }>(home, ["usage", "report"], {
    env: { AIGW_STORE: `sqlite:${target}` },
  });
  assert.equal(report.total.requests, 40_000);
});
