import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Client, Store } from "@aigw/core";
import { anEvent, anInstance } from "@aigw/core/testing";
import { aigw, json, opened, temporaryHome } from "./support/harness.ts";

interface Findings {
  readonly client: string;
  readonly request: { readonly requestId: string } | null;
  readonly findings: readonly {
    code: string;
    severity: string;
    message: string;
    command: string | null;
    client?: string;
  }[];
}

const prepared = async (t: TestContext): Promise<{ home: string; store: Store; john: Client }> => {
  const home = temporaryHome(t);
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:9000"]);
  await aigw(home, ["client", "add", "john", "--email", "john@example.com"]);
  const { store } = await opened(t, home);
  const john = await store.control.client("john");
  assert.ok(john);
  await store.traffic.reportInstance(anInstance());
  return { home, store, john };
};

const codes = async (home: string): Promise<string> =>
  (await aigw(home, ["why", "john", "-q"])).stdout.trim().replaceAll("\n", " ");

test("why tells, as it goes, what stands in a client's way", async (t) => {
  const { home, store, john } = await prepared(t);
  assert.equal(await codes(home), "no_login");
  const [key] = await store.control.keyring();
  const now = Date.now();
  await store.traffic.recordTokens([
    { clientId: john.id, kid: key?.kid ?? "", epoch: john.epoch, issuedAt: now, expiresAt: now + HOUR },
  ]);
  assert.equal(await codes(home), "fine");

  const steady = store.traffic.steadyNow();
  await store.traffic.setPermitWindow(john.id, 0, { spent: [[steady - 30_000, 60]], leases: [] });
  const limited = json<Findings>(await aigw(home, ["why", "john", "--json"]));
  assert.match(limited.findings[0]?.message ?? "", /^60 of 60 permits are used; the next one is free in (29|30) s\./);
  assert.equal(limited.findings[0]?.command, "aigw client set john --limit 120");
  assert.equal((await aigw(home, ["client", "set", "john", "--limit", "120", "--no-wait"])).code, 0);

  await store.traffic.recordUsage(
    [502, 502, 502, 502, 200].map((status) =>
      anEvent({ at: Date.now(), client: "mary", status, outcome: status === 200 ? "ok" : "upstream_error" }),
    ),
  );
  assert.equal(await codes(home), "service_failing");
  const text = (await aigw(home, ["why", "john"])).stdout;
  assert.equal(
    text,
    "No call by john in the last 15 minutes; none is on record at all.\nwarning: ocr failed 4 of everybody's 5 calls in the last minute: 502 (4 times).\n    aigw service show ocr\n",
  );

  await store.traffic.recordUsage(
    Array.from({ length: 2 }, () =>
      anEvent({ at: Date.now(), status: 502, outcome: "upstream_error", reason: "head_too_large" }),
    ),
  );
  assert.match(
    (await aigw(home, ["why", "john"])).stdout,
    /failed 2 of john's 2 calls in the last 15 minutes: 502 \(twice\)\. In the last minute 6 of everybody's 7\. Each time the head of its answer is larger than the gateway takes \(16 KiB, /s,
  );

  await aigw(home, ["client", "passwd", "john", "--yes", "--no-wait"]);
  assert.equal(await codes(home), "token_superseded service_failing");
  await aigw(home, ["client", "revoke", "john", "--yes", "--no-wait"]);
  const revoked = json<Findings>(await aigw(home, ["why", "john", "--json"]));
  assert.deepEqual([revoked.client, revoked.request], ["john", null]);
  assert.match(revoked.findings[0]?.message ?? "", /^john was revoked \d{4}-\d\d-\d\dT\S+Z by \S+@\S+: /);
  assert.equal(revoked.findings[0]?.command, "aigw client restore john");
  const terminal = await aigw(home, ["why", "john"], { terminal: 60, env: { NO_COLOR: "1" } });
  assert.match(terminal.stdout, /^2 calls by john in the last\n?.*\n?.*\n✗ john was revoked (just now|\d+ s ago) by /);
  for (const line of terminal.stdout.split("\n")) assert.ok(line.length <= 60, line);
});

const HOUR = 3_600_000;

test("why explains one request, and exits 3 when there is neither", async (t) => {
  const { home, store } = await prepared(t);
  const at = Date.now() - 2 * HOUR;
  await store.traffic.recordUsage([
    anEvent({
      at,
      requestId: "r-1",
      status: 504,
      outcome: "timeout",
      reason: "answer_timeout",
      latencyMs: 60_000,
      path: "/api/ocr/\u001b[31m",
    }),
    anEvent({ at: at - 48 * HOUR, requestId: "r-old" }),
  ]);
  const found = json<Findings>(await aigw(home, ["why", "r-1", "--json"]));
  assert.equal(found.request?.requestId, "r-1");
  assert.deepEqual(
    found.findings.map(({ code }) => code),
    ["request_timeout"],
  );
  const text = await aigw(home, ["why", "r-1"], { terminal: 80, env: { FORCE_COLOR: "0" } });
  assert.match(
    text.stdout,
    /Outcome +timeout\nReason +answer_timeout\n[\s\S]*gave up after 60\.0 s with 504: its\s+answer/,
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal would obey it
  assert.doesNotMatch(text.stdout, /\u001b/);
  for (const subject of ["nobody", "r-old"]) {
    const none = await aigw(home, ["why", subject]);
    assert.deepEqual([none.code, none.stdout], [3, ""]);
    assert.match(none.stderr, new RegExp(`neither a client '${subject}' nor a request`));
  }
  assert.equal((await aigw(home, ["why", "r-old", "--since", "7d", "-q"])).stdout, "request_ok\n");
  assert.equal((await aigw(home, ["why"])).code, 2);
});

test("review lists who needs a look, each with a command; exit 0 with and without findings", async (t) => {
  const { home, store } = await prepared(t);
  const review = async (): Promise<string> =>
    json<Findings & { clients: number }>(await aigw(home, ["review", "--json"]))
      .findings.map(({ client, code }) => `${client}:${code}`)
      .join(" ");
  assert.equal(await review(), "john:never_used john:never_proven");
  const now = Date.now();
  await store.traffic.recordUsage([
    anEvent({ at: now, client: "john", status: 429, outcome: "limited" }),
    anEvent({ at: now, client: "john" }),
  ]);
  assert.equal(await review(), "john:over_limit");
  assert.equal((await aigw(home, ["review", "-q"])).stdout, "john\n");
  const text = await aigw(home, ["review"]);
  assert.match(
    text.stdout,
    /^warning: 1 of john's 2 calls .*limit of 60 in 60 s\.\n {4}aigw client set john --limit 120\n$/,
  );
  assert.match(text.stderr, /1 client looked at, 1 to look into/);
  await aigw(home, ["client", "set", "john", "--expires", "10d", "--no-wait"]);
  assert.equal(await review(), "john:over_limit john:expires_soon");
  await aigw(home, ["client", "remove", "john", "--yes", "--no-wait"]);
  const empty = await aigw(home, ["review"]);
  assert.deepEqual([empty.code, empty.stdout], [0, ""]);
});
