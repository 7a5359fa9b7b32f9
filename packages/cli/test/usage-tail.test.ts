import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Store, UsageEvent } from "@aigw/core";
import { anEvent } from "@aigw/core/testing";
import type { StopSignal } from "../src/terminal/io.ts";
import { aigw, opened, temporaryHome } from "./support/harness.ts";

const NOW = Date.now();
const EVENTS: readonly UsageEvent[] = [
  anEvent({
    id: "g.1",
    at: NOW - 7_200_000,
    client: "john",
    service: "ocr",
    status: 200,
    outcome: "ok",
    requestId: "r1",
  }),
  anEvent({
    id: "g.2",
    at: NOW - 60_000,
    client: "john",
    service: "chat",
    status: 404,
    outcome: "denied",
    requestId: "r2",
  }),
  anEvent({
    id: "g.3",
    at: NOW - 50_000,
    client: "mary",
    service: "ocr",
    status: 429,
    outcome: "limited",
    requestId: "r3",
  }),
  anEvent({
    id: "g.4",
    at: NOW - 40_000,
    client: "mary",
    service: "ocr",
    status: 0,
    outcome: "aborted",
    requestId: "r4",
  }),
];

const prepared = async (t: TestContext): Promise<{ home: string; store: Store }> => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const { store } = await opened(t, home);
  await store.traffic.recordUsage(EVENTS);
  return { home, store };
};

test("tail shows the last calls, oldest first, filtered by every filter", async (t) => {
  const { home } = await prepared(t);
  const ids = async (...flags: string[]): Promise<string> =>
    (await aigw(home, ["usage", "tail", "-q", ...flags])).stdout.trim().replaceAll("\n", " ");
  assert.equal(await ids(), "r1 r2 r3 r4");
  assert.equal(await ids("-n", "2"), "r3 r4");
  assert.equal(await ids("-n", "0"), "");
  assert.equal(await ids("--client", "john"), "r1 r2");
  assert.equal(await ids("--service", "ocr", "--client", "mary"), "r3 r4");
  assert.equal(await ids("--status", "4xx"), "r2 r3");
  assert.equal(await ids("--status", "404"), "r2");
  assert.equal(await ids("--status", "400-428"), "r2");
  assert.equal(await ids("--status", "0"), "r4");
  assert.equal(await ids("--since", "1h"), "r2 r3 r4");
  assert.equal(await ids("--since", "7d"), "r1 r2 r3 r4");
  assert.equal(await ids("--since", new Date(NOW - 45_000).toISOString()), "r4");
  const none = await aigw(home, ["usage", "tail", "--client", "john", "--since", "1s"]);
  assert.deepEqual([none.code, none.stdout], [0, ""]);
  for (const flags of [
    ["--status", "9xx"],
    ["--status", "499-400"],
    ["-n", "-1"],
    ["-n", "x"],
    ["--since", "yesterday"],
  ]) {
    const bad = await aigw(home, ["usage", "tail", ...flags]);
    assert.equal(bad.code, 2);
    assert.ok(bad.stderr.includes(`${flags[0]}: `) && bad.stderr.includes(`'${flags[1]}'`), bad.stderr);
  }
});

test("tail --json is a document a line, with exactly the documented fields", async (t) => {
  const { home } = await prepared(t);
  const { stdout } = await aigw(home, ["usage", "tail", "--json"]);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 4);
  const fields = "id at client service method path status latencyMs upstreamMs bytesIn bytesOut requestId outcome";
  for (const line of lines) assert.equal(Object.keys(JSON.parse(line) as object).join(" "), fields);
  assert.equal((JSON.parse(lines[0] ?? "") as { at: string }).at, new Date(NOW - 7_200_000).toISOString());
});

