import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { aigw, aigwJson, type RunningGateway, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { needsFiles } from "../support/engine.ts";
import { bearer, send, startUpstream, tokenFor, type Upstream } from "../support/http.ts";
import { lockDatabase } from "../support/lock.ts";
import { until } from "../support/until.ts";

interface Standing {
  readonly limit: number;
  readonly used: number;
  readonly reserved: number;
  readonly left: number;
}

interface Story {
  readonly home: string;
  readonly upstream: Upstream;
  readonly gateways: readonly RunningGateway[];
  /** @returns the statuses of so many calls at once; 0 for one that was broken off */
  readonly calls: (gateway: RunningGateway | undefined, count: number) => Promise<readonly number[]>;
  readonly standing: () => Promise<Standing>;
}

/** Three gateways in front of a service that reads one page a call, and a client with this quota. */
const prepared = async (t: TestContext, quota: string): Promise<Story> => {
  const home = temporaryHome(t);
  const upstream = await startUpstream(t, (request, response) => {
    request.resume().on("end", () => response.setHeader("X-Pages", "1").end("x"));
  });
  await aigw(home, ["service", "add", "ocr", upstream.url, "--meter", "header:pages=X-Pages", "--no-check"]);
  const added = ["client", "add", "john", "--limit", "100000", "--quota", quota];
  const { password } = await aigwJson<{ password: string }>(home, added);
  const gateways = await Promise.all([1, 2, 3].map(() => startGatewayProcess(t, home)));
  const token = await tokenFor(gateways[0]?.url ?? "", "john", password);
  const call = (url: string): Promise<number> =>
    send(`${url}/api/ocr`, { headers: bearer(token) }).then(
      ({ status }) => status,
      () => 0,
    );
  return {
    home,
    upstream,
    gateways,
    calls: (gateway, count) => Promise.all(Array.from({ length: count }, () => call(gateway?.url ?? ""))),
    standing: async () => {
      const { quotas } = await aigwJson<{ quotas: Standing[] }>(home, ["client", "quota", "john"]);
      assert.ok(quotas[0]);
      return quotas[0];
    },
  };
};

const count = (statuses: readonly number[], status: number): number => statuses.filter((one) => one === status).length;

const knowEachOther = (home: string): Promise<true> =>
  until("all to know of each other", async () => {
    const { gateways: seen } = await aigwJson<{ gateways: { startedAt: string }[] }>(home, ["status"]);
    return seen.length === 3 && seen.every(({ startedAt }) => Date.now() - Date.parse(startedAt) > 1_500);
  });

/** Requests that a gateway's journal says the store may not have. */
const countedIn = (path: string): number => {
  type Counts = readonly (readonly [key: string, count: readonly [amount: number, end: number]])[];
  const accounts = JSON.parse(readFileSync(path, "utf8")) as { pending: Counts; inDoubt: { carried: Counts } | null }[];
  const all = accounts.flatMap(({ pending, inDoubt }) => [...pending, ...(inDoubt?.carried ?? [])]);
  return all.reduce((sum, [, [amount]]) => sum + amount, 0);
};

describe("three gateways on one store", () => {
  it("let exactly 500 of 600 calls at once in, and none after they were killed and started anew", async (t) => {
    const { home, upstream, gateways, calls, standing } = await prepared(t, "requests=500/month");
    const all = (await Promise.all(gateways.map((gateway) => calls(gateway, 200)))).flat();
    assert.equal(count(all, 200) + count(all, 429), 600);
    // What one has set aside in vain is to be had elsewhere within a second or two.
    let admitted = count(all, 200);
    await until("500 to be let in", async () => {
      for (const gateway of gateways) admitted += count(await calls(gateway, 1), 200);
      return admitted >= 500;
    });
    assert.equal(admitted, 500);
    assert.equal(upstream.seen.length, 500);
    await until("all to be counted", async () => (await standing()).used === 500);
    for (const { child, done } of gateways) {
      child.kill("SIGKILL");
      await done;
    }
    const again = await startGatewayProcess(t, home);
    assert.deepEqual(new Set(await calls(again, 20)), new Set([429]));
    assert.equal(upstream.seen.length, 500);
    assert.equal((await standing()).used, 500);
  });

  it("let no more in than the quota allows when one of them is killed in the middle", async (t) => {
    const { upstream, gateways, calls, standing } = await prepared(t, "requests=500/month");
    const [killed, ...others] = gateways;
    const broken = calls(killed, 200);
    const rest = Promise.all(others.map((gateway) => calls(gateway, 200)));
    await until("calls under way", () => upstream.seen.length > 30);
    killed?.child.kill("SIGKILL");
    const first = (await rest).flat();
    await Promise.all([broken, killed?.done]);
    assert.equal(count(first, 200) + count(first, 429), 400);
    const last = await until("nothing to be left", async () => {
      for (const gateway of others) await calls(gateway, 20);
      const now = await standing();
      return now.left === 0 && now;
    });
    // What the killed one had set aside is gone, and nothing else; every call that got through was counted before.
    assert.equal(last.used + last.reserved, 500);
    assert.ok(upstream.seen.length <= 500, `${upstream.seen.length} calls got through`);
    assert.ok(last.used + last.reserved >= upstream.seen.length);
    assert.ok(upstream.seen.length >= 300, `${upstream.seen.length} calls got through`);
  });

  it("count what is known at a call's end alone once, whichever of them it came to", async (t) => {
    const { upstream, gateways, calls, standing } = await prepared(t, "pages=20/week");
    const seen: number[] = [];
    for (let i = 0; i < 45; i += 1) seen.push(...(await calls(gateways[i % 3], 1)));
    const admitted = count(seen, 200);
    // The next call may come before the last one's end is counted.
    assert.ok(admitted === 20 || admitted === 21, `${admitted}`);
    assert.equal(upstream.seen.length, admitted);
    await until("all to be counted", async () => (await standing()).used === admitted);
    assert.deepEqual(new Set(seen.slice(-20)), new Set([429]));
  });

  it("lose nothing of what they counted when they are killed while the store cannot be written", {
    skip: needsFiles,
  }, async (t) => {
    const { home, upstream, gateways, calls, standing } = await prepared(t, "requests=60/month");
    await knowEachOther(home);
    assert.equal(count(await calls(gateways[1], 10), 200), 10);
    const unlock = await lockDatabase(t, join(home, "aigw.usage.db"));
    const away = (await Promise.all(gateways.map((gateway) => calls(gateway, 100)))).flat();
    const admitted = 10 + count(away, 200);
    assert.equal(upstream.seen.length, admitted);
    const spool = join(home, "spool");
    await until("each to have it on the disk", () => {
      const files = existsSync(spool) ? readdirSync(spool) : [];
      const counts = files.filter((name) => name.endsWith(".quotas")).map((name) => countedIn(join(spool, name)));
      return counts.reduce((sum, one) => sum + one, 0) >= admitted - 10;
    });
    assert.equal(statSync(spool).mode & 0o777, 0o700);
    for (const { child, done } of gateways) {
      child.kill("SIGKILL");
      await done;
    }
    await unlock();
    await startGatewayProcess(t, home);
    const last = await until("all to be counted", async () => {
      const now = await standing();
      return now.used >= admitted && now.reserved === 0 && now;
    });
    assert.equal(last.used, admitted);
    await until("nothing to be left on the disk", () => readdirSync(spool).length === 0);
  });

  it("share what is left while the store cannot be written, and add it once when it can", {
    skip: needsFiles,
  }, async (t) => {
    const { home, upstream, gateways, calls, standing } = await prepared(t, "requests=60/month");
    await knowEachOther(home);
    assert.equal(count(await calls(gateways[1], 10), 200), 10);
    const unlock = await lockDatabase(t, join(home, "aigw.usage.db"));
    const away = (await Promise.all(gateways.map((gateway) => calls(gateway, 100)))).flat();
    assert.equal(count(away, 200), 50);
    await unlock();
    await until("all to be counted", async () => (await standing()).used === 60);
    for (const gateway of gateways) assert.deepEqual(new Set(await calls(gateway, 5)), new Set([429]));
    assert.equal(upstream.seen.length, 60);
    assert.equal((await standing()).used, 60);
  });
});
