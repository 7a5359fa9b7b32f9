import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, setClient } from "@aigw/core";
import { aigw, startGatewayProcess } from "./aigw.ts";
import { send, tokenFor } from "./http.ts";
import { startNumberedLoad } from "./numbered-load.ts";
import { allChanges, allUsage, assertSound, withHome } from "./prepared-home.ts";
import { randomBetween } from "./rounds.ts";
import { until, within } from "./until.ts";

/** The promise: at most the usage of so many milliseconds before the kill is lost, on a machine that keeps up. */
const UNFLUSHED_MS = 200;

/** What a kill of the gateway left behind. */
export interface KilledGateway {
  /** Until `/ready` said yes, milliseconds. */
  readonly readyMs: number;
  /** Usage events that must be there, and those of them that are not. */
  readonly due: number;
  readonly lost: readonly string[];
  /** Events that are there twice, and those of calls that were never made. */
  readonly repeated: readonly string[];
  readonly madeUp: readonly string[];
  /** Acknowledged admin changes, and those of them that are not there. */
  readonly changes: number;
  readonly lostChanges: number;
  /** Answers that were neither 200 nor broken off by the kill. */
  readonly wrongAnswers: readonly string[];
}

/**
 * Starts a gateway on a home with the client `john` and the service `echo`, kills it at a random moment under calls and
 * admin acts, and looks at what is in the store then. The home's integrity is asserted.
 */
export const killUnderLoad = async (
  t: Pick<TestContext, "after">,
  {
    home,
    password,
    prefix,
    unflushedMs = UNFLUSHED_MS,
  }: { home: string; password: string; prefix: string; unflushedMs?: number },
): Promise<KilledGateway> => {
  const start = performance.now();
  const { url, child, done } = await startGatewayProcess(t, home);
  assert.equal((await send(`${url}/ready`)).status, 200);
  const readyMs = performance.now() - start;
  const token = await tokenFor(url, "john", password);
  const load = startNumberedLoad(t, { url: `${url}/api/echo`, token, prefix, connections: 8 });
  const acts = startActs(home);
  const added = aigw(home, ["client", "add", `added-${prefix}`, "--json"]);
  await until("calls", () => load.calls.length > 100);
  // The fault's moment.
  await delay(unflushedMs + randomBetween(0, 400));
  const killedAt = performance.now();
  child.kill("SIGKILL");
  await done;
  await load.stop();
  await acts.stop();
  assert.equal((await added).code, 0);

  const due = load.calls.filter(
    ({ endedAt, result }) => typeof result === "number" && endedAt < killedAt - unflushedMs,
  );
  return withHome(home, async (opened) => {
    await assertSound(opened);
    const changes = await allChanges(opened.store);
    const noteAt = (rev: number): string | undefined => (changes[rev - 1]?.after as Client | undefined)?.note;
    const isAdded = changes.some(({ action, subject }) => action === "client.add" && subject === `added-${prefix}`);
    const stored = (await allUsage(opened.store))
      .map(({ requestId }) => requestId)
      .filter((id) => id.startsWith(`${prefix}-`));
    const found = new Set(stored);
    const sent = new Set(load.calls.map(({ id }) => id));
    return {
      readyMs,
      due: due.length,
      lost: due.map(({ id }) => id).filter((id) => !found.has(id)),
      repeated: stored.filter((id, index) => stored.indexOf(id) !== index),
      madeUp: [...found].filter((id) => !sent.has(id)),
      changes: acts.acknowledged.length + 1,
      lostChanges: acts.acknowledged.filter(({ rev, note }) => noteAt(rev) !== note).length + (isAdded ? 0 : 1),
      wrongAnswers: load.calls
        .filter(({ result }) => typeof result === "number" && result !== 200)
        .map(({ id, result }) => `${id}: ${result}`),
    };
  });
};

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
