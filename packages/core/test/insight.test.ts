import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ClientFacts, ServiceStatus } from "../src/insight/client-facts.ts";
import { countFaults } from "../src/insight/count-faults.ts";
import { explainClient } from "../src/insight/explain-client.ts";
import { explainRequest } from "../src/insight/explain-request.ts";
import { type DayOfUse, type ReviewFinding, reviewClients } from "../src/insight/review-clients.ts";
import { FAULTS } from "../src/services/fault.ts";
import { aClient, anEvent, anInstance, aSigningKey } from "../src/testing/index.ts";
import { DAY_MS } from "../src/usage/report-plan.ts";
import { OUTCOMES } from "../src/usage/usage-event.ts";
import { emptyTally, type UsageTally } from "../src/usage/usage-report.ts";

const NOW = Date.UTC(2027, 5, 1);
const when = (at: number): string => `at ${(at - NOW) / 1_000} s`;
const KEY = aSigningKey();
const JOHN = aClient({ name: "john", createdAt: NOW - 40 * DAY_MS, passwordChangedAt: NOW - 40 * DAY_MS, epoch: 4 });
const TOKEN = { clientId: JOHN.id, kid: KEY.kid, epoch: 4, issuedAt: NOW - 60_000, expiresAt: NOW + 3_540_000 };

const status = (service: string, code: number, tally: Partial<UsageTally>): ServiceStatus => ({
  service,
  status: code,
  tally: { ...emptyTally(), ...tally },
});

const facts = (fields: Partial<ClientFacts> = {}): ClientFacts => ({
  now: NOW,
  client: JOHN,
  lastChange: {},
  lastRotation: undefined,
  keyring: [KEY],
  lastToken: TOKEN,
  lastUsedAt: NOW - 5_000,
  permits: { limit: 60, used: 12, freeInMs: 0 },
  services: ["chat", "ocr"],
  recent: [],
  lastMinute: [],
  lastFaults: [],
  gateways: [{ ...anInstance(), lastSeenAgoMs: 10 }],
  ...fields,
});

const act = { at: NOW - 9_000, actor: "ann@ops" };
const only = (fields: Partial<ClientFacts>): string => {
  const found = explainClient(facts(fields), when);
  assert.equal(found.length, 1, JSON.stringify(found));
  const [{ code, severity, message, command } = { code: "", severity: "", message: "" }] = found;
  return `${code} ${severity} | ${message} | ${command ?? "-"}`;
};

