import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { addService, initHome, openHome, systemClock } from "@aigw/core";
import { ControlFollower } from "../src/follow/control-follower.ts";

it("all that ask in one turn of the event loop share a look, which sees what was done before", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-looks-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const home = join(folder, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  t.after(() => store.close());
  const follower = new ControlFollower({
    control: store.control,
    sealer,
    clock: systemClock,
    maxStaleMs: 60_000,
    onApplied: () => undefined,
    onFault: (error) => assert.fail(String(error)),
    onRecovered: () => undefined,
  });
  await follower.start();
  // No look of its own comes between.
  follower.stop();
  const head = t.mock.method(store.control, "head");
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  await addService(deps, { name: "echo", url: "http://127.0.0.1:9" });
  const before = head.mock.callCount();
  // Timers that are due together run in one turn, each with its own microtasks, as requests that arrive together do.
  await Promise.all(
    Array.from({ length: 100 }, () => new Promise((done) => setTimeout(() => void follower.refresh().then(done), 1))),
  );
  const looks = head.mock.callCount() - before;
  assert.ok(looks >= 1 && looks <= 10, `${looks} looks`);
  assert.deepEqual([...follower.services.keys()].sort(), ["echo"]);
  await addService(deps, { name: "chat", url: "http://127.0.0.1:9" });
  await follower.refresh();
  assert.deepEqual([...follower.services.keys()].sort(), ["chat", "echo"], "whoever comes later gets a later look");
});
