import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { SeenInstance, TrafficStore } from "@aigw/core";
import { anInstance, FixedClock } from "@aigw/core/testing";
import { InstanceReporter } from "../src/follow/instance-reporter.ts";

for (const [gateways, looks] of [
  [3, 61],
  [1_000, 2],
] as const) {
  it(`one of ${gateways} gateways reports every second, and looks at the others ${looks} times in a minute`, async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const clock = new FixedClock();
    const asked = { reports: 0, looks: 0 };
    const all = Array.from({ length: gateways }, (_, n) => ({ ...anInstance({ id: `gw-${n}` }), lastSeenAgoMs: 0 }));
    const traffic = {
      reportInstance: (): void => {
        asked.reports += 1;
      },
      instances: (): readonly SeenInstance[] => {
        asked.looks += 1;
        return all;
      },
      retireInstance: () => undefined,
    };
    const { state, appliedRev, droppedUsage, ...identity } = anInstance({ id: "gw-1" });
    const reporter = new InstanceReporter({
      traffic: traffic as unknown as TrafficStore,
      clock,
      identity,
      current: () => ({ state, appliedRev, droppedUsage }),
      onFault: (error) => assert.fail(String(error)),
    });
    await reporter.start();
    for (let second = 0; second < 60; second += 1) {
      clock.advance(1_000);
      t.mock.timers.tick(1_000);
      await turn();
    }
    await reporter.retire();
    assert.deepEqual(asked, { reports: 61, looks });
    assert.deepEqual(reporter.share, { of: gateways, rank: 1 });
  });
}
