import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { aigw, startGatewayProcess } from "../support/aigw.ts";
import { flood } from "../support/flood.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { allChanges, allUsage, assertSound, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { fillDisk, mountSmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

interface StatusJson {
  gateways: { id: string; droppedUsage: number }[];
}

it("disk full: admin commands change nothing and exit 6; calls go on; usage that is lost is counted", async (t) => {
  const disk = mountSmallDisk(t, 16);
  if (disk === undefined) return;
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, {
    home: join(disk, "home"),
    services: { echo: echo.url },
    clients: { john: UNLIMITED },
  });
  const gateway = await startGatewayProcess(t, home);
  let log = "";
  gateway.child.stderr?.on("data", (text: string) => {
    log += text;
  });
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  const call = () => send(`${gateway.url}/api/echo`, { headers: bearer(token) });
  assert.equal((await call()).status, 200);
  const before = await withHome(home, ({ store }) => allChanges(store));
  const free = fillDisk(disk);
  for (const args of [
    ["client", "add", "mary"],
    ["service", "add", "chat", "http://127.0.0.1:9"],
  ]) {
    const { code, stdout, stderr } = await aigw(home, args);
    assert.equal(code, 6, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: The disk that holds [^\n]+ is full[^\n]+\n$/);
  }
  const flooded = 11_000;
  const { statuses } = await flood(gateway.url, token, Array<string>(flooded).fill("/api/echo"));
  assert.deepEqual([...statuses], [[200, flooded]]);
  assert.equal((await call()).status, 200);

  free();
  const dropped = await until("the loss to be reported", async () => {
    // A gateway that is late to report makes it fail.
    const { code, stdout } = await aigw(home, ["status", "--json"]);
    return code === 0 && (JSON.parse(stdout) as StatusJson).gateways[0]?.droppedUsage;
  });
  await withHome(home, async (opened) => {
    await assertSound(opened);
    assert.deepEqual(await allChanges(opened.store), before, "nothing half done");
    // The set-up's call, the flood, the call after it.
    const due = flooded + 2 - dropped;
    await until(`${due} events`, async () => (await allUsage(opened.store)).length === due);
  });
  assert.match(log, /"store fault"/);
  await until("the loss in the log", () => log.includes(`"dropped":${dropped}`));
  t.diagnostic(`${dropped} events dropped and reported`);
});
