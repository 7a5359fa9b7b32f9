import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, setClient } from "@aigw/core";
import { aigw, startGatewayProcess } from "../support/aigw.ts";
import { send, startEcho, tokenFor } from "../support/http.ts";
import { startNumberedLoad } from "../support/numbered-load.ts";
import { allChanges, allUsage, assertSound, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { randomBetween, rounds } from "../support/rounds.ts";
import { until, within } from "../support/until.ts";

/** The promise: at most the usage of so many milliseconds before the kill is lost. */
const UNFLUSHED_MS = 200;
const READY_WITHIN_MS = 2_000;

const repeated = (values: readonly string[]): string[] => {
  const seen = new Set<string>();
  return values.filter((value) => seen.size === seen.add(value).size);
};

const without = (all: ReadonlySet<string>, some: ReadonlySet<string>): string[] =>
  [...all].filter((value) => !some.has(value));

/** Changes the client's note every few milliseconds. @returns what was acknowledged */
const startActs = (home: string) => {
  const acknowledged: { rev: number; note: string }[] = [];
  let stopped = false;
  const done = withHome(home, async ({ deps }) => {
    for (let i = 0; !stopped; i += 1) {
      const note = `${i} ${Math.random()}`;
      const { rev } = await setClient(deps, "john", { note });
      acknowledged.push({ rev, note });
      await delay(10);
    }
  });
  const stop = (): Promise<void> => {
    stopped = true;
    return within("the acts to end", done);
  };
  return { acknowledged, stop };
};

describe("kill -9 of the gateway", () => {
  it("under load loses no admin change, no usage older than 200 ms, and repeats none", async (t) => {
    const echo = await startEcho(t);
    const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
    const mustBeThere = new Set<string>();
    const sent = new Set<string>();
    const starts: number[] = [];
    for (let round = 0; round < rounds(4); round += 1) {
      const start = performance.now();
      const { url, child, done } = await startGatewayProcess(t, home);
      assert.equal((await send(`${url}/ready`)).status, 200);
      starts.push(performance.now() - start);
      const token = await tokenFor(url, "john", passwords["john"] ?? "");
      const load = startNumberedLoad(t, { url: `${url}/api/echo`, token, prefix: `r${round}`, connections: 8 });
      const acts = startActs(home);
      const added = aigw(home, ["client", "add", `added-${round}`, "--json"]);
      await until("calls", () => load.calls.length > 100);
      // The fault's moment.
      await delay(randomBetween(UNFLUSHED_MS, 600));
      const killedAt = performance.now();
      child.kill("SIGKILL");
      await done;
      await load.stop();
      await acts.stop();
      assert.equal((await added).code, 0);

      for (const { id, endedAt, result } of load.calls) {
        sent.add(id);
        if (typeof result === "number" && endedAt < killedAt - UNFLUSHED_MS) mustBeThere.add(id);
        assert.ok(result === 200 || typeof result === "string", `${id}: ${result}`);
      }
      await withHome(home, async (opened) => {
        await assertSound(opened);
        const changes = await allChanges(opened.store);
        for (const { rev, note } of acts.acknowledged) {
          assert.equal((changes[rev - 1]?.after as Client | undefined)?.note, note);
        }
        assert.ok(changes.some(({ action, subject }) => action === "client.add" && subject === `added-${round}`));
        const stored = (await allUsage(opened.store)).map(({ requestId }) => requestId);
        assert.deepEqual(repeated(stored), []);
        const found = new Set(stored);
        assert.deepEqual(without(mustBeThere, found), [], `lost in round ${round}`);
        assert.deepEqual(without(found, sent), [], "events of calls that were never made");
      });
    }
    assert.ok(mustBeThere.size > 200, `${mustBeThere.size} events`);
    starts.sort((a, b) => a - b);
    const median = starts[starts.length >> 1] ?? 0;
    assert.ok(median < READY_WITHIN_MS, `ready after ${starts.map(Math.round).join()} ms`);
    t.diagnostic(`${mustBeThere.size} events due; ready after ${starts.map(Math.round).join()} ms`);
  });
});
