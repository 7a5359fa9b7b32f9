import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isAigwError } from "../src/errors.ts";
import { initHome, openHome, restoreHome } from "../src/home/index.ts";
import { anEvent, FixedClock } from "../src/testing/index.ts";
import { temporaryFolder } from "./store-support/folders.ts";

const ACT = { at: 1_000, actor: "test" };

test("a home restored where a gateway still has the old one open: it puts nothing there, before or after", async () => {
  const clock = new FixedClock();
  const folder = temporaryFolder();
  const [home, away, file] = [join(folder, "aigw"), join(folder, "away"), join(folder, "backup.tar")];
  await initHome({ home, ...ACT });
  const { store: gateway } = await openHome({ home, clock });
  await gateway.traffic.recordUsage([anEvent({ id: "before" })]);
  await gateway.backup(file);
  const refused = async (): Promise<void> => {
    // Past the quarter of a second after which it looks at its files again.
    clock.advance(1_000);
    const steady = gateway.traffic.steadyNow();
    await assert.rejects(
      async () => gateway.traffic.recordUsage([anEvent({ id: "after" })]),
      (error) => isAigwError(error, "store_unavailable") && error.message.includes(join(home, "aigw.db")),
    );
    assert.equal(gateway.traffic.steadyNow(), steady, "its clock goes on all the same");
  };

  renameSync(home, away);
  mkdirSync(home, { mode: 0o700 });
  await refused();
  assert.deepEqual(readdirSync(home), []);
  const masterKeyFile = join(away, "master.key");
  await restoreHome({ ...ACT, home, file, masterKeyFile });
  await refused();
  const { store: restored } = await openHome({ home, clock });
  const { events } = await restored.traffic.latestUsage({}, 9);
  assert.deepEqual(
    events.map(({ id }) => id),
    ["before"],
  );
  await restored.close();
  await gateway.close();
});
