import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyTally, type SeenInstance, type UsageTally } from "@aigw/core";
import type { StoreServers } from "@aigw/core/store";
import { renderDoctor } from "../src/commands/doctor.ts";
import { judgeCalls, withUse } from "../src/doctor/checks/calls.ts";
import { judgeCertificate } from "../src/doctor/checks/certificate.ts";
import { judgeClock } from "../src/doctor/checks/clock.ts";
import { judgeSpace } from "../src/doctor/checks/disk.ts";
import { judgeGateways } from "../src/doctor/checks/gateways.ts";
import { checkNodeVersion } from "../src/doctor/checks/node-version.ts";
import { judgePort } from "../src/doctor/checks/port.ts";
import { judgeAnswer } from "../src/doctor/checks/public-url.ts";
import { judgeInspection } from "../src/doctor/checks/store.ts";
import type { Found } from "../src/doctor/finding.ts";
import { runChecks } from "../src/doctor/run-checks.ts";
import { shellQuoted } from "../src/terminal/output/shell-quoted.ts";
import { PLAIN_STYLE } from "../src/terminal/output/view.ts";
import { displayWidth } from "../src/terminal/output/width.ts";

const MIB = 1024 * 1024;
const NOW = Date.UTC(2027, 0, 31);
const DAY = 86_400_000;

test("Node.js: what works, what is secure", () => {
  const expected = {
    "20.20.2": "node_unsupported",
    "24.9.0": "node_unsupported",
    "24.20.9": "node_unsupported",
    "24.21.0": "node_outdated",
    "24.22.0": "node_outdated",
    "24.22.1": "node_current",
    "24.30.0": "node_current",
    "25.9.0": "node_outdated",
    "26.12.0": "node_outdated",
    "26.12.1": "node_current",
    "26.13.0-nightly": "node_current",
    "28.0.0": "node_current",
  };
  for (const [version, code] of Object.entries(expected)) assert.equal(checkNodeVersion(version).code, code, version);
});

test("the clock: not before the newest change, not out of this age", () => {
  assert.equal(judgeClock(NOW, NOW - DAY).code, "clock_plausible");
  assert.equal(judgeClock(NOW, NOW + 30_000).code, "clock_plausible", "a corrected clock");
  assert.equal(judgeClock(NOW, NOW + DAY).code, "clock_implausible");
  assert.equal(judgeClock(0, undefined).code, "clock_implausible");
  assert.equal(judgeClock(Date.UTC(2150, 0, 1), undefined).code, "clock_implausible");
});

test("disk space and the write-ahead log", () => {
  assert.equal(judgeSpace(1024 * MIB, "/x").code, "disk_free");
  assert.equal(judgeSpace(1024 * MIB - 1, "/x").code, "disk_low");
  assert.equal(judgeSpace(100 * MIB - 1, "/x").code, "disk_full");
  const file = { path: "/x/aigw.db", bytes: 1, walBytes: 300 * MIB, schema: 1 };
  const codes = judgeInspection({ engine: "SQLite 3", files: [file], problems: [] }).map(({ code }) => code);
  assert.deepEqual(codes, ["store_ready", "store_wal_large"]);
});

test("the servers of a store: how many, who answers, and what can be read on the way", () => {
  const location = { engine: "mongodb", url: "mongodb://h/aigw", shown: "mongodb://h/aigw" };
  const judged = (servers: Partial<StoreServers>): readonly string[] => {
    const whole = { members: [], replicated: true, encrypted: true, collections: [], ...servers };
    return judgeInspection({ engine: "MongoDB 8", files: [], servers: whole, problems: [] }, location).map(
      ({ code }) => code,
    );
  };
  const primary = { address: "db1:27017", role: "primary" } as const;
  assert.deepEqual(judged({ members: [primary] }), ["store_ready"]);
  assert.deepEqual(judged({ members: [primary, { address: "db2:27017", role: "unknown" }] }), [
    "store_ready",
    "store_member_down",
  ]);
  const single = (address: string): Partial<StoreServers> => ({
    members: [{ address, role: "single" }],
    replicated: false,
    encrypted: false,
  });
  for (const address of [
    "localhost:27017",
    "127.0.0.1:1",
    "127.1.2.3:27017",
    "[::1]:27017",
    "::1:27017",
    "/tmp/mongodb-27017.sock",
  ])
    assert.deepEqual(judged(single(address)), ["store_ready", "store_single_server"], address);
  for (const address of ["10.0.0.1:27017", "localhost.example.com:27017", "db:27017", "[2001:db8::1]:27017"])
    assert.deepEqual(judged(single(address)), ["store_ready", "store_single_server", "store_plain"], address);
});

