import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { aigw as inProcess } from "../../packages/cli/test/support/harness.ts";
import { aigw, aigwJson, type RunningGateway, spawnAigw, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { lockDatabase } from "../support/lock.ts";
import { prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { ONLY_AT_FULL_SIZE } from "../support/rounds.ts";
import { until, within } from "../support/until.ts";

interface StatusJson {
  readonly confirmed: boolean;
  readonly gateways: readonly { readonly id: string; readonly silent: boolean; readonly lastSeenAgoMs: number }[];
}

interface DoctorJson {
  readonly findings: readonly { readonly code: string; readonly message: string }[];
}

const keysOf = (home: string) => withHome(home, async ({ store }) => (await store.control.snapshot()).keyring);

const setUp = async (t: TestContext) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, {
    services: { echo: echo.url },
    clients: { john: UNLIMITED, mary: UNLIMITED },
  });
  const gateways = await Promise.all([startGatewayProcess(t, home), startGatewayProcess(t, home)]);
  const serves = async ({ url }: RunningGateway, token: string): Promise<number> =>
    (await send(`${url}/api/echo`, { headers: bearer(token) })).status;
  /** The keys that are not retired. */
  const inUse = async (): Promise<readonly string[]> =>
    (await keysOf(home)).filter(({ status }) => status !== "retired").map(({ kid, status }) => `${kid} ${status}`);
  return { home, passwords, gateways, serves, inUse, presence: join(home, "aigw.gateways") };
};

/** From now on nothing that the gateway says gets through. @returns lets it */
const silence = (presence: string, id: string): (() => void) => {
  const blocker = join(presence, `${id}.json.new`);
  mkdirSync(blocker);
  // What it said last, as old as it would be after so long: the tests do not wait.
  const path = join(presence, `${id}.json`);
  const record = JSON.parse(readFileSync(path, "utf8")) as { seenAt: number };
  writeFileSync(path, JSON.stringify({ ...record, seenAt: record.seenAt - 20_000 }));
  return () => rmdirSync(blocker);
};

const refuses = (statuses: readonly number[]): boolean => statuses.every((status) => status === 401);

