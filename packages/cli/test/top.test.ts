import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { Store, UsageEvent } from "@aigw/core";
import { anEvent, anInstance } from "@aigw/core/testing";
import { NEEDS, reportNeed } from "../../../test/support/needs.ts";
import { NO_PTY, onPty, type PtySession, type PtyStep } from "../../../test/support/pty.ts";
import type { StopSignal } from "../src/terminal/io.ts";
import { AIGW, aigw, COMPILED, json, opened, temporaryHome } from "./support/harness.ts";

const skip = NO_PTY;

const prepared = async (t: TestContext): Promise<{ home: string; store: Store }> => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const { store } = await opened(t, home);
  await store.traffic.reportInstance(anInstance());
  return { home, store };
};

/** Calls of the last half minute. */
const calls = (count: number, fields: Partial<UsageEvent>): readonly UsageEvent[] =>
  Array.from({ length: count }, (_, n) =>
    anEvent({ at: Date.now() - 2_000 - (n % 20) * 1_000, latencyMs: 10 + n, ...fields }),
  );

test("top --once is one look, in every form, also without a terminal", async (t) => {
  const { home, store } = await prepared(t);
  await store.traffic.recordUsage([
    ...calls(30, { client: "john", units: { pages: 1_500_000, input_tokens: 40_000_000_000 }, cost: 20_000 }),
    ...calls(10, { client: "mary", service: "chat", status: 502, outcome: "upstream_error" }),
    ...calls(1, { client: "mary", status: 429, outcome: "limited" }),
    ...calls(1, { client: "mary", status: 429, outcome: "limited", count: 3, reason: "quota_exceeded" }),
    ...calls(1, { client: "eve", status: 401, outcome: "denied", count: 20 }),
    ...calls(1, { client: "eve", outcome: "revoked" }),
    ...calls(7, { client: "old", at: Date.now() - 90_000 }),
  ]);
  await store.traffic.recordUsage(
    calls(3, { client: "mary", service: "chat", status: 502, outcome: "upstream_error", reason: "not_tls" }),
  );
  const look = json<{
    faults: unknown;
    gateways: unknown;
    all: { requests: number; errors: number; limited: number; denied: number; perSecond: number };
    clients: { name: string; requests: number; overQuota: number; latencyMs: unknown }[];
    services: { name: string }[];
  }>(await aigw(home, ["top", "--once", "--json"]));
  assert.deepEqual(look.gateways, { ready: 1, total: 1, droppedUsage: 0 });
  assert.deepEqual([look.all.requests, look.all.errors, look.all.limited, look.all.denied], [68, 13, 4, 21]);
  assert.equal(look.all.perSecond, 1.1);
  assert.deepEqual(look.faults, [{ service: "chat", reason: "not_tls", calls: 3 }]);
  assert.deepEqual(
    look.clients.find(({ name }) => name === "john"),
    {
      ...{
        name: "john",
        perSecond: 0.5,
        requests: 30,
        errors: 0,
        limited: 0,
        overQuota: 0,
        denied: 0,
        latencyMs: { p50: 24, p99: 39 },
        units: { pages: 45, input_tokens: 1_200_000 },
        cost: 0.6,
      },
    },
  );
  assert.deepEqual(look.clients.map(({ name }) => name).toSorted(), ["eve", "john", "mary"]);
  assert.deepEqual(look.services.map(({ name }) => name).toSorted(), ["chat", "ocr"]);
  assert.equal(look.clients.find(({ name }) => name === "mary")?.overQuota, 3);
  const text = await aigw(home, ["top", "--once"]);
  assert.match(text.stdout, /\n3 calls over a quota: mary\n/);
  assert.match(text.stdout, /\nworth {2}pages 45 {2}input_tokens 1200000 {2}cost 0\.6\n/);
  assert.match(
    text.stdout,
    /^aigw top {2}\d\d:\d\d:\d\d UTC {2}1 of 1 gateways ready[\s\S]*\njohn +0\.5 +30 +0 +0 +0 +24 ms +39 ms\n/,
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing but text goes into a pipe
  assert.doesNotMatch(text.stdout, /[\u001b█]/);
  assert.equal((await aigw(home, ["top", "--once", "-q"])).stdout, "1.1\n");
  assert.match(
    text.stdout,
    /\nchat, 3 ×: it does not speak TLS, though .*\n {2}Let its URL begin with http:\/\/.*\n\nclient /,
  );
  for (const terminal of [60, 80, 200]) {
    const { stdout } = await aigw(home, ["top", "--once"], { terminal, env: { NO_COLOR: "1" } });
    assert.match(stdout, /\nclient +req\/s requests↓ +errors +limited +denied/);
    assert.match(stdout, /\neve +0\.4 +21 +0 +0 +21/);
    for (const line of stdout.split("\n")) assert.ok(line.length <= terminal, line);
  }
});

test("top without a terminal names what to use instead; top --json streams until it is stopped", async (t) => {
  const { home, store } = await prepared(t);
  const refused = await aigw(home, ["top"]);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(refused.stderr, /usage tail -f, aigw usage report/);
  const listeners = new Set<(signal: StopSignal) => void>();
  let lines = 0;
  const { code, stdout } = await aigw(home, ["top", "--json"], {
    onStop: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onStdout: () => {
      lines += 1;
      if (lines === 1) void store.traffic.recordUsage(calls(5, {}));
      if (lines === 2) for (const listener of listeners) listener("SIGINT");
    },
  });
  assert.equal(code, 130);
  const totals = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { all: { requests: number } }).all.requests);
  assert.deepEqual(totals, [0, 5]);
  assert.equal(listeners.size, 0);
});