describe("why a client fares as it does", () => {
  it("says so when nothing is in the way", () => {
    assert.equal(
      only({}),
      "fine fine | Nothing stands in the way: john may call chat, ocr, 12 of 60 permits are used, the last call was at -5 s, a token is good until at 3540 s. | -",
    );
  });

  it("names who revoked it, and when", () => {
    const client = aClient({ ...JOHN, status: "revoked", revokedAt: act.at });
    assert.equal(
      only({ client, lastChange: { "client.revoke": act } }),
      "revoked blocked | john was revoked at -9 s by ann@ops: every token and every login is refused. | aigw client restore john",
    );
  });

  it("knows an expired client", () => {
    assert.match(
      only({ client: { ...JOHN, expiresAt: NOW - 7_000 } }),
      /^expired blocked .*ended at -7 s.*--expires 30d$/,
    );
  });

  it("tells a token that ran out from one that was ended", () => {
    assert.match(only({ lastToken: { ...TOKEN, expiresAt: NOW - 2_000 } }), /^token_expired warning .*ran out at -2 s/);
    const older = { ...TOKEN, epoch: 3 };
    const lastChange = { "client.revoke": { ...act, at: NOW - 90_000 }, "client.passwd": act };
    assert.match(
      only({ lastToken: older, lastChange }),
      /^token_superseded blocked .*before the new password at -9 s by ann@ops.*log in again/,
    );
    const retired = aSigningKey({ ...KEY, status: "retired" });
    assert.match(
      only({ keyring: [retired], lastRotation: act }),
      /^token_rotated blocked .*rotated out at -9 s by ann@ops/,
    );
    assert.match(
      only({ lastToken: undefined, lastUsedAt: undefined }),
      /^no_login blocked .*aigw onboard john --email$/,
    );
    assert.match(only({ lastToken: undefined }), /^fine /);
  });

  it("counts permits", () => {
    assert.equal(
      only({ permits: { limit: 60, used: 60, freeInMs: 11_200 } }),
      "limit_reached blocked | 60 of 60 permits are used; the next one is free in 12 s. Until then calls get 429. | aigw client set john --limit 120",
    );
    const recent = [status("ocr", 429, { requests: 3, limited: 3 }), status("ocr", 200, { requests: 7 })];
    assert.match(only({ recent }), /^limited_lately warning \| 3 of 10 calls .* limit of 60/);
  });

  it("knows services that are missing, forbidden or failing", () => {
    assert.match(only({ services: [] }), /^no_service blocked/);
    assert.match(
      only({ client: { ...JOHN, services: ["ocr", "tts"] } }),
      /^service_missing warning .* tts, which does not exist\. .*service add tts/,
    );
    assert.match(only({ client: { ...JOHN, services: ["tts"] } }), /^service_missing blocked .*and nothing else/);
    const recent = [status("chat", 403, { requests: 2, denied: 2 })];
    assert.match(
      only({ client: { ...JOHN, services: ["ocr"] }, recent }),
      /^service_not_allowed warning \| 2 calls to 'chat' .* got 403.*--services ocr,chat$/,
    );
    assert.match(
      only({ recent: [status("", 404, { requests: 1, denied: 1 })] }),
      /^service_unknown warning \| 1 call in .* got 404: .*Services are: chat, ocr\..*tail --client john --status 404$/,
    );
    // The service's own 404 is its answer, not a refusal.
    assert.match(only({ recent: [status("ocr", 404, { requests: 1 })] }), /^fine /);
    const lastMinute = [status("ocr", 502, { requests: 4, errors: 4 }), status("ocr", 200, { requests: 6 })];
    assert.match(
      only({ lastMinute }),
      /^service_failing warning \| ocr failed 4 of 10 calls in the last minute: 502 \(4 times\)\. /,
    );
    assert.match(
      only({ lastMinute: [status("ocr", 504, { requests: 1, errors: 1 })] }),
      /^service_failing blocked .*504 \(once\).*--timeout/,
    );
    assert.match(only({ lastMinute, client: { ...JOHN, services: ["chat"] } }), /^fine /);
    const lastFaults = [
      { service: "ocr", reason: "certificate_expired", calls: 3 },
      { service: "chat", reason: "refused", calls: 2 },
      { service: "ocr", reason: "reset", calls: 1 },
    ];
    assert.match(
      only({ lastMinute, lastFaults }),
      /502 \(4 times\)\. 3 times its certificate has expired\. Renew .* Once it reset the connection\. Its own log/,
    );
    assert.match(
      only({ lastMinute, lastFaults: [{ service: "ocr", reason: "refused", calls: 4 }] }),
      /502 \(4 times\)\. Each time its host refused the connection/,
    );
  });

  it("knows when the gateway itself had no room", () => {
    assert.match(
      only({ recent: [status("ocr", 503, { requests: 2, denied: 2 })] }),
      /^gateway_no_room warning \| .* no room for 2 calls .*LimitNOFILE.* \| aigw doctor$/,
    );
    assert.match(only({ recent: [status("ocr", 503, { requests: 2, errors: 2 })] }), /^fine /);
  });

  it("knows when no gateway runs, or none is fresh", () => {
    assert.match(only({ gateways: [] }), /^no_gateway blocked .*aigw serve$/);
    const stale = { ...anInstance({ state: "stale" }), lastSeenAgoMs: 10 };
    assert.match(only({ gateways: [stale] }), /^gateway_stale blocked/);
    assert.match(only({ gateways: [stale, { ...anInstance(), lastSeenAgoMs: 1 }] }), /^gateway_stale warning/);
  });

  it("lists what blocks before what warns, and nothing twice", () => {
    const recent = [status("ocr", 429, { requests: 3, limited: 3 })];
    const codes = explainClient(facts({ recent, gateways: [], client: { ...JOHN, expiresAt: NOW } }), when);
    assert.deepEqual(
      codes.map(({ code }) => code),
      ["expired", "no_gateway", "limited_lately"],
    );
  });
});

