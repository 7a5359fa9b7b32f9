import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { describe, it, type TestContext } from "node:test";
import type { Client } from "@aigw/core";
import { hash } from "@node-rs/argon2";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { login } from "../support/http.ts";
import { until } from "../support/until.ts";

const GUESSES = 12;
const POOL_THREAD = "libuv-worker";
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** State (R: on a core, or waiting for one) and nice value of each thread that hashes. */
const poolThreads = (): readonly { readonly state: string; readonly nice: number }[] =>
  readdirSync("/proc/self/task").flatMap((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return stat.includes(`(${POOL_THREAD})`) ? [{ state: fields[0] ?? "", nice: Number(fields[16]) }] : [];
  });

/** A gateway with a client whose password takes half a second to try. */
const setUp = async (t: TestContext): Promise<TestGateway> => {
  const gateway = await startTestGateway(t, { trustProxy: "127.0.0.1" });
  const { store, deps } = gateway;
  await gateway.add("slow");
  const client = (await store.control.client("slow")) as Client;
  const passwordHash = await hash("Other-password-1", {
    algorithm: 2,
    memoryCost: 65_536,
    timeCost: 12,
    parallelism: 1,
  });
  const draft = { action: "client.set", subject: "slow", after: { ...client, passwordHash } } as const;
  const act = { at: deps.clock.now(), actor: "test" };
  const { rev } = await store.control.append(await store.control.head(), [draft], act);
  await until("the change to be applied", async () => (await store.traffic.instances(5_000))[0]?.appliedRev === rev);
  return gateway;
};

/** Guesses at it, each from a source of its own. @returns the statuses so far */
const guess = (t: TestContext, url: string): readonly number[] => {
  const statuses: number[] = [];
  for (let n = 0; n < GUESSES; n += 1) {
    const headers = { ...FORM, "X-Forwarded-For": `10.${n}.0.1` };
    const outgoing = request(`${url}/auth/token`, { method: "POST", headers, agent: false }, (response) => {
      statuses.push(response.statusCode ?? 0);
      response.resume();
    });
    outgoing.on("error", () => undefined);
    outgoing.end("username=slow&password=Wrong-password-1");
    // What is not answered by then is not worked for.
    t.after(() => outgoing.destroy());
  }
  return statuses;
};

describe("hashing passwords", { skip: process.platform === "linux" ? false : "looks into /proc" }, () => {
  it("takes two threads at most, which stand back for calls", async (t) => {
    const { url } = await setUp(t);
    assert.equal((await login(url, "nobody", "Wrong-password-1")).status, 401);
    assert.deepEqual([...new Set(poolThreads().map(({ nice }) => nice))], [10]);
    const statuses = guess(t, url);
    const busy: number[] = [];
    await until(
      "two answers",
      () => {
        busy.push(poolThreads().filter(({ state }) => state === "R").length);
        return statuses.length >= 2;
      },
      30_000,
    );
    assert.ok(
      busy.some((count) => count >= 1),
      "they were seen at it",
    );
    // Now and again one looks a file up besides.
    const tooMany = busy.filter((count) => count > 2).length;
    assert.ok(tooMany < busy.length / 4, `${tooMany} of ${busy.length} times more than two`);
  });
});
