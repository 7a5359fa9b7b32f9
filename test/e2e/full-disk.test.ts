import assert from "node:assert/strict";
import { statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { aigw, aigwJson, startGatewayProcess } from "../support/aigw.ts";
import { flood } from "../support/flood.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { allChanges, assertSound, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { fillDisk, mountSmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

interface ReceiptJson {
  readonly receipt: { readonly complete: boolean };
}

describe("a full disk", () => {
  it("does not stop a revocation, whoever has filled it, with a gateway and without", async (t) => {
    const disk = mountSmallDisk(t, 6);
    if (disk === undefined) return;
    const echo = await startEcho(t);
    const names = ["john", "jane", "mary", "paul"];
    const { home, passwords } = await prepareHome(t, {
      home: join(disk, "home"),
      services: { echo: echo.url },
      clients: Object.fromEntries(names.map((name) => [name, UNLIMITED])),
    });
    const gateway = await startGatewayProcess(t, home);
    let log = "";
    gateway.child.stderr?.on("data", (text: string) => {
      log += text;
    });
    const tokens: Record<string, string> = {};
    for (const name of names) tokens[name] = await tokenFor(gateway.url, name, passwords[name] ?? "");
    const call = async (name: string): Promise<number> =>
      (await send(`${gateway.url}/api/echo`, { headers: bearer(tokens[name] ?? "") })).status;
    const reserve = join(home, "aigw.reserve");
    const free = (): number => statfsSync(disk).bavail * statfsSync(disk).bsize;

    // Usage alone: it stops before the last of the disk.
    const more = Array<string>(500).fill(`/api/echo/${"x".repeat(490)}`);
    await until(
      "usage to stop",
      async () => {
        await flood(gateway.url, tokens["paul"] ?? "", more);
        return log.includes("are free on the disk");
      },
      30_000,
    );
    assert.ok(free() > 512 * 1_024, `${free()} bytes are left`);
    assert.equal(statSync(reserve).mode & 0o777, 0o600);
    assert.equal(statSync(reserve).size, 12 * 65_536, "an eighth of this disk");
    const revoke = async (name: string): Promise<void> => {
      assert.equal(await call(name), 200, "served until then");
      const { code, stdout, stderr } = await aigw(home, ["client", "revoke", name, "--yes", "--json"]);
      assert.equal(code, 0, `${name}: ${stderr}`);
      assert.equal((JSON.parse(stdout) as ReceiptJson).receipt.complete, true, stdout);
      assert.equal(await call(name), 401);
    };
    await revoke("john");

    // Somebody else: nothing at all is left.
    const release = fillDisk(disk);
    assert.equal(free(), 0);
    await revoke("jane");
    assert.ok(statSync(reserve).size > 0, "what was not needed is put back");
    fillDisk(disk);
    assert.equal((await aigw(home, ["secret", "rotate", "--yes"])).code, 0);
    assert.equal(await call("mary"), 401, "every token is dead");
    fillDisk(disk);
    const refused = await aigw(home, ["client", "add", "new"]);
    assert.equal(refused.code, 6, "the reserve is not for that");
    assert.match(refused.stderr, /^error: The disk that holds [^\n]+ is full/);

    gateway.child.kill("SIGKILL");
    await gateway.done;
    fillDisk(disk);
    assert.equal((await aigw(home, ["client", "list"])).code, 0, "reading goes on");
    fillDisk(disk);
    const { client } = await aigwJson<{ client: { status: string } }>(home, [
      ...["client", "revoke", "mary", "--yes"],
      // For the gateway that was killed.
      "--no-wait",
    ]);
    assert.equal(client.status, "revoked");

    release();
    assert.ok(statSync(reserve).size > 0, "for the next time");
    await withHome(home, async (opened) => {
      await assertSound(opened);
      const actions = (await allChanges(opened.store)).map(({ action, subject }) => `${action} ${subject}`);
      assert.deepEqual(
        actions.filter((act) => /revoke/.test(act)),
        ["client.revoke john", "client.revoke jane", "client.revoke mary"],
      );
    });
  });
});