describe("who runs", { concurrency: 2 }, () => {
  it("is known while the usage database is locked: receipts, a rotation with --grace, status, doctor", async (t) => {
    const { home, passwords, gateways, serves } = await setUp(t);
    const [one, two] = gateways;
    const token = await tokenFor(one.url, "john", passwords["john"] ?? "");
    assert.equal(await serves(two, token), 200);
    await lockDatabase(t, join(home, "aigw.usage.db"));

    const revoked = await aigw(home, ["client", "revoke", "john", "--yes"]);
    assert.match(revoked.stdout, /john revoked\. 2 of 2 gateways applied it \(slowest \d+ ms\)\./, revoked.stderr);
    assert.equal(revoked.code, 0);
    assert.ok(refuses(await Promise.all(gateways.map((gateway) => serves(gateway, token)))));

    const rotated = await aigw(home, ["secret", "rotate", "--grace", "60m", "--yes"]);
    assert.match(rotated.stdout, /2 of 2 gateways applied it/, rotated.stderr);
    const fresh = await tokenFor(one.url, "mary", passwords["mary"] ?? "");
    assert.equal(await serves(two, fresh), 200, "the other one knew the key before it signed");

    const status = await aigwJson<StatusJson>(home, ["status"]);
    assert.equal(status.confirmed, true);
    assert.deepEqual(
      status.gateways.map(({ id, silent }) => [id, silent]).sort(),
      [
        [one.id, false],
        [two.id, false],
      ].sort(),
    );
    const doctor = JSON.parse((await aigw(home, ["doctor", "--json"])).stdout) as DoctorJson;
    assert.equal(doctor.findings.filter(({ code }) => code === "gateway_ready").length, 2);
  });

  it("is not known of gateways that cannot report: every command says so and exits 1, --grace changes nothing", async (t) => {
    const { home, passwords, gateways, serves, inUse, presence } = await setUp(t);
    const token = await tokenFor(gateways[0].url, "john", passwords["john"] ?? "");
    const before = await inUse();
    assert.match(before.join(), /^k_\w+ active$/);
    const speak = gateways.map(({ id }) => silence(presence, id));
    const commands = [
      ["client", "revoke", "john", "--yes", "--json"],
      ["secret", "rotate", "--grace", "60m", "--yes"],
      ["status"],
      ["status", "--json"],
      ["doctor", "--json"],
    ];
    // One after the other in what they change: the rotation and the revocation wait for 3 s each.
    const [revoke, rotate, status, statusJson, doctor] = await Promise.all(commands.map((args) => aigw(home, args)));
    assert.ok(revoke && rotate && status && statusJson && doctor);
    for (const { code, stdout, stderr } of [revoke, rotate, status, statusJson, doctor]) {
      assert.equal(code, 1, stderr);
      for (const { id } of gateways) assert.ok(`${stdout}${stderr}`.includes(id), `${id} in ${stderr}`);
    }
    const { receipt } = JSON.parse(revoke.stdout) as { receipt: { complete: boolean; gateways: object[] } };
    assert.deepEqual([receipt.complete, receipt.gateways.length], [false, 2]);
    assert.match(revoke.stderr, /"code":"not_applied"/);
    await until("what was revoked to be refused all the same", async () =>
      refuses(await Promise.all(gateways.map((gateway) => serves(gateway, token)))),
    );
    assert.match(rotate.stderr, /The secret was not rotated: .* did not confirm the new key\./);
    assert.deepEqual(await inUse(), before, "the old key signs on, and it alone");
    assert.match(status.stdout, /Gateways +2, not all of them confirmed/);
    assert.match(
      status.stderr,
      /error: What is in force on 2 of 2 gateways could not be confirmed: .* runs and has not reported for 2\d s/,
    );
    const shown = JSON.parse(statusJson.stdout) as StatusJson;
    assert.equal(shown.confirmed, false);
    assert.deepEqual(
      shown.gateways.map(({ silent }) => silent),
      [true, true],
    );
    assert.match(statusJson.stderr, /"code":"unconfirmed"/);
    const { findings } = JSON.parse(doctor.stdout) as DoctorJson;
    assert.equal(findings.filter(({ code }) => code === "gateway_unconfirmed").length, 2);

    for (const again of speak) again();
    await until("both to report again", async () => (await inProcess(home, ["status"])).code === 0);
    const restored = await inProcess(home, ["client", "restore", "john"]);
    assert.match(restored.stdout, /2 of 2 gateways applied it/);
  });

  it(
    "is known of a gateway that was killed: its lease runs out, however silent it was",
    ONLY_AT_FULL_SIZE,
    async (t) => {
      const { home, gateways, presence } = await setUp(t);
      const [one, two] = gateways;
      silence(presence, one.id);
      one.child.kill("SIGKILL");
      await one.done;
      const { code, stdout, stderr } = await aigw(home, ["client", "revoke", "john", "--yes"]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /1 of 1 gateways applied it/);
      const { gateways: seen, confirmed } = await aigwJson<StatusJson>(home, ["status"]);
      assert.deepEqual([confirmed, seen.map(({ id }) => id)], [true, [two.id]]);
    },
  );

  it("when that cannot be read, it is not 'nobody': status, doctor, revoke and --grace exit 1", async (t) => {
    const { home } = await prepareHome(t, { clients: { john: UNLIMITED } });
    writeFileSync(join(home, "aigw.gateways"), "", { mode: 0o600 });
    for (const args of [
      ["status"],
      ["doctor"],
      ["client", "revoke", "john", "--yes"],
      ["secret", "rotate", "--grace", "1m", "--yes"],
    ]) {
      const { code, stdout, stderr } = await inProcess(home, args);
      assert.equal(code, 1, `${args.join(" ")}: ${stderr}`);
      assert.match(`${stdout}${stderr}`.replaceAll(/\s+/g, " "), /could not be confirmed/, args.join(" "));
      assert.doesNotMatch(`${stdout}${stderr}`, /[Nn]o gateway is running|none is running/, args.join(" "));
    }
    const { keys } = await aigwJson<{ keys: { status: string }[] }>(home, ["secret", "list"]);
    assert.deepEqual(keys.map(({ status }) => status).sort(), ["active", "retired"], "published, and taken back");
    for (const more of [[], ["--workers", "2"]]) {
      const serve = await aigw(home, ["serve", "--port", "0", ...more]);
      assert.deepEqual([serve.code, serve.stdout], [6, ""], serve.stderr);
      assert.match(
        serve.stderr,
        /error: The gateway cannot report that it runs, so no receipt would count it\. .*aigw\.gateways/,
      );
    }
  });
});

describe("a rotation with --grace that is broken off while it waits", { concurrency: true }, () => {
  const waiting = async (t: TestContext) => {
    const { home, gateways, inUse, presence } = await setUp(t);
    const speak = silence(presence, gateways[0].id);
    const { child, done } = spawnAigw(home, ["secret", "rotate", "--grace", "60m", "--yes"]);
    await until("the key to be published", async () => (await inUse()).some((key) => key.endsWith(" published")));
    return { home, child, done, inUse, speak };
  };

  it(
    "by kill -9: the next one says when it can begin, and without --grace can at once",
    ONLY_AT_FULL_SIZE,
    async (t) => {
      const { home, child, done, inUse } = await waiting(t);
      child.kill("SIGKILL");
      await done;
      const next = await aigw(home, ["secret", "rotate", "--grace", "60m", "--yes"]);
      assert.equal(next.code, 5);
      const [, seconds = ""] =
        /If it was killed, this works in (\d+) s; without --grace at once\./.exec(next.stderr) ?? [];
      assert.ok(Number(seconds) >= 1 && Number(seconds) <= 10, next.stderr);
      await aigw(home, ["secret", "rotate", "--yes"]);
      assert.equal((await inUse()).length, 1);
    },
  );

  it("by Ctrl-C: the new key is taken back and nothing holds up the next one", async (t) => {
    const { home, child, done, inUse, speak } = await waiting(t);
    child.kill("SIGINT");
    const { code, stderr } = await within("its end", done);
    assert.equal(code, 130);
    assert.match(stderr, /The secret was not rotated\./);
    assert.equal((await inUse()).length, 1);
    speak();
    const next = await aigw(home, ["secret", "rotate", "--grace", "60m", "--yes"]);
    assert.equal(next.code, 0, next.stderr);
  });
});
