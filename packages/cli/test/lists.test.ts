import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { addClient, type Clock, restoreClient, revokeClient, setSetting, type UsageEvent } from "@aigw/core";
import { aigw, json, opened, temporaryHome } from "./support/harness.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2027, 5, 10, 12);
const at = (time: number): Clock => ({ now: () => time, monotonic: () => 0 });

const call = (client: string, time: number): UsageEvent => ({
  id: `${client}.${time}`,
  at: time,
  client,
  service: "ocr",
  method: "POST",
  path: "/api/ocr",
  status: 200,
  latencyMs: 1,
  bytesIn: 1,
  bytesOut: 1,
  requestId: `${client}-${time}`,
  outcome: "ok",
});

/** ann called a day ago, bob 40 days ago and is revoked, cat never, dan before its time, eve has expired. */
const prepared = async (t: TestContext): Promise<string> => {
  const home = temporaryHome(t);
  const run = async (...argv: string[]): Promise<void> => {
    const { code, stderr } = await aigw(home, argv, { clock: at(NOW - 50 * DAY) });
    assert.equal(code, 0, stderr);
  };
  await run("service", "add", "ocr", "http://127.0.0.1:1", "--no-check");
  await run("service", "add", "chat", "http://127.0.0.1:1", "--no-check");
  await run("client", "add", "ann", "--services", "ocr", "--limit", "5");
  await run("client", "add", "bob", "--services", "ocr,chat", "--limit", "600");
  await run("client", "add", "cat");
  await run("client", "add", "eve", "--services", "chat", "--expires", "2027-06-01");
  await run("client", "revoke", "bob", "--yes");
  const { store, sealer } = await opened(t, home);
  await addClient({ store, sealer, clock: at(NOW - 2 * DAY), actor: "test" }, { name: "dan" });
  await store.traffic.recordUsage([
    call("ann", NOW - DAY),
    call("ann", NOW - 30 * DAY),
    call("bob", NOW - 40 * DAY),
    call("dan", NOW - 10 * DAY),
    call("cat:trial", NOW),
  ]);
  return home;
};

test("client list: filters, order, limit, last calls and totals", async (t) => {
  const home = await prepared(t);
  const list = (...argv: string[]): ReturnType<typeof aigw> =>
    aigw(home, ["client", "list", ...argv], { clock: at(NOW) });
  const names = async (...argv: string[]): Promise<string> =>
    (await list(...argv, "-q")).stdout.trim().split("\n").join(" ");
  for (const [argv, expected] of [
    [[], "ann bob cat dan eve"],
    [["--status", "active"], "ann cat dan"],
    [["--status", "revoked,expired"], "bob eve"],
    [["--service", "ocr"], "ann bob cat dan"],
    [["--service", "chat", "--status", "active"], "cat dan"],
    [["--idle", "30d"], "bob cat eve"],
    [["--idle", "23h"], "ann bob cat dan eve"],
    [["--idle", "45d"], "cat eve"],
    [["--idle", "30d", "--status", "active"], "cat"],
    [["--sort", "last-call"], "ann bob cat dan eve"],
    [["--sort", "created"], "dan ann bob cat eve"],
    [["--sort", "expires"], "eve ann bob cat dan"],
    [["--sort", "limit"], "bob cat dan eve ann"],
    [["--sort", "status"], "ann cat dan eve bob"],
    [["--sort", "limit", "--limit", "2"], "bob cat"],
    [["--limit", "99"], "ann bob cat dan eve"],
  ] as const) {
    assert.equal(await names(...argv), expected, argv.join(" "));
  }

  const asJson = json<{ clients: { name: string; lastCallAt: string | null }[]; total: unknown }>(
    await list("--json", "--limit", "4"),
  );
  assert.deepEqual(
    asJson.clients.map(({ name, lastCallAt }) => [name, lastCallAt]),
    [
      ["ann", new Date(NOW - DAY).toISOString()],
      ["bob", new Date(NOW - 40 * DAY).toISOString()],
      ["cat", null],
      ["dan", null],
    ],
    "neither a trial, nor a call of another client of this name",
  );
  assert.deepEqual(asJson.total, { clients: 5, active: 3, revoked: 1, expired: 1 }, "of all that match");
  const piped = await list();
  assert.equal(piped.stderr, "");
  assert.match(piped.stdout, /^NAME +STATUS +LAST CALL +LIMIT/);
  assert.match(piped.stdout, /\nann +active +2027-06-09T12:00:00\.000Z +5 /);
  const shown = await aigw(home, ["client", "list", "--limit", "3"], {
    clock: at(NOW),
    terminal: 120,
    env: { NO_COLOR: "1" },
  });
  assert.match(shown.stdout, /ann .*active .*24 h ago/);
  assert.match(shown.stdout, /cat .*active .*never/);
  assert.equal(shown.stderr, "5 clients: 3 active, 1 expired, 1 revoked. The first 3 are shown.\n");
  const none = await list("--idle", "60d");
  assert.deepEqual([none.code, none.stdout, none.stderr], [0, "", "None of 5 clients matches.\n"]);
});

