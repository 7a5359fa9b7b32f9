import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { aigw, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { rounds } from "../support/rounds.ts";
import { until, within } from "../support/until.ts";

const ROUNDS = rounds(5);

const keysOf = (home: string) => withHome(home, async ({ store }) => (await store.control.snapshot()).keyring);

const setUp = async (t: TestContext) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
  const password = passwords["john"] ?? "";
  const gateways = await Promise.all([startGatewayProcess(t, home), startGatewayProcess(t, home)]);
  return { home, echo, password, gateways };
};

/** Calls all gateways in turn, over kept connections, until it is stopped; the token may be replaced meanwhile. */
const startLoad = (t: TestContext, urls: readonly string[], first: string) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.after(() => agent.destroy());
  const statuses = new Map<number, number>();
  const load = { token: first, stop: false, statuses };
  const call = (url: string): Promise<number> =>
    new Promise((settle, reject) => {
      const req = request(`${url}/api/echo`, { agent, headers: bearer(load.token) }, (response) => {
        response.resume().on("end", () => settle(response.statusCode ?? 0));
      });
      req.on("error", reject);
      req.end();
    });
  const worker = async (index: number): Promise<void> => {
    for (let i = index; !load.stop; i += 1) {
      const status = await call(urls[i % urls.length] ?? "");
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      // Or the commands would get little of the processor.
      await delay(4);
    }
  };
  const done = Promise.all([0, 1, 2, 3].map(worker));
  done.catch(() => undefined);
  const finish = (): Promise<unknown> => {
    load.stop = true;
    return within("the load to end", done);
  };
  return { load, finish };
};

describe("secret rotate", () => {
  it("without grace ends every token at once and says first whom it hits", async (t) => {
    const { home, password, gateways } = await setUp(t);
    const [{ url }] = gateways;
    const token = await tokenFor(url, "john", password);
    await until("the token to be known", async () =>
      (await aigw(home, ["secret", "rotate", "--no-input"])).stderr.includes("john"),
    );
    const asked = await aigw(home, ["secret", "rotate", "--no-input"]);
    assert.equal(asked.code, 2, "without a terminal it needs --yes");
    assert.match(asked.stderr, /--yes/);
    assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, 200, "nothing happened yet");

    const rotated = await aigw(home, ["secret", "rotate", "--yes"]);
    assert.equal(rotated.code, 0, rotated.stderr);
    assert.match(rotated.stderr, /john/);
    assert.match(`${rotated.stdout}${rotated.stderr}`, /2 of 2 gateways applied it/);
    for (const gateway of gateways) {
      assert.equal((await send(`${gateway.url}/api/echo`, { headers: bearer(token) })).status, 401);
      const fresh = await tokenFor(gateway.url, "john", password);
      for (const other of gateways) {
        assert.equal((await send(`${other.url}/api/echo`, { headers: bearer(fresh) })).status, 200);
      }
    }
    const keys = await keysOf(home);
    assert.deepEqual(keys.map(({ status }) => status).sort(), ["active", "retired"]);
  });

  it("with --grace refuses no valid client, time after time under load", async (t) => {
    const { home, password, gateways } = await setUp(t);
    const urls = gateways.map(({ url }) => url);
    const { load, finish } = startLoad(t, urls, await tokenFor(urls[0] ?? "", "john", password));
    for (let round = 0; round < ROUNDS; round += 1) {
      const { code, stderr } = await aigw(home, ["secret", "rotate", "--grace", "60m", "--yes"]);
      assert.equal(code, 0, stderr);
      // A new token from one gateway must work on every other at once.
      load.token = await tokenFor(urls[round % 2] ?? "", "john", password);
    }
    await finish();
    assert.deepEqual([...load.statuses.keys()], [200], JSON.stringify([...load.statuses]));
    assert.ok((load.statuses.get(200) ?? 0) > 500, `${load.statuses.get(200)} calls`);
    const keys = await keysOf(home);
    assert.equal(keys.filter(({ status }) => status === "active").length, 1);
    assert.equal(keys.filter(({ status }) => status === "retiring").length, ROUNDS);
  });

  it("with --grace and a gateway that does not confirm changes nothing and says so", async (t) => {
    const { home, password, gateways } = await setUp(t);
    const [stopped, running] = gateways;
    const token = await tokenFor(running.url, "john", password);
    const before = await keysOf(home);
    stopped.child.kill("SIGSTOP");
    t.after(() => stopped.child.kill("SIGCONT"));
    const { code, stderr } = await aigw(home, ["secret", "rotate", "--grace", "60m", "--yes"]);
    stopped.child.kill("SIGCONT");
    assert.equal(code, 1);
    assert.ok(stderr.includes(stopped.id));
    assert.equal((await send(`${running.url}/api/echo`, { headers: bearer(token) })).status, 200);
    const keys = await keysOf(home);
    const active = (list: typeof keys): string | undefined => list.find(({ status }) => status === "active")?.kid;
    assert.match(active(keys) ?? "", /^k_/);
    assert.equal(active(keys), active(before));
    assert.equal(keys.filter(({ status }) => status === "published").length, 0);
  });
});
