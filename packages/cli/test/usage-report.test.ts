import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Store, UsageEvent } from "@aigw/core";
import { anEvent, FixedClock } from "@aigw/core/testing";
import { aigw, json, jsonError, opened, type RunOptions, start, temporaryHome } from "./support/harness.ts";

const NOW = Date.UTC(2027, 5, 10, 12, 30);
const HOUR = 3_600_000;
const clock = new FixedClock(NOW);

const EVENTS: readonly UsageEvent[] = [
  { at: NOW - 40 * 24 * HOUR, client: "mary", service: "ocr" },
  { at: NOW - 3 * HOUR, client: "john", service: "ocr", latencyMs: 100, bytesIn: 1, bytesOut: 10 },
  { at: NOW - 3 * HOUR, client: "john", service: "ocr", latencyMs: 100, bytesIn: 1, bytesOut: 10 },
  { at: NOW - HOUR, client: "john", service: "chat", status: 429, outcome: "limited", bytesIn: 0, bytesOut: 0 },
  { at: NOW - HOUR, client: "mary", service: "ocr", status: 502, outcome: "upstream_error", latencyMs: 3_000 },
  { at: NOW - 60_000, client: "mary", service: "ocr", status: 403, outcome: "denied" },
].map((fields) => anEvent(fields as Partial<UsageEvent>));

const prepared = async (t: TestContext): Promise<{ home: string; store: Store }> => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const { store } = await opened(t, home);
  await store.traffic.recordUsage(EVENTS);
  return { home, store };
};

const usage = (home: string, argv: readonly string[], options: RunOptions = {}) =>
  aigw(home, ["usage", ...argv], { clock, ...options });

/** What a row has without a meter and a price. */
const WORTHLESS = { units: {}, cost: null, unpriced: 0, metered: 0, unread: 0, estimated: 0 };

interface Report {
  readonly since: string;
  readonly until: string;
  readonly by: readonly string[];
  readonly rows: readonly Record<string, unknown>[];
  readonly total: Record<string, unknown>;
}