test("certificates: how long, for whom, by whom", () => {
  const judged = (days: number, refused?: string): string =>
    judgeCertificate({ endsAt: NOW + days * DAY + 1, refused }, "ai.example", NOW).code;
  assert.equal(judged(21), "certificate_valid");
  assert.equal(judged(20), "certificate_ends_soon");
  assert.equal(judged(0), "certificate_ends_soon");
  assert.equal(judged(-1), "certificate_expired");
  assert.equal(judged(60, "CERT_HAS_EXPIRED"), "certificate_expired");
  assert.equal(judged(60, "ERR_TLS_CERT_ALTNAME_INVALID"), "certificate_wrong_name");
  assert.equal(judged(60, "DEPTH_ZERO_SELF_SIGNED_CERT"), "certificate_untrusted");
});

test("gateways: each is judged by its own report", () => {
  const gateway: SeenInstance = {
    id: "gw-1",
    address: "http://127.0.0.1:8080",
    pid: 7,
    version: "1",
    startedAt: 0,
    state: "ready",
    appliedRev: 9,
    requestsPerSecond: 0,
    droppedUsage: 0,
    lastSeenAgoMs: 100,
  };
  const codes = (...changes: Partial<SeenInstance>[]): readonly string[] =>
    judgeGateways(
      changes.map((change) => ({ ...gateway, ...change })),
      9,
    ).map(({ code }) => code);
  assert.deepEqual(codes(), ["gateway_none"]);
  assert.deepEqual(codes({}, { appliedRev: 8 }), ["gateway_ready", "gateway_behind"]);
  assert.deepEqual(codes({ state: "stale", droppedUsage: 3 }), ["gateway_stale", "gateway_dropped_usage"]);
  assert.deepEqual(codes({ state: "draining" }), ["gateway_draining"]);
  const openFiles = { used: 60, limit: 64, refused: 0 };
  assert.deepEqual(codes({ openFiles: { ...openFiles, limit: 1_024 } }), ["gateway_ready"]);
  assert.deepEqual(codes({ openFiles }), ["gateway_ready", "gateway_few_files"]);
  assert.deepEqual(codes({ openFiles: { ...openFiles, refused: 3 } }), ["gateway_ready", "gateway_out_of_files"]);
  const untrustedForwarders = ["10.0.0.1", "10.0.0.2"].map((peer) => ({ peer, mend: `trust ${peer}` }));
  const told = judgeGateways([{ ...gateway, untrustedForwarders }], 9);
  assert.deepEqual(
    told.map(({ code, command }) => [code, command]),
    [
      ["gateway_ready", undefined],
      ["gateway_untrusted_proxy", "if it is your proxy: trust 10.0.0.1; if not, nothing"],
      ["gateway_untrusted_proxy", "if it is your proxy: trust 10.0.0.2; if not, nothing"],
    ],
  );
  assert.deepEqual(codes({ dumpsCore: true }), ["gateway_ready", "gateway_dumps_core"]);
  assert.deepEqual(codes({ lastSeenAgoMs: 4_000, appliedRev: 1 }), ["gateway_silent"]);
  const [unconfirmed] = judgeGateways([{ ...gateway, alive: true, lastSeenAgoMs: 12_000 }], 9);
  assert.equal(unconfirmed?.code, "gateway_unconfirmed");
  assert.match(unconfirmed.message, new RegExp(`process ${gateway.pid}, runs and has not reported for 12 s`));
});

