import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { UsageEvent } from "@aigw/core";
import { anEvent } from "@aigw/core/testing";
import { aigw, json, opened, temporaryHome } from "./support/harness.ts";

interface Found {
  readonly findings: readonly {
    readonly code: string;
    readonly client?: string | null;
    readonly service?: string | null;
    readonly about?: string;
    readonly message: string;
    readonly command?: string;
    readonly fix?: string;
  }[];
}

/** A home with one service, and what was recorded of its calls. */
const lived = async (t: TestContext, flags: readonly string[], calls: readonly Partial<UsageEvent>[]) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  await aigw(home, ["service", "add", "chat", "http://127.0.0.1:1", "--no-check", ...flags]);
  const { store } = await opened(t, home);
  const at = Date.now() - 60_000;
  await store.traffic.recordUsage(calls.map((fields) => anEvent({ service: "chat", at, ...fields })));
  const doctor = json<Found>(await aigw(home, ["doctor", "--json"])).findings.filter(({ code }) =>
    /^service_(?:unread|estimated)$/.test(code),
  );
  const review = json<Found>(await aigw(home, ["review", "--json"])).findings.filter(({ service }) => service !== null);
  return { home, doctor, review };
};

const unread = (reason: UsageEvent["unread"], fields: Partial<UsageEvent> = {}): Partial<UsageEvent> => ({
  units: {},
  metered: "no",
  ...(reason !== undefined && { unread: reason }),
  ...fields,
});
const READ: Partial<UsageEvent> = { units: { input_tokens: 1_000_000 }, metered: "yes", from: "answer" };
const ESTIMATED: Partial<UsageEvent> = { units: { output_tokens: 1_000_000 }, metered: "estimated", from: "answer" };

test("a service whose answers mostly stay unread is named, with the most frequent reason", async (t) => {
  const calls = [unread("not_found"), unread("not_found"), unread("unknown_type"), READ];
  const { home, doctor, review } = await lived(t, ["--meter", "openai"], calls);
  assert.deepEqual(
    doctor.map(({ code, about, fix }) => [code, about, fix]),
    [["service_unread", "service chat", "aigw service meter chat --try answer.json --meter <meter>"]],
  );
  assert.match(
    doctor[0]?.message ?? "",
    /^Its meter read nothing from 3 of 4 calls in the last 15 minutes\. Most often the answer was read, .*\(not_found\)\.$/,
  );
  assert.deepEqual(
    review.map(({ code, client, service }) => [code, client, service]),
    [["mostly_unread", null, "chat"]],
  );
  const text = (await aigw(home, ["review"])).stdout;
  assert.match(text, /chat: its meter read nothing from 3 of 4 calls in the last 24 hours\. Most often/);
});

test("errors are no answers, a few unread ones are no pattern, and without a meter there is nothing to say", async (t) => {
  const failed = Array.from({ length: 9 }, () => unread("failed", { status: 502, outcome: "upstream_error" }));
  const few = await lived(t, ["--meter", "openai"], [...failed, unread("cut"), READ]);
  assert.deepEqual([few.doctor, few.review], [[], []]);
  const none = await lived(t, [], [unread("not_found"), unread("not_found")]);
  assert.deepEqual([none.doctor, none.review], [[], []]);
});

test("a service whose streams have no totals is told how to ask for them", async (t) => {
  const { doctor, review } = await lived(t, ["--meter", "openai"], [ESTIMATED, ESTIMATED, ESTIMATED, READ]);
  assert.deepEqual(
    doctor.map(({ code, fix }) => [code, fix]),
    [["service_estimated", "aigw service set chat --ask-usage"]],
  );
  assert.deepEqual(
    review.map(({ code, command }) => [code, command]),
    [["mostly_estimated", "aigw service set chat --ask-usage"]],
  );
});
