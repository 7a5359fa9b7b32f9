import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startEcho } from "../support/http.ts";
import { type KilledGateway, killUnderLoad } from "../support/killed-gateway.ts";
import { prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { rounds } from "../support/rounds.ts";

/** `pnpm promises gateway-kills` looks for what is promised, 200 ms, on a quiet machine; a busy one is late with everything. */
const UNFLUSHED_MS = 600;

describe("kill -9 of the gateway", () => {
  it("under load loses no admin change, no usage that was due to be stored, and repeats none", async (t) => {
    const echo = await startEcho(t);
    const { home, passwords } = await prepareHome(t, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
    const kills: KilledGateway[] = [];
    for (let round = 0; round < rounds(4); round += 1) {
      const password = passwords["john"] ?? "";
      const kill = await killUnderLoad(t, { home, password, prefix: `r${round}`, unflushedMs: UNFLUSHED_MS });
      kills.push(kill);
      const { lost, repeated, madeUp, lostChanges, wrongAnswers } = kill;
      assert.deepEqual(
        { lost, repeated, madeUp, lostChanges, wrongAnswers },
        { lost: [], repeated: [], madeUp: [], lostChanges: 0, wrongAnswers: [] },
        `round ${round}`,
      );
    }
    const due = kills.reduce((sum, kill) => sum + kill.due, 0);
    assert.ok(due > 200, `${due} events`);
    const starts = kills.map(({ readyMs }) => readyMs).sort((a, b) => a - b);
    t.diagnostic(`${due} events due; ready after ${starts.map(Math.round).join()} ms`);
  });
});
