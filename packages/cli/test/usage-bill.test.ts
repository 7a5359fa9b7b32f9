import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { UsageEvent } from "@aigw/core";
import { anEvent, FixedClock } from "@aigw/core/testing";
import { aigw, json, jsonError, opened, type RunOptions, temporaryHome } from "./support/harness.ts";

/** In February: the last month that is over is January. */
const NOW = Date.UTC(2027, 1, 10, 12);
const JANUARY = Date.UTC(2027, 0, 1);
const DAY = 86_400_000;
const clock = new FixedClock(NOW);

const read = { metered: "yes", from: "answer" } as const;
const EVENTS: readonly UsageEvent[] = [
  ...[
    { client: "john", service: "chat", model: "gpt-4o", units: { input_tokens: 1_500_000_000 }, cost: 1_230_000 },
    { client: "john", service: "chat", model: "gpt-4o", units: { input_tokens: 500_000 }, cost: 4 },
    {
      client: "john",
      service: "chat",
      model: "<script>alert(1)</script>",
      units: { input_tokens: 1_000_000 },
      cost: null,
    },
    { client: "mary", service: "ocr", units: { pages: 3_000_000 }, cost: 30_000 },
  ].map((fields) => anEvent({ at: JANUARY + 5 * DAY, ...read, ...fields })),
  anEvent({
    at: JANUARY + 5 * DAY,
    client: "john",
    service: "chat",
    units: {},
    metered: "no",
    unread: "not_json",
    cost: null,
  }),
  anEvent({ at: JANUARY + 6 * DAY, client: "john", service: "files" }),
  // No use: refused, and a trial.
  anEvent({ at: JANUARY + 6 * DAY, client: "eve", service: "chat", status: 403, outcome: "denied" }),
  anEvent({ at: JANUARY + 6 * DAY, client: "john", service: "chat", status: 429, outcome: "limited", count: 900 }),
  anEvent({ at: JANUARY + 6 * DAY, client: "john:trial", service: "chat" }),
  // Half an hour before the end in UTC: it is February in Berlin, and still December there at the beginning.
  anEvent({
    at: Date.UTC(2027, 1) - DAY / 48,
    client: "mary",
    service: "ocr",
    units: { pages: 10_000_000 },
    ...read,
    cost: 1,
  }),
  anEvent({ at: JANUARY - DAY / 48, client: "mary", service: "ocr", units: { pages: 100_000_000 }, ...read, cost: 2 }),
];

const prepared = async (t: TestContext) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  await aigw(home, ["client", "add", "john", "--display-name", "John & Söhne", "-q"]);
  await aigw(home, ["client", "add", "eve", "-q"]);
  const { store } = await opened(t, home);
  await store.traffic.recordUsage(EVENTS);
  const bill = (argv: readonly string[], options: RunOptions = {}) =>
    aigw(home, ["usage", "bill", ...argv], { clock, env: { NO_COLOR: "1" }, ...options });
  return { home, store, bill };
};

interface Bills {
  readonly month: string;
  readonly bills: readonly { readonly client: string; readonly total: Readonly<Record<string, unknown>> }[];
}

test("bill has a page for each client of the last month that is over, with exactly the documented fields", async (t) => {
  const { bill } = await prepared(t);
  const nothing = { unpriced: 0, unread: 0, estimated: 0 };
  assert.deepEqual(json(await bill(["--json"])), {
    ...{ month: "2027-01", timezone: "UTC", currency: null },
    ...{ since: "2027-01-01T00:00:00.000Z", until: "2027-02-01T00:00:00.000Z" },
    bills: [
      {
        ...{ client: "john", displayName: "John & Söhne" },
        lines: [
          {
            ...{ service: "chat", model: null, requests: 1, units: {}, cost: null },
            ...{ ...nothing, unpriced: 1, unread: 1 },
          },
          {
            ...{ service: "chat", model: "<script>alert(1)</script>", requests: 1, units: { input_tokens: 1 } },
            ...{ cost: null, ...nothing, unpriced: 1 },
          },
          {
            ...{ service: "chat", model: "gpt-4o", requests: 2, units: { input_tokens: 1_500.5 } },
            ...{ cost: 1.230004, ...nothing },
          },
          { service: "files", model: null, requests: 1, units: {}, cost: null, ...nothing },
        ],
        total: { requests: 5, units: { input_tokens: 1_501.5 }, cost: 1.230004, ...nothing, unpriced: 2, unread: 1 },
      },
      {
        ...{ client: "mary", displayName: null },
        lines: [{ service: "ocr", model: null, requests: 2, units: { pages: 13 }, cost: 0.030001, ...nothing }],
        total: { requests: 2, units: { pages: 13 }, cost: 0.030001, ...nothing },
      },
    ],
  });
  const { stdout } = await bill(["--month", "2027-01"], { terminal: 100 });
  assert.match(
    stdout,
    /^John & Söhne \(john\) {2}Usage in January 2027\n2027-01-01 00:00 to 2027-02-01 00:00 UTC\n\nService/,
  );
  assert.match(stdout, /chat +gpt-4o +2 +1,500\.5 +1\.23\n/);
  assert.match(stdout, /Total +5 +1,501\.5 +1\.23\n\n2 calls had no price, and are not in the cost\./);
  assert.match(stdout, /Of 4 calls that were metered, 1 could not be read\.\n\n\nmary {2}Usage in January 2027/);
  assert.doesNotMatch(stdout, /eve|trial/);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
  assert.equal((await bill(["-q"])).stdout, "john\nmary\n");
});