test("tail says for how many refused calls a line stands", async (t) => {
  const { home, store } = await prepared(t);
  await store.traffic.recordUsage([
    anEvent({ id: "g.9", client: "john", status: 429, outcome: "limited", count: 940, path: `/${"p".repeat(300)}` }),
  ]);
  const last = (stdout: string): string => stdout.trimEnd().split("\n").at(-1) ?? "";
  const terminal = await aigw(home, ["usage", "tail"], { terminal: 80, env: { NO_COLOR: "1" } });
  assert.match(last(terminal.stdout), /limited +×940 \/ppp/);
  const narrow = await aigw(home, ["usage", "tail"], { terminal: 60, env: { NO_COLOR: "1" } });
  assert.match(last(narrow.stdout), /×940 lim/);
  assert.match(last((await aigw(home, ["usage", "tail"])).stdout), /p {2}940$/);
  const { count } = JSON.parse(last((await aigw(home, ["usage", "tail", "--json"])).stdout)) as { count: number };
  assert.equal(count, 940);
});

test("tail says what a call was worth, where that fits", async (t) => {
  const { home, store } = await prepared(t);
  const worth = { units: { input_tokens: 1_204_000_000, pages: 500_000 }, cost: 20_000 };
  await store.traffic.recordUsage([
    anEvent({ id: "g.9", path: "/api/chat", metered: "yes", from: "answer", model: "m", plan: "pro", ...worth }),
    anEvent({ id: "g.10", path: "/api/chat", units: {}, metered: "no", unread: "not_json", cost: null }),
  ]);
  const lines = async (terminal?: number): Promise<readonly string[]> =>
    (await aigw(home, ["usage", "tail", "-n", "2"], { ...(terminal && { terminal }), env: { NO_COLOR: "1" } })).stdout
      .trimEnd()
      .split("\n")
      .slice(-2);
  assert.match((await lines(140))[0] ?? "", / \/api\/chat {2}1,204 input_tokens, 0\.5 pages, cost 0\.02$/);
  assert.match((await lines(140))[1] ?? "", / \/api\/chat$/);
  assert.match((await lines(100))[0] ?? "", / \/api\/chat$/, "whole or not at all");
  assert.match((await lines())[0] ?? "", / \/api\/chat {2}1$/);
  const json = (await aigw(home, ["usage", "tail", "-n", "2", "--json"])).stdout.trimEnd().split("\n");
  const [read, unread] = json.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    { ...read, id: "" },
    {
      ...{ ...read, id: "" },
      ...{ units: { input_tokens: 1_204, pages: 0.5 }, metered: "yes", from: "answer", model: "m", cost: 0.02 },
      plan: "pro",
    },
  );
  assert.deepEqual(
    [unread?.["units"], unread?.["metered"], unread?.["unread"], unread?.["cost"]],
    [{}, "no", "not_json", null],
  );
  assert.equal("model" in (unread ?? {}), false);
});

test("tail for people is cut to the terminal; for pipes it is whole, and fields are told apart by spaces", async (t) => {
  const { home, store } = await prepared(t);
  await store.traffic.recordUsage([
    anEvent({ id: "g.9", client: "c".repeat(60), path: `/${"p".repeat(300)}`, service: "" }),
  ]);
  await store.traffic.recordUsage([
    anEvent({ id: "g.10", status: 502, outcome: "upstream_error", reason: "refused", path: `/${"p".repeat(300)}` }),
  ]);
  const terminal = await aigw(home, ["usage", "tail"], { terminal: 80, env: { NO_COLOR: "1" } });
  assert.match(terminal.stdout, / 502 .* refused /, "a terminal shows the reason");
  for (const line of terminal.stdout.split("\n")) assert.ok(line.length <= 80, line);
  const piped = await aigw(home, ["usage", "tail"]);
  assert.match(piped.stdout, / upstream_error +\/p{300} {2}1\n$/, "a pipe has the outcome, whose list is short");
  const [event] = (await aigw(home, ["usage", "tail", "-n", "1", "--json"])).stdout.trim().split("\n");
  assert.equal((JSON.parse(event ?? "") as { reason: string }).reason, "refused");
  for (const line of piped.stdout.trimEnd().split("\n")) assert.equal(line.split(/ +/).length, 9, line);
});