test("client list: what a filter does not know, it says; without the calls it says whom there is", async (t) => {
  const home = await prepared(t);
  for (const [argv, code, says] of [
    [["--service", "orc"], 3, /no service 'orc'\. Did you mean ocr\?/],
    [["--status", "activ"], 2, /--status: status 'activ' is not valid: use .*\. Did you mean active\?/],
    [["--status", "active,gone"], 2, /'gone' is not valid: use one or more of active, expired, revoked\./],
    [["--sort", "lastcall"], 2, /--sort: key 'lastcall' is not valid: use one of name, .*\. Did you mean last-call\?/],
    [["--idle", "month"], 2, /--idle: age 'month' is not valid: use one such as 30d/],
    [["--limit", "0"], 2, /--limit: number '0' is not valid/],
  ] as const) {
    const refused = await aigw(home, ["client", "list", ...argv]);
    assert.deepEqual([refused.code, refused.stdout], [code, ""], argv.join(" "));
    assert.match(refused.stderr, says);
  }
  // A service that is gone is still on john's list.
  await aigw(home, ["service", "remove", "ocr", "--yes"]);
  assert.equal((await aigw(home, ["client", "list", "--service", "ocr", "-q"])).stdout, "ann\nbob\ncat\ndan\n");

  const broken = temporaryHome(t);
  await aigw(broken, ["client", "add", "john"]);
  writeFileSync(join(broken, "aigw.usage.db"), "no database", { mode: 0o600 });
  const listed = await aigw(broken, ["client", "list"]);
  assert.equal(listed.code, 0);
  assert.match(listed.stdout, /\njohn +active +- +60/);
  assert.match(listed.stderr, /^warning: When they called last cannot be read: /);
  assert.deepEqual(await aigw(broken, ["client", "list", "-q"]), { code: 0, stdout: "john\n", stderr: "" });
  assert.equal((await aigw(broken, ["client", "list", "--idle", "30d"])).code, 6, "not everybody is idle");
});

test("audit list: since when, by whom, what", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const { store, sealer } = await opened(t, home);
  const by = (actor: string, time: number) => ({ store, sealer, clock: at(time), actor });
  await addClient(by("ann@laptop", NOW - 9 * DAY), { name: "john" });
  await addClient(by("bob@desk", NOW - 8 * DAY), { name: "mary" });
  await revokeClient(by("ann@desk", NOW - 2 * DAY), "john");
  await restoreClient(by("bob@desk", NOW - DAY), "john");
  await setSetting(by("ann@laptop", NOW - 1), "sender-name", "Ann");
  const list = (...argv: string[]): ReturnType<typeof aigw> =>
    aigw(home, ["audit", "list", ...argv], { clock: at(NOW) });
  const found = async (...argv: string[]): Promise<string> =>
    json<{ changes: { action: string; subject: string }[] }>(await list("--json", ...argv))
      .changes.map(({ action, subject }) => `${action} ${subject}`)
      .join(", ");
  for (const [argv, expected] of [
    [["--since", "3d"], "config.set sender-name, client.restore john, client.revoke john"],
    [["--since", "2027-06-10"], "config.set sender-name"],
    [["--actor", "ann@desk"], "client.revoke john"],
    [["--actor", "ann"], "config.set sender-name, client.revoke john, client.add john"],
    [["--actor", "ann", "-n", "1"], "config.set sender-name"],
    [["--action", "client.revoke,config"], "config.set sender-name, client.revoke john"],
    [["--action", "client", "--actor", "bob"], "client.restore john, client.add mary"],
    [["--subject", "john", "--action", "client.add"], "client.add john"],
    [["--subject", "john", "--actor", "bob", "--since", "7d"], "client.restore john"],
    [["--subject", "mary", "--since", "7d"], ""],
    [["--action", "service"], ""],
  ] as const) {
    assert.equal(await found(...argv), expected, argv.join(" "));
  }
  assert.match((await list("--action", "service")).stderr, /No change matches/);
  for (const [argv, code, says] of [
    [["--actor", "anne"], 3, /No change is by 'anne'\. Did you mean ann\? Changes are by: .*ann@laptop/],
    [["--actor", "zzzzz"], 3, /No change is by 'zzzzz'\. Changes are by: /],
    [["--subject", "jon"], 3, /No change is about 'jon'.* Did you mean john\?/],
    [["--subject", "jon", "--action", "client"], 3, /No change is about 'jon'/],
    [
      ["--action", "client.revok"],
      2,
      /--action: action 'client\.revok' is not valid: use .*\. Did you mean client\.revoke/,
    ],
    [["--since", "soon"], 2, /--since: time 'soon' is not valid/],
  ] as const) {
    const refused = await list(...argv);
    assert.deepEqual([refused.code, refused.stdout], [code, ""], argv.join(" "));
    assert.match(refused.stderr, says);
  }
});
