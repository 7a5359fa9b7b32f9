import assert from "node:assert/strict";
import { test } from "node:test";
import { Authenticator } from "../../packages/runtime/src/gate/authenticator.ts";
import { Jobs } from "../../packages/runtime/src/jobs/jobs.ts";
import { CallMeter } from "../../packages/runtime/src/metering/call-meter.ts";
import { SharedCounts } from "../../packages/runtime/src/shared-counts.ts";
import { startTestGateway } from "../support/gateway.ts";

test("a gateway forgets each minute what nobody needs any more", async (t) => {
  const forgetting = [
    t.mock.method(Authenticator.prototype, "forgetDead"),
    t.mock.method(SharedCounts.prototype, "prune"),
    t.mock.method(SharedCounts.prototype, "pruneStore"),
    t.mock.method(CallMeter.prototype, "prune"),
    t.mock.method(Jobs.prototype, "prune"),
  ];
  t.mock.timers.enable({ apis: ["setInterval"] });
  await startTestGateway(t);
  const counts = (): readonly number[] => forgetting.map(({ mock }) => mock.callCount());
  const before = counts();
  t.mock.timers.tick(59_999);
  assert.deepEqual(counts(), before);
  for (const minute of [1, 2]) {
    t.mock.timers.tick(minute === 1 ? 1 : 60_000);
    assert.deepEqual(
      counts(),
      before.map((count) => count + minute),
    );
  }
});
