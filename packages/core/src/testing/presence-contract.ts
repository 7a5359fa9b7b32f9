import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TokenIssue } from "../store/store.ts";
import { anInstance } from "./builders.ts";
import type { WithStore } from "./store-contract.ts";

const HOUR_MS = 3_600_000;

export const presenceContract = (withStore: WithStore): void => {
  describe("instances", () => {
    it(
      "are seen by others, each as it was when it last reported",
      withStore(async ({ one, two, clock }) => {
        const a = anInstance({ id: "i_a", hostname: "one", worker: 2, appliedRev: 3 });
        const b = anInstance({ id: "i_b", state: "draining" });
        await one.traffic.reportInstance(a);
        clock.advance(400);
        await two.traffic.reportInstance(b);
        assert.deepEqual(await two.traffic.instances(1_000), [
          { ...a, lastSeenAgoMs: 400 },
          { ...b, lastSeenAgoMs: 0 },
        ]);
        await two.traffic.reportInstance({ ...b, appliedRev: 9 });
        assert.deepEqual((await one.traffic.instances(1_000))[1], { ...b, appliedRev: 9, lastSeenAgoMs: 0 });
      }),
    );

    it(
      "that fall silent are kept, since they may run",
      withStore(async ({ one, two, clock }) => {
        await one.traffic.reportInstance(anInstance({ id: "i_a" }));
        clock.advance(1_100);
        const [silent] = await two.traffic.instances(1_000);
        assert.deepEqual([silent?.id, silent?.lastSeenAgoMs], ["i_a", 1_100]);
        assert.equal((await two.traffic.instances(60_000)).length, 1);
      }),
    );

    it(
      "are gone once retired, whoever says so, and once they have ended without a word",
      withStore(async ({ one, two, clock }) => {
        await one.traffic.reportInstance(anInstance({ id: "i_a" }));
        await one.traffic.reportInstance(anInstance({ id: "i_b" }));
        await two.traffic.retireInstance("i_a");
        await two.traffic.retireInstance("i_never");
        assert.deepEqual(
          (await one.traffic.instances(1_000)).map((seen) => seen.id),
          ["i_b"],
        );
        // As a process ends that was killed.
        await one.close();
        assert.deepEqual(
          (await two.traffic.instances(1_000)).map((seen) => seen.id),
          ["i_b"],
        );
        clock.advance(HOUR_MS + 1);
        assert.deepEqual(await two.traffic.instances(10 * HOUR_MS), []);
      }),
    );

    it(
      "keep their age when the wall clock is set",
      withStore(async ({ one, two, clock }) => {
        await one.traffic.reportInstance(anInstance({ id: "i_a" }));
        clock.setWall(clock.now() + HOUR_MS);
        clock.advance(10);
        assert.deepEqual(
          (await two.traffic.instances(1_000)).map((seen) => seen.lastSeenAgoMs),
          [10],
        );
      }),
    );
  });

  describe("token issues", () => {
    const issue = (clientId: string, kid: string, issuedAt: number): TokenIssue => ({
      clientId,
      kid,
      epoch: 1,
      issuedAt,
      expiresAt: issuedAt + HOUR_MS,
    });

    it(
      "keep the latest per client and key, until it expires",
      withStore(async ({ one, two, clock }) => {
        const now = clock.now();
        await one.traffic.recordTokens([issue("c_1", "k_1", now), issue("c_1", "k_2", now), issue("c_2", "k_1", now)]);
        const later = { ...issue("c_1", "k_1", now + 5_000), epoch: 2 };
        await two.traffic.recordTokens([later]);
        await one.traffic.recordTokens([issue("c_1", "k_1", now + 1_000)]);
        await one.traffic.recordTokens([]);
        const live = [...(await one.traffic.liveTokens(now))].sort((x, y) =>
          x.clientId + x.kid < y.clientId + y.kid ? -1 : 1,
        );
        assert.deepEqual(live, [later, issue("c_1", "k_2", now), issue("c_2", "k_1", now)]);
        assert.deepEqual(await two.traffic.liveTokens(now + HOUR_MS), [later]);
        assert.deepEqual(await two.traffic.liveTokens(now + HOUR_MS + 5_000), []);
      }),
    );
  });
};