const onTerminal = (home: string, press: readonly PtyStep[]): Promise<PtySession> =>
  onPty([process.execPath, ...AIGW, "top"], {
    columns: 80,
    rows: 24,
    env: { ...COMPILED, PATH: process.env["PATH"], TERM: "xterm", NO_COLOR: "1", AIGW_HOME: home },
    press,
  });

const ENTER = "\u001b[?1049h";
const LEAVE = "\u001b[?1049l";
const FOOT = "sorted by requests";

const assertTidy = ({ output: screen, sameModes, pressLeft }: PtySession): void => {
  assert.deepEqual(pressLeft, [], screen);
  assert.ok(sameModes, "the terminal's modes are as before");
  assert.ok(screen.startsWith(ENTER), JSON.stringify(screen.slice(0, 60)));
  assert.ok(screen.endsWith(`\u001b[?25h${LEAVE}`), JSON.stringify(screen.slice(-60)));
  assert.equal(screen.split(ENTER).length, 2);
  assert.equal(screen.split(LEAVE).length, 2);
};

test("top on a terminal: sorts, follows its size, and leaves all as it was", { skip }, async (t) => {
  const { home, store } = await prepared(t);
  await store.traffic.recordUsage(calls(20, { client: "john" }));
  const sessions = await Promise.all([
    onTerminal(home, [
      [FOOT, "s"],
      ["sorted by errors", { resize: [50, 12] }],
      ["sorted by errors", "q"],
    ]),
    onTerminal(home, [[FOOT, "\u0003"]]),
    onTerminal(home, [[FOOT, { signal: "SIGTERM" }]]),
  ]);
  for (const session of sessions) assertTidy(session);
  assert.deepEqual(
    sessions.map(({ exitCode }) => exitCode),
    [0, 0, 130],
  );
  const frames = (sessions[0]?.output ?? "").split("\u001b[H").slice(2);
  const lines = (frame: string): readonly string[] => stripVTControlCharacters(frame).split(/\r+\n/);
  assert.ok(frames.length >= 3, String(frames.length));
  assert.match(frames[0] ?? "", /john +0\.3 +20 /);
  for (const line of lines(frames[0] ?? "")) assert.ok(line.length <= 80, line);
  for (const line of lines(frames.at(-1) ?? "")) assert.ok(line.length <= 50, JSON.stringify(line));
});

test("top leaves the terminal as it was when the store fails it", { skip }, async (t) => {
  const { home, store } = await prepared(t);
  await store.traffic.recordUsage(calls(1, {}));
  const { DatabaseSync } = await import("node:sqlite");
  const running = onTerminal(home, [[FOOT, ""]]);
  const db = new DatabaseSync(join(home, "aigw.usage.db"));
  t.after(() => db.close());
  db.exec("ALTER TABLE usage RENAME TO elsewhere");
  const { output: screen, sameModes, exitCode } = await running;
  assert.ok(sameModes);
  assert.notEqual(exitCode, 0);
  assert.ok(
    screen.lastIndexOf(LEAVE) >= screen.lastIndexOf(ENTER) && screen.lastIndexOf(LEAVE) < screen.indexOf("error:"),
  );
});

reportNeed(NEEDS.terminal, skip || undefined);
