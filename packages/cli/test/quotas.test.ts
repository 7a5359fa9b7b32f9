import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "@aigw/core";
import { currentQuotas, quotaTerms } from "@aigw/core/quotas";
import { FixedClock } from "@aigw/core/testing";
import { aigw, json, opened, temporaryHome } from "./support/harness.ts";

interface QuotaDocument {
  readonly client: string;
  readonly quotas: readonly Readonly<Record<string, unknown>>[];
}

const MILLION = 1_000_000;

test("client quota: what the store has counted, what is left, when it starts anew, and a bar", async (t) => {
  const home = temporaryHome(t);
  assert.equal((await aigw(home, ["client", "add", "john", "-q"])).code, 0);
  const none = await aigw(home, ["client", "quota", "john"]);
  assert.deepEqual([none.code, none.stdout], [0, ""]);
  assert.match(none.stderr, /john has no quota\. Give it one: aigw client set john --quota/);

  const given = "requests=10000/day, input_tokens+output_tokens=2M/month, pages=500/week, cost=20/month";
  assert.equal((await aigw(home, ["client", "set", "john", "--quota", given])).code, 0);
  assert.equal((await aigw(home, ["config", "set", "timezone", "Asia/Kathmandu"])).code, 0);
  const shown = json<{ client: { quotas: string } }>(await aigw(home, ["client", "show", "john", "--json"]));
  assert.equal(shown.client.quotas, given);

  const { store } = await opened(t, home);
  const client = (await store.control.client("john")) as Client;
  const terms = quotaTerms(client, client.quota, "Asia/Kathmandu");
  assert.ok(terms);
  const now = store.traffic.steadyNow();
  const [requests, tokens, pages] = currentQuotas(terms, now);
  assert.ok(requests && tokens && pages);
  const [input = "", output = ""] = tokens.countKeys;
  await store.traffic.setQuotaRecord(client.id, 0, {
    used: {
      [requests.countKeys[0] as string]: [2_500, requests.period.end],
      [input]: [300_000 * MILLION, tokens.period.end],
      [output]: [0.5 * MILLION, tokens.period.end],
      [pages.countKeys[0] as string]: [502 * MILLION, pages.period.end],
    },
    holders: { gw: { seq: 1, at: now, held: { [requests.sumKey]: [40, requests.period.end] } } },
  });
  const document = json<QuotaDocument>(await aigw(home, ["client", "quota", "john", "--json"]));
  assert.equal(document.client, "john");
  const at = (end: number): string => new Date(end).toISOString();
  assert.deepEqual(document.quotas.slice(0, 3), [
    {
      unit: "requests",
      per: "day",
      limit: 10_000,
      used: 2_500,
      reserved: 40,
      left: 7_460,
      resetsAt: at(requests.period.end),
    },
    {
      unit: "input_tokens+output_tokens",
      per: "month",
      limit: 2_000_000,
      used: 300_000.5,
      reserved: 0,
      left: 1_699_999.5,
      resetsAt: at(tokens.period.end),
    },
    { unit: "pages", per: "week", limit: 500, used: 502, reserved: 0, left: 0, resetsAt: at(pages.period.end) },
  ]);
  assert.match(at(requests.period.end), /T18:15:00\.000Z$/, "midnight in Kathmandu");
  const table = await aigw(home, ["client", "quota", "john"], { terminal: 100 });
  assert.match(table.stdout, /requests=10000\/day +2500 +7460 +in \d+ (?:h|min|s) +█████░{15} +40/);
  assert.match(table.stdout, /pages=500\/week +502 +\S*0\S* +in .* █{20}/);
  assert.equal((await aigw(home, ["client", "quota", "john", "-q"])).stdout.split("\n")[0], "requests/day 7460");
});

test("client grant raises what there is a quota for, to the end of a day in the setting timezone, on record", async (t) => {
  const home = temporaryHome(t);
  const clock = new FixedClock(Date.UTC(2026, 10, 25, 12));
  const run = (...argv: string[]) => aigw(home, argv, { clock });
  await run("client", "add", "john", "--quota", "pages=500/week", "-q");
  await run("config", "set", "timezone", "Europe/Berlin");
  const until = ["--until", "2026-12-01"];
  const granted = await run("client", "grant", "john", "pages=+500", ...until, "--note", "the fair", "--no-wait");
  assert.deepEqual([granted.code, granted.stderr], [0, ""]);
  assert.match(granted.stdout, /^john may use more until 2026-12-01T23:00:00\.000Z: pages=\+500\. /);
  const limit = async (): Promise<unknown> =>
    json<QuotaDocument>(await run("client", "quota", "john", "--json")).quotas[0]?.["limit"];
  assert.equal(await limit(), 1_000);
  assert.equal((await run("client", "grant", "john", "pages=2.5", "--until", "1d", "--no-wait")).code, 0);
  assert.equal(await limit(), 1_002.5);
  assert.match((await run("client", "quota", "john")).stderr, /Granted: pages=\+500 until .* \(the fair\)\./);
  assert.match(
    (await run("audit", "list")).stdout,
    /granted none → pages=\+500 until 2026-12-01T23:00:00\.000Z \(the fair\)/,
  );
  for (const [argv, said] of [
    [["images=+5", ...until], /john has no quota of images that could be raised; it has quotas of: pages/],
    [["pages=+0", ...until], /grant 'pages=\+0' is not valid/],
    [["pages", ...until], /grant 'pages' is not valid/],
    [["pages=+5", "--until", "2026-11-24"], /'2026-11-24' lies in the past/],
    [["pages=+5", "--until", "2026-02-30"], /there is no such day/],
    [["pages=+5"], /Say until when it is granted, with --until/],
    [until, /Say what is granted, such as pages=\+500/],
  ] as const) {
    const refused = await run("client", "grant", "john", ...argv);
    assert.match(refused.stderr, said);
    assert.equal(refused.code, 2, refused.stderr);
  }
  assert.equal(await limit(), 1_002.5);
});

test("client set --quota none takes away also what the plan gives, --no-quota gives it back; --reset needs one", async (t) => {
  const home = temporaryHome(t);
  const quotas = async (): Promise<unknown> =>
    json<{ client: { quotas: unknown } }>(await aigw(home, ["client", "show", "john", "--json"])).client.quotas;
  await aigw(home, ["plan", "add", "basic", "--quota", "requests=5/hour", "--no-wait"]);
  await aigw(home, ["client", "add", "john", "--plan", "basic", "-q"]);
  assert.equal(await quotas(), "requests=5/hour");
  await aigw(home, ["client", "set", "john", "--quota", "none"]);
  assert.equal(await quotas(), null);
  const refused = await aigw(home, ["client", "quota", "john", "--reset"]);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(refused.stderr, /john has no quota/);
  await aigw(home, ["client", "set", "john", "--no-quota"]);
  assert.equal(await quotas(), "requests=5/hour");
  const reset = await aigw(home, ["client", "quota", "john", "--reset"]);
  assert.deepEqual([reset.code, reset.stderr], [0, ""]);
  assert.equal(reset.stdout, "john's quotas start anew. No gateway is running; the next one starts with it.\n");
  const wrong = await aigw(home, ["client", "set", "john", "--quota", "requests=5/year"]);
  assert.match(
    wrong.stderr,
    /--quota: quota 'requests=5\/year' is not valid: a period is one of hour, day, week, month/,
  );
  assert.equal((await aigw(home, ["client", "quota", "jon"])).code, 3);
});