test("the port and the public URL's answer", () => {
  const address = { host: "127.0.0.1", port: 8080 };
  assert.equal(judgePort(address, undefined, []).code, "port_free");
  assert.equal(judgePort(address, "EADDRINUSE", [8080]).code, "port_ours");
  assert.equal(judgePort(address, "EADDRINUSE", [8081]).code, "port_taken");
  assert.match(judgePort({ ...address, port: 80 }, "EACCES", []).message, /below 1024/);
  const challenged = {
    kind: "answer",
    status: 401,
    headers: { "www-authenticate": 'Bearer realm="aigw"' },
    body: "",
  } as const;
  const ready = { kind: "answer", status: 200, headers: {}, body: "" } as const;
  assert.equal(judgeAnswer("http://x", challenged, ready).code, "public_url_answers");
  assert.equal(judgeAnswer("http://x", challenged, { ...ready, status: 503 }).code, "public_url_not_ready");
  const elses = { ...challenged, headers: { "www-authenticate": 'Bearer realm="other"' } };
  assert.equal(judgeAnswer("http://x", elses, ready).code, "public_url_not_aigw");
});

test("a check that hangs is given up, one that fails in words is a finding, and nothing is said twice", async () => {
  const twice: Found = { code: "gateway_none", about: "gateway", message: "No gateway is running." };
  const findings = await runChecks(
    { hung: () => new Promise(() => undefined), a: () => [twice], b: () => [twice] },
    20,
  );
  assert.deepEqual(
    findings.map(({ code, about }) => [code, about]),
    [
      ["check_unfinished", "hung"],
      ["gateway_none", "gateway"],
    ],
  );
});

test("findings fit a terminal, and are a line each in a pipe", async () => {
  const findings: readonly Found[] = [
    { code: "node_current", about: "node", message: "Node 24.22.1" },
    {
      code: "store_broken",
      about: `service ${"x".repeat(40)}`,
      message: "word ".repeat(40).trim(),
      command: "a \u001b[31m b",
    },
  ];
  const view = { isTerminal: true, width: 80, style: PLAIN_STYLE, now: NOW };
  const shown = await renderDoctor(view, findings);
  for (const line of shown.split("\n")) assert.ok(displayWidth(line) <= 80, line);
  assert.equal(shown.includes("\u001b"), false);
  const piped = await renderDoctor({ ...view, isTerminal: false, width: Number.POSITIVE_INFINITY }, findings);
  assert.equal(piped.split("\n").length, 1 + findings.length);
  assert.equal(shellQuoted("it's"), `'it'\\''s'`);
});

test("a service that answers now and failed calls is not in order", () => {
  const answers: Found = { code: "service_answers", about: "service ocr", message: "http://x answers" };
  const use = (calls: number, errors: number): ReturnType<typeof withUse> =>
    withUse(answers, "ocr", {
      calls,
      errors,
      statuses: [{ status: 502, errors }],
      faults: [{ reason: "refused", calls: errors - 1 }],
    });
  assert.deepEqual(withUse(answers, "ocr", undefined), [answers]);
  assert.deepEqual(use(100, 0), [answers]);
  assert.equal(use(100, 4)[0]?.message, "http://x answers; 4 of 100 calls in the last 15 minutes failed");
  const [still, fails, ...more] = use(100, 40);
  assert.deepEqual([still, more], [answers, []]);
  assert.deepEqual([fails?.code, fails?.command], ["service_fails_calls", "aigw usage tail --service ocr"]);
  assert.match(
    fails?.message ?? "",
    /^40 of 100 calls in the last 15 minutes failed: 502 \(40 times\)\. 39 times its host refused/,
  );
  assert.equal(use(1, 1)[1]?.code, "service_fails_calls");
  assert.equal(use(60, 2).length, 1);
});

test("everybody's calls are counted, and who is refused is named", () => {
  const row = (name: string, tally: Partial<UsageTally>): Parameters<typeof judgeCalls>[0][number] => ({
    key: [name],
    tally: { ...emptyTally(), ...tally },
  });
  assert.equal(judgeCalls([]).message, "none in the last 15 minutes");
  const rows = [
    row("mary", { requests: 200, errors: 2, denied: 3 }),
    row("john", { requests: 50, denied: 40, limited: 1 }),
  ];
  assert.deepEqual(judgeCalls(rows), {
    code: "calls_refused",
    about: "calls",
    message: "250 calls in the last 15 minutes: 2 failed, 1 over a limit, 43 refused (john 40 and mary 3).",
    command: "aigw why john",
  });
  assert.equal(judgeCalls([row("mary", { requests: 200, denied: 9 })]).code, "calls_counted");
  assert.equal(judgeCalls([row("mary", { requests: 1_000, denied: 49 })]).code, "calls_counted");
});