describe("what became of a request", () => {
  it("is explained for every outcome, without repeating what is not its own", () => {
    for (const outcome of OUTCOMES) {
      const { code, message } = explainRequest(
        anEvent({ outcome, status: outcome === "denied" ? 401 : 200 }),
        JOHN,
        NOW,
      );
      assert.equal(code, outcome === "denied" ? "request_token_refused" : `request_${outcome}`);
      assert.ok(message.length > 20 && !/undefined|NaN/.test(message), message);
    }
  });

  it("tells refusals apart", () => {
    const denied = anEvent({ outcome: "denied", status: 403, service: "chat" });
    const client = { ...JOHN, services: ["ocr"] };
    assert.deepEqual(explainRequest(denied, client, NOW), {
      code: "request_not_allowed",
      severity: "blocked",
      message: "john was not allowed to call chat.",
      command: "aigw client set john --services ocr,chat",
    });
    assert.equal(explainRequest(denied, undefined, NOW).command, undefined);
    assert.equal(explainRequest({ ...denied, status: 404 }, client, NOW).code, "request_unknown_service");
    assert.match(explainRequest({ ...denied, status: 401 }, undefined, NOW).message, /john has been removed since\.$/);
  });

  it("tells a client that left from one that stalled, and blames the service for neither", () => {
    const { upstreamMs: _none, ...unanswered } = anEvent({ outcome: "aborted", bytesIn: 3, bytesOut: 0, status: 0 });
    assert.match(explainRequest(unanswered, JOHN, NOW).message, /^The client left after .*before anything was sent/);
    const stalled = explainRequest({ ...unanswered, status: 408, bytesOut: 200 }, JOHN, NOW);
    assert.match(stalled.message, /^The client stopped sending .* and 3 bytes the gateway gave up with 408\. ocr was/);
    assert.equal(stalled.severity, "warning");
    const passedOn = { ...unanswered, status: 408, bytesOut: 200, upstreamMs: 7 };
    for (const event of [passedOn, { ...passedOn, status: 200 }]) {
      assert.match(explainRequest(event, JOHN, NOW).message, /^The client left, or stopped reading or sending, .* 200/);
    }
  });

  it("tells a service that failed from one that was not reached", () => {
    const { upstreamMs: _none, ...unreached } = anEvent({ outcome: "upstream_error", status: 502 });
    assert.match(explainRequest(unreached, JOHN, NOW).message, /got no answer from ocr and sent 502\.$/);
    assert.match(
      explainRequest({ ...unreached, upstreamMs: 7 }, JOHN, NOW).message,
      /ocr itself answered 502 after 7 ms/,
    );
  });

  it("says why there was no answer, and what to do about it", () => {
    const { upstreamMs: _none, ...unreached } = anEvent({ outcome: "upstream_error", status: 502 });
    for (const [reason, { what, remedy }] of Object.entries(FAULTS)) {
      assert.equal(
        explainRequest({ ...unreached, reason }, JOHN, NOW).message,
        `The gateway got no answer from ocr and sent 502: ${what}. ${remedy}`,
      );
      assert.ok(!/[.:]$/.test(what) && remedy.endsWith("."), reason);
    }
    assert.match(explainRequest({ ...unreached, reason: "of_a_later_version" }, JOHN, NOW).message, /sent 502\.$/);
    const broken = explainRequest(anEvent({ outcome: "incomplete", reason: "no_last_chunk", bytesOut: 7 }), JOHN, NOW);
    assert.match(
      broken.message,
      /did not finish its answer: .* before the last chunk\. After .* 7 bytes and got a broken transfer\. Its own log/,
    );
    const late = { ...unreached, outcome: "timeout", status: 504 } as const;
    assert.match(explainRequest({ ...late, reason: "answer_timeout" }, JOHN, NOW).command ?? "", /--timeout/);
    assert.doesNotMatch(explainRequest({ ...late, reason: "connect_timeout" }, JOHN, NOW).command ?? "", /--timeout/);
  });

  it("does not blame a service for the gateway's own want of room", () => {
    const refused = anEvent({ outcome: "denied", status: 503, reason: "out_of_files" });
    const { code, message, command } = explainRequest(refused, JOHN, NOW);
    assert.deepEqual([code, command], ["request_no_room", "aigw doctor"]);
    assert.match(message, /^The gateway refused it with 503 and did not call ocr: .*LimitNOFILE/);
    assert.deepEqual(countFaults([refused]), []);
  });
});