test("tail -f shows what comes, until it is interrupted", async (t) => {
  const { home, store } = await prepared(t);
  const listeners = new Set<(signal: StopSignal) => void>();
  let seen = "";
  const running = aigw(home, ["usage", "tail", "-f", "-n", "1", "-q", "--client", "mary"], {
    onStop: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onStdout: (text) => {
      seen += text;
      if (seen === "r4\n") {
        void store.traffic.recordUsage([
          anEvent({ id: "g.5", client: "john", requestId: "r5" }),
          anEvent({ id: "g.6", client: "mary", requestId: "r6" }),
        ]);
      }
      if (seen.includes("r6")) for (const listener of listeners) listener("SIGINT");
    },
  });
  const { code, stdout, stderr } = await running;
  assert.deepEqual([code, stdout, stderr], [130, "r4\nr6\n", ""]);
  assert.equal(listeners.size, 0);
});

test("every time on a terminal is UTC and says so, and a line says when the day changes", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const { store } = await opened(t, home);
  const midnight = Date.UTC(2027, 5, 10);
  await store.traffic.recordUsage(
    [-90_000_000, -1_000, 1_000, 2_000].map((ms, n) => anEvent({ at: midnight + ms, path: `/p${n}` })),
  );
  const clock = { now: () => midnight + 60_000, monotonic: () => performance.now() };
  // Whatever zone the machine is in.
  for (const TZ of ["UTC", "Pacific/Auckland", "America/New_York"]) {
    const zone = process.env["TZ"];
    process.env["TZ"] = TZ;
    try {
      const { stdout } = await aigw(home, ["usage", "tail"], { terminal: 60, clock, env: { NO_COLOR: "1" } });
      assert.deepEqual(
        stdout
          .trimEnd()
          .split("\n")
          .map((line) => line.split(" ", 2).join(" ").trim()),
        [
          "time",
          "2027-06-08 (UTC)",
          "23:00:00Z",
          "2027-06-09 (UTC)",
          "23:59:59Z",
          "2027-06-10 (UTC)",
          "00:00:01Z",
          "00:00:02Z",
        ],
        TZ,
      );
      for (const line of stdout.split("\n")) assert.ok(line.length <= 60, line);
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }
  }
  const piped = (await aigw(home, ["usage", "tail"], { clock })).stdout;
  assert.match(piped, /\n2027-06-09T23:59:59\.000Z +john/);
  assert.doesNotMatch(piped, /\(UTC\)/);
});

test("a filter that names nobody says so, and whom it may have meant", async (t) => {
  const { home } = await prepared(t);
  await aigw(home, ["service", "add", "tts", "http://127.0.0.1:9000"]);
  await aigw(home, ["client", "add", "joanna"]);
  const run = (...argv: string[]): ReturnType<typeof aigw> => aigw(home, ["usage", ...argv]);
  for (const verb of ["tail", "report", "export"]) {
    const unknown = await run(verb, "--client", "joana");
    assert.deepEqual([unknown.code, unknown.stdout], [3, ""]);
    assert.match(unknown.stderr, /No client is called 'joana', .* Did you mean joanna\? List them: aigw client list/);
    const cased = await run(verb, "--client", "Joanna");
    assert.deepEqual(
      [cased.code, /'Joanna'.* Did you mean joanna\?/.test(cased.stderr)],
      [3, true],
      "nobody can be called so",
    );
    const service = await run(verb, "--service", "ttts");
    assert.equal(service.code, 3);
    assert.match(service.stderr, /No service is called 'ttts', .* Did you mean tts\?/);
    // Neither a client that was never called, nor one that is on record only, is unknown.
    assert.equal((await run(verb, "--client", "joanna")).code, 0);
    assert.equal((await run(verb, "--client", "joanna:trial")).code, 0);
    assert.equal((await run(verb, "--client", "mary", "--service", "ocr")).code, 0);
    assert.equal((await run(verb, "--service", "tts")).code, 0);
  }
  for (const argv of [
    ["client", "show", "joana"],
    ["why", "joana"],
    ["audit", "list", "--subject", "joana"],
  ]) {
    const unknown = await aigw(home, argv);
    assert.deepEqual([unknown.code, unknown.stdout], [3, ""], argv.join(" "));
    assert.match(unknown.stderr, /'joana'.* Did you mean joanna\?/);
  }
  assert.equal((await aigw(home, ["audit", "list", "--subject", "docs-url"])).code, 0);
  assert.doesNotMatch((await run("tail", "--client", "zzzzzzzz")).stderr, /Did you mean/);
});