test("bill goes by the month of the setting timezone, and in its currency", async (t) => {
  const { home, bill } = await prepared(t);
  await aigw(home, ["config", "set", "timezone", "Europe/Berlin"]);
  await aigw(home, ["config", "set", "currency", "EUR"]);
  const mary = async (month: string): Promise<unknown> =>
    json<Bills>(await bill(["--month", month, "--client", "mary", "--json"])).bills[0]?.total["units"];
  assert.deepEqual([await mary("2027-01"), await mary("2027-02")], [{ pages: 103 }, { pages: 10 }]);
  const { stdout, stderr } = await bill(["--month", "2027-02"], { terminal: 90 });
  assert.match(stdout, /Cost \(EUR\)/);
  assert.match(stdout, /2027-01-31 23:00 to 2027-02-28 23:00 UTC: a month in Europe\/Berlin/);
  assert.match(stderr, /2027-02 is not over: this is up to now\./);
  const csv = (await bill(["--csv"])).stdout.trimEnd().split("\n");
  assert.deepEqual(csv, [
    "month,client,service,model,requests,input_tokens,pages,cost,currency,unpriced",
    "2027-01,john,chat,,1,0,0,,EUR,1",
    "2027-01,john,chat,<script>alert(1)</script>,1,1,0,,EUR,1",
    "2027-01,john,chat,gpt-4o,2,1500.5,0,1.230004,EUR,0",
    "2027-01,john,files,,1,0,0,,EUR,0",
    "2027-01,mary,ocr,,2,0,103,0.030002,EUR,0",
  ]);
});

test("bill as HTML is one private file, a section for each client, and nothing that a service says is markup", async (t) => {
  const { home, bill } = await prepared(t);
  const file = join(home, "january.html");
  const { code, stdout } = await bill(["--html", file]);
  assert.deepEqual([code, stdout], [0, `${file}: 2 bills of 2027-01.\n`]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const html = readFileSync(file, "utf8");
  assert.equal(html.split("<section>").length, 3);
  assert.match(html, /break-after: page/);
  assert.match(html, /John &#38; Söhne \(john\)/);
  assert.match(html, /<td>&#60;script&#62;alert\(1\)&#60;\/script&#62;<\/td>/);
  assert.doesNotMatch(html, /<script|https?:|src=|eve/);
  const again = await bill(["--html", file, "--client", "mary"]);
  assert.equal(again.code, 5);
  assert.match(again.stderr, /is there already/);
  assert.equal(readFileSync(file, "utf8"), html);
  assert.equal((await bill(["--html", file, "--client", "mary", "--force"])).code, 0);
  assert.doesNotMatch(readFileSync(file, "utf8"), /john/);
});

test("bill refuses what it cannot do, and says where there is nothing", async (t) => {
  const { store, home, bill } = await prepared(t);
  for (const [argv, message] of [
    [["--month", "2027-13"], /--month: month '2027-13' is not valid: use one such as 2027-01/],
    [["--month", "January"], /--month: month 'January'/],
    [["--csv", "--json"], /--csv, --html and --json exclude each other/],
    [["--force"], /--force goes with --html/],
  ] as const) {
    const { code, stdout, stderr } = await bill(argv);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
  }
  assert.deepEqual(
    [(await bill(["--client", "nobody"])).code, jsonError(await bill(["--client", "nobody", "--json"])).code],
    [3, "not_found"],
  );
  const none = await bill(["--month", "2020-01"]);
  assert.deepEqual([none.code, none.stdout.trim()], [0, ""]);
  assert.match(none.stderr, /Nobody was let through to a service in 2020-01/);
  const eve = await bill(["--client", "eve"]);
  assert.match(eve.stdout, /^eve {2}Usage in January 2027\n.*\n\nNo calls\./);

  // What is left of pruned days are days of UTC: the bill says so.
  await aigw(home, ["config", "set", "timezone", "America/New_York"]);
  while ((await store.traffic.foldUsage(1_000)).more);
  while ((await store.traffic.pruneUsage(NOW, 1_000)).more);
  const pruned = await bill(["--json"]);
  assert.equal(json<{ since: string }>(pruned).since, "2027-01-01T00:00:00.000Z");
  assert.match((await bill([])).stderr, /have been pruned: the bill is of whole days of UTC/);
});