describe("the review", () => {
  const found = (
    fields: Partial<typeof JOHN>,
    more: { lastUsedAt?: number; day?: Partial<DayOfUse> } = {},
  ): readonly ReviewFinding[] =>
    reviewClients(
      {
        now: NOW,
        clients: [{ ...JOHN, ...fields }],
        lastUsedAt: new Map(more.lastUsedAt === undefined ? [] : [["john", more.lastUsedAt]]),
        lastDay: new Map([["john", { limited: 0, requests: 0, errors: 0, busiestHour: 0, ...more.day }]]),
        lastFaults: new Map([["john", [{ service: "ocr", reason: "refused", calls: 3 }]]]),
      },
      when,
    );
  const review = (...asked: Parameters<typeof found>): readonly string[] =>
    found(...asked).map(({ code, command }) => `${code}: ${command}`);
  const used = { lastUsedAt: NOW - DAY_MS };

  it("finds nothing in a client that is well", () => {
    assert.deepEqual(review({}, used), []);
  });

  it("finds what is unused, idle, old or about to end", () => {
    assert.deepEqual(review({}), ["never_used: aigw onboard john --email"]);
    assert.deepEqual(review({ email: "j@x.org" }).length, 2);
    assert.deepEqual(review({ email: "j@x.org", provenAt: NOW }).length, 1);
    // A call from before its time was another client's.
    assert.deepEqual(review({}, { lastUsedAt: JOHN.createdAt - 1 }).length, 1);
    assert.deepEqual(review({}, { lastUsedAt: NOW - 30 * DAY_MS }), ["idle: aigw client revoke john"]);
    assert.deepEqual(review({}, { lastUsedAt: NOW - 30 * DAY_MS + 1 }), []);
    assert.deepEqual(review({ passwordChangedAt: NOW - 180 * DAY_MS }, used), [
      "old_password: aigw client passwd john",
    ]);
    assert.deepEqual(review({ expiresAt: NOW + 14 * DAY_MS }, used), [
      "expires_soon: aigw client set john --expires 90d",
    ]);
    assert.deepEqual(review({ expiresAt: NOW + 15 * DAY_MS }, used), []);
  });

  it("finds limits that are tight", () => {
    assert.deepEqual(review({}, { ...used, day: { limited: 1, requests: 9 } }), [
      "over_limit: aigw client set john --limit 120",
    ]);
    assert.deepEqual(review({ limit: 10 }, { ...used, day: { busiestHour: 480 } }), [
      "near_limit: aigw client set john --limit 20",
    ]);
    assert.deepEqual(review({ limit: 10 }, { ...used, day: { busiestHour: 479 } }), []);
  });

  it("finds whose calls fail, and why", () => {
    const day = { requests: 100, errors: 10 };
    assert.deepEqual(review({}, { ...used, day }), ["calls_failing: aigw why john"]);
    assert.match(
      found({}, { ...used, day })[0]?.message ?? "",
      /^10 of john's 100 calls .* because of ocr: its host refused the connection, .*\. Start the service,/,
    );
    assert.deepEqual(review({}, { ...used, day: { requests: 100, errors: 9 } }), []);
    assert.deepEqual(review({}, { ...used, day: { requests: 1_000, errors: 49 } }), []);
  });

  it("finds who is gone but still there, and says nothing else of them", () => {
    const long = NOW - 31 * DAY_MS;
    assert.deepEqual(review({ status: "revoked", revokedAt: long }), ["long_revoked: aigw client remove john"]);
    assert.deepEqual(review({ expiresAt: long }), ["long_expired: aigw client remove john"]);
    assert.deepEqual(review({ status: "revoked", revokedAt: NOW - DAY_MS }), []);
    assert.deepEqual(review({ expiresAt: NOW - DAY_MS }), []);
  });
});
