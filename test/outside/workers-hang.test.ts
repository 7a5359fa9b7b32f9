import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { it } from "node:test";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";
import { isAlive, startWorkers } from "../support/workers.ts";

/**
 * Gives every process a signal on which it makes this file and never comes back, at the lowest priority: others want the
 * processor, too.
 */
const loops = (mark: string): string =>
  `data:text/javascript,${encodeURIComponent(`
    import { writeFileSync } from "node:fs";
    import { setPriority } from "node:os";
    process.on("SIGUSR2", () => { setPriority(19); writeFileSync(${JSON.stringify(mark)}, ""); for (;;); });
  `)}`;
const REPLACED_MS = 10_000;

it("workers that hang, stopped or in an endless loop, are replaced in ten seconds; calls go on", async (t) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
  const gateway = await startWorkers(t, home, 3, [], { NODE_OPTIONS: `--import=${loops(`${home}.loops`)}` });
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  const call = (): Promise<number> =>
    send(`${gateway.url}/api/echo`, { headers: bearer(token) }).then(({ status }) => status);
  const [stopped, looping, sound] = gateway.workers;
  assert.ok(stopped && looping && sound);
  process.kill(stopped.pid, "SIGSTOP");
  process.kill(looping.pid, "SIGUSR2");
  const hungAt = performance.now();
  // What it had begun to read before would be lost with it.
  await until("the loop", () => existsSync(`${home}.loops`));
  // Each of the two that hang is handed one of these.
  const calls = Array.from({ length: 9 }, call);
  const replaced = await until(
    "two in their places",
    () => {
      const taken = gateway.log().filter(({ msg }) => msg === "a worker has taken the place");
      return taken.length === 2 && taken;
    },
    2 * REPLACED_MS,
  );
  assert.ok(performance.now() - hungAt < REPLACED_MS, `after ${performance.now() - hungAt} ms`);
  assert.deepEqual(await Promise.all(calls), Array(9).fill(200));
  const hung = gateway.log().filter(({ msg }) => msg === "a worker hangs, and is killed");
  const byPid = (pids: readonly (number | undefined)[]): (number | undefined)[] => pids.toSorted();
  assert.deepEqual(byPid(hung.map(({ pid }) => pid)), byPid([stopped.pid, looping.pid]));
  assert.deepEqual([isAlive(stopped.pid), isAlive(looping.pid), isAlive(sound.pid)], [false, false, true]);
  assert.ok(replaced.every(({ pid }) => pid !== sound.pid));
  assert.deepEqual(await Promise.all(Array.from({ length: 6 }, call)), Array(6).fill(200));
});