test("report sums up the last 24 hours by client, with exactly the documented fields", async (t) => {
  const { home } = await prepared(t);
  const { code, stdout, stderr } = await usage(home, ["report", "--json"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(JSON.parse(stdout), {
    since: "2027-06-09T12:30:00.000Z",
    until: "2027-06-10T12:30:00.000Z",
    by: ["client"],
    rows: [
      {
        ...{ client: "john", requests: 3, ok: 2, errors: 0, limited: 1, denied: 0, aborted: 0 },
        ...{ bytesIn: 2, bytesOut: 20, latencyMs: { mean: 100, p50: 112, p95: 126.4 }, ...WORTHLESS },
      },
      {
        ...{ client: "mary", requests: 2, ok: 0, errors: 1, limited: 0, denied: 1, aborted: 0 },
        ...{ bytesIn: 2_048, bytesOut: 4_096, latencyMs: { mean: 3_000, p50: 2_560, p95: 3_020.8 }, ...WORTHLESS },
      },
    ],
    total: {
      ...{ requests: 5, ok: 2, errors: 1, limited: 1, denied: 1, aborted: 0, bytesIn: 2_050, bytesOut: 4_116 },
      latencyMs: { mean: 1_066.67, p50: 120, p95: 2_918.4 },
      ...WORTHLESS,
    },
  });
  assert.equal((await usage(home, ["report", "-q"])).stdout, "5\n");
});

test("report goes by every key, filter and period", async (t) => {
  const { home } = await prepared(t);
  const rows = async (...flags: string[]): Promise<string> =>
    json<Report>(await usage(home, ["report", "--json", ...flags]))
      .rows.map(
        (row) =>
          `${["client", "service", "status", "hour", "day"].flatMap((key) => row[key] ?? []).join("/")}=${row["requests"]}`,
      )
      .join(" ");
  assert.equal(await rows("--by", "service"), "ocr=4 chat=1");
  assert.equal(await rows("--by", "status,client"), "john/200=2 mary/403=1 john/429=1 mary/502=1");
  assert.equal(await rows("--by", "client", "--status", "4xx"), "john=1 mary=1");
  assert.equal(await rows("--by", "client", "--service", "chat"), "john=1");
  assert.equal(await rows("--by", "client", "--client", "mary", "--service", "chat"), "");
  assert.equal(await rows("--since", "1m"), "mary=1");
  assert.equal(await rows("--since", "4h", "--until", "2h"), "john=2");
  assert.equal(await rows("--since", "60d"), "john=3 mary=3");
  // Hours and days in which nothing happened are there, too.
  const hours = await rows("--by", "hour", "--since", "4h");
  assert.equal(
    hours,
    [8, 9, 10, 11, 12]
      .map((hour, n) => `2027-06-10T${String(hour).padStart(2, "0")}:00:00.000Z=${[0, 2, 0, 2, 1][n]}`)
      .join(" "),
  );
  assert.match(
    await rows("--by", "day", "--since", "60d"),
    /^2027-04-11=0 .*2027-05-01=1 .*2027-06-09=0 2027-06-10=5$/,
  );
});

test("report refuses what it cannot do, naming flag, value and what is allowed", async (t) => {
  const { home } = await prepared(t);
  for (const [flags, message] of [
    [["--by", "path"], /--by: key 'path' is not valid: use one or more of client, service, status, hour, day/],
    [["--since", "soon"], /--since: time 'soon'/],
    [["--since", "1h", "--until", "2h"], /--until 2027-06-10T10:30:00.000Z is not after --since/],
    [["--csv", "--json"], /--csv and --json exclude each other/],
  ] as const) {
    const { code, stdout, stderr } = await usage(home, ["report", ...flags]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
  }
});

test("report is a table with bars that fits a terminal, and plain for pipes and spreadsheets", async (t) => {
  const { home } = await prepared(t);
  for (const terminal of [46, 60, 80, 200]) {
    const { stdout, stderr } = await usage(home, ["report"], { terminal, env: { NO_COLOR: "1" } });
    for (const line of stdout.split("\n")) assert.ok(line.length <= terminal, line);
    assert.match(stdout, /Requests .*Errors {2}Limited {2}Denied/);
    // A bar is the first to go.
    assert.match(stdout, terminal === 46 ? /john +3 +0 +1 +0/ : /john +3 {2}█{8} +0 +1 +0/);
    assert.equal(/Aborted/.test(stdout), terminal === 200);
    assert.match(
      stderr.replaceAll("\n", " "),
      /2027-06-09 12:30 to 2027-06-10 12:30 UTC: 5 requests, 1 errors, 1 limited, 1 denied/,
    );
  }
  const piped = (await usage(home, ["report"])).stdout;
  assert.match(piped, /^CLIENT +REQUESTS +ERRORS/);
  assert.doesNotMatch(piped, /[█│]/);
  const csv = (await usage(home, ["report", "--csv", "--by", "day", "--client", "john"])).stdout.split("\n");
  assert.equal(
    csv[0],
    "day,requests,ok,errors,limited,denied,aborted,bytesIn,bytesOut,latencyMeanMs,latencyP50Ms,latencyP95Ms",
  );
  assert.deepEqual(csv.slice(1), ["2027-06-09,0,0,0,0,0,0,0,0,,,", "2027-06-10,3,2,0,1,0,0,2,20,100,112,126.4", ""]);
  const none = await usage(home, ["report", "--client", "mary", "--service", "chat"]);
  assert.deepEqual([none.code, none.stdout], [0, ""]);
  assert.match(none.stderr, /No usage matches/);
});

/** A chat service with a meter and prices, beside an OCR service without. */
const METERED: readonly UsageEvent[] = [
  {
    client: "john",
    model: "gpt-4o",
    units: { input_tokens: 1_500_000_000, output_tokens: 7_000_000 },
    cost: 1_234_567,
  },
  { client: "john", model: "llama, 3", units: { input_tokens: 500_000 }, cost: null, plan: "pro" },
  { client: "mary", model: "gpt-4o", units: { input_tokens: 4_000_000_000 }, cost: 12, plan: "pro" },
  { client: "mary", metered: "no" as const, unread: "not_found" as const, cost: null },
].map((fields) => anEvent({ at: NOW - HOUR, service: "chat", metered: "yes", from: "answer", ...fields }));

test("report sums up units, cost and what had no price, by model and plan, in every form", async (t) => {
  const { home, store } = await prepared(t);
  await store.traffic.recordUsage(METERED);
  const report = json<Report>(await usage(home, ["report", "--by", "model", "--service", "chat", "--json"]));
  const row = ({ model, requests, units, cost, unpriced, unread }: Record<string, unknown>) => ({
    ...{ model, requests, units, cost, unpriced, unread },
  });
  assert.deepEqual(report.rows.map(row), [
    { model: "", requests: 2, units: {}, cost: null, unpriced: 1, unread: 1 },
    {
      ...{ model: "gpt-4o", requests: 2, units: { input_tokens: 5_500, output_tokens: 7 } },
      ...{ cost: 1.234579, unpriced: 0, unread: 0 },
    },
    { model: "llama, 3", requests: 1, units: { input_tokens: 0.5 }, cost: null, unpriced: 1, unread: 0 },
  ]);
  const { units, cost, unpriced, metered } = report.total;
  assert.deepEqual([units, cost, unpriced, metered], [{ input_tokens: 5_500.5, output_tokens: 7 }, 1.234579, 2, 4]);

  const csv = (await usage(home, ["report", "--by", "model", "--service", "chat", "--csv"])).stdout.split("\n");
  assert.match(csv[0] ?? "", /^model,requests,.*,latencyP95Ms,input_tokens,output_tokens,cost,unpriced$/);
  assert.match(csv[2] ?? "", /^gpt-4o,2,.*,5500,7,1\.234579,0$/);
  assert.match(csv[3] ?? "", /^"llama, 3",1,.*,0\.5,0,,1$/);

  const wide = await usage(home, ["report"], { terminal: 200, env: { NO_COLOR: "1" } });
  assert.match(wide.stdout, /Denied {2}input_tokens {2}output_tokens +Cost/);
  assert.match(wide.stdout, /john .* 1,500\.5 +7 +1\.23 /);
  assert.match(wide.stdout, /mary .* 4,000 +- +0\.000012/);
  assert.match(
    wide.stderr.replaceAll("\n", " "),
    /5,500\.5 input_tokens, 7 output_tokens, cost 1\.23, 2 without a price, 1 of 4 metered calls unread\./,
  );
  // What was asked for stands in front, and says who comes first.
  const asked = await usage(home, ["report", "--unit", "input_tokens,cost"], {
    terminal: 60,
    env: { NO_COLOR: "1" },
  });
  assert.match(asked.stdout, /^Client +Requests .* input_tokens +Cost .*\nmary .*\njohn /);
  assert.doesNotMatch(asked.stdout, /output_tokens/);
  assert.equal(
    (await usage(home, ["report", "--unit", "input_tokens,cost,bytes_in", "-q"])).stdout.split("\n")[0],
    "5500.5",
  );
  const piped = await usage(home, ["report"]);
  assert.match(piped.stdout, /^CLIENT +REQUESTS .* ABORTED +INPUT_TOKENS +OUTPUT_TOKENS +COST\n/);

  await aigw(home, ["config", "set", "currency", "EUR"]);
  assert.match((await usage(home, ["report"], { terminal: 200 })).stdout, /Cost \(EUR\)/);
  assert.doesNotMatch((await usage(home, ["report"])).stdout, /EUR/);

  const typo = await usage(home, ["report", "--unit", "input_token"]);
  assert.equal(typo.code, 3);
  assert.match(
    typo.stderr,
    /No call on record has the unit 'input_token'.*Did you mean input_tokens or output_tokens\?/s,
  );
  const invalid = await usage(home, ["report", "--unit", "Pages"]);
  assert.equal(invalid.code, 2);
  assert.match(invalid.stderr, /--unit: unit 'Pages' is not valid/);
});

test("report goes by weeks and months, those without a call too", async (t) => {
  const { home, store } = await prepared(t);
  await store.traffic.recordUsage([anEvent({ at: Date.UTC(2026, 11, 31, 23), client: "john" })]);
  const by = async (key: string): Promise<readonly unknown[]> =>
    json<Report>(await usage(home, ["report", "--by", key, "--since", "2026-12-30", "--json"])).rows.map((row) => [
      row[key],
      row["requests"],
    ]);
  assert.deepEqual(await by("month"), [
    ...[
      ["2026-12", 1],
      ["2027-01", 0],
      ["2027-02", 0],
      ["2027-03", 0],
      ["2027-04", 0],
    ],
    ...[
      ["2027-05", 1],
      ["2027-06", 5],
    ],
  ]);
  const weeks = await by("week");
  assert.deepEqual(
    [weeks[0], weeks[1], weeks.at(-1), weeks.length],
    [["2026-W53", 1], ["2027-W01", 0], ["2027-W23", 5], 24],
  );
  const plans = json<Report>(await usage(home, ["report", "--by", "week,client", "--since", "2027-06-01", "--json"]));
  assert.deepEqual(
    plans.rows.map(({ week, client }) => [week, client]),
    [
      ["2027-W23", "john"],
      ["2027-W23", "mary"],
    ],
  );
});

test("export writes every call once, by time, in both formats", async (t) => {
  const { home, store } = await prepared(t);
  const many = Array.from({ length: 2_500 }, (_, n) =>
    anEvent({ at: NOW - 5 * HOUR + Math.floor(n / 3), path: '/a"b,c' }),
  );
  await store.traffic.recordUsage(many);
  const lines = (await usage(home, ["export"])).stdout.trimEnd().split("\n");
  assert.equal(lines.length, 2_506);
  const all = lines.map((line) => JSON.parse(line) as { id: string; at: string; path: string });
  assert.equal(new Set(all.map(({ id }) => id)).size, 2_506);
  assert.deepEqual(
    all.map(({ at }) => at),
    all.map(({ at }) => at).toSorted(),
  );
  const csv = (await usage(home, ["export", "--format", "csv", "--since", "5h", "--until", "4h"])).stdout
    .trimEnd()
    .split("\n");
  assert.equal(csv.length, 2_501);
  assert.equal(
    csv[0],
    "id,at,client,service,method,path,status,latencyMs,upstreamMs,bytesIn,bytesOut,requestId,outcome,reason,count,units,metered,from,model,unread,cost,plan,fallback,queuedMs",
  );
  assert.match(csv[1] ?? "", /,john,ocr,POST,"\/a""b,c",200,12\.5,10,/);
  assert.match(csv[1] ?? "", /,ok,,1,,,,,,,,,$/);
  assert.equal(
    (await usage(home, ["export", "--client", "mary", "--status", "5xx"])).stdout.trimEnd().split("\n").length,
    1,
  );
  const bad = await usage(home, ["export", "--format", "xml"]);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /--format: format 'xml' is not valid: use ndjson or csv/);
});

test("export ends quietly when nobody reads on", async (t) => {
  const { home, store } = await prepared(t);
  for (let batch = 0; batch < 10; batch += 1) {
    await store.traffic.recordUsage(Array.from({ length: 2_000 }, () => anEvent({ at: Date.UTC(2026, 0, 1) })));
  }
  const exporting = start(home, ["usage", "export"]);
  await exporting.saw('"id"');
  exporting.closeStdout();
  const { code, stderr } = await exporting.done;
  assert.deepEqual([code, stderr], [0, ""]);
});

test("prune drops old calls, asks first, and reports go on counting them", async (t) => {
  const { home, store } = await prepared(t);
  const left = async (): Promise<number> => (await store.traffic.latestUsage({}, 100)).events.length;
  const unasked = await usage(home, ["prune", "--older-than", "30d"]);
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /before 2027-05-11 .*add --yes/);
  const no = await usage(home, ["prune", "--older-than", "30d"], { terminal: 80, answers: [false] });
  assert.deepEqual([no.code, await left()], [130, 6]);
  assert.deepEqual(json(await usage(home, ["prune", "--yes", "--json"])), {
    pruned: { events: 0, before: "2027-03-12T00:00:00.000Z" },
  });
  assert.equal((await usage(home, ["prune", "--yes", "-q"], { env: { AIGW_USAGE_DAYS: "30" } })).stdout, "1\n");
  assert.equal(await left(), 5);
  assert.equal((await usage(home, ["report", "--since", "60d", "-q"])).stdout, "6\n");
  const cut = await usage(home, ["report", "--since", "60d", "--by", "hour", "--json"]);
  assert.equal(json<Report>(cut).since, "2027-05-11T00:00:00.000Z");
  assert.match((await usage(home, ["report", "--since", "60d"])).stderr, /sums of whole days/);

  await aigw(home, ["config", "set", "usage-days", "forever"]);
  const forever = await usage(home, ["prune", "--yes", "--json"]);
  assert.deepEqual([forever.code, jsonError(forever).code], [2, "usage"]);
  for (const age of ["0d", "90", "1h"]) {
    const { code, stderr } = await usage(home, ["prune", "--older-than", age]);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`--older-than: age '${age}' is not valid: use whole days`));
  }
});
