import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ClientFacts,
  countFaults,
  type DayOfUse,
  FAULTS,
  OUTCOMES,
  type RefusedCalls,
  type ReviewFacts,
  type ServiceStatus,
  TOKEN_ENDS,
} from "@aigw/core";
import { termsOf } from "@aigw/core/plans";
import type { QuotaStanding } from "@aigw/core/quotas";
import { aClient, anEvent, anInstance, aService, aSigningKey } from "@aigw/core/testing";
import { DAY_MS, emptyTally, type UsageTally } from "@aigw/core/usage";
import { explainClient, recentCalls } from "../src/findings/explain-client.ts";
import { explainRequest, type RequestFacts } from "../src/findings/explain-request.ts";
import type { Finding } from "../src/findings/finding.ts";
import { type ReviewFinding, reviewClients } from "../src/findings/review-clients.ts";

const NOW = Date.UTC(2027, 5, 1);
const when = (at: number): string => `at ${(at - NOW) / 1_000} s`;
const KEY = aSigningKey();
const JOHN = aClient({ name: "john", createdAt: NOW - 40 * DAY_MS, passwordChangedAt: NOW - 40 * DAY_MS, epoch: 4 });
const TOKEN = { clientId: JOHN.id, kid: KEY.kid, epoch: 4, issuedAt: NOW - 60_000, expiresAt: NOW + 3_540_000 };
const OCR = aService({ name: "ocr" });
const CHAT = aService({ name: "chat" });
const GATEWAY = { ...anInstance({ appliedRev: 9 }), lastSeenAgoMs: 10 };

const status = (service: string, code: number, tally: Partial<UsageTally>): ServiceStatus => {
  const { requests = 0, denied = 0, limited = 0 } = tally;
  return { service, status: code, tally: { ...emptyTally(), timed: requests - denied - limited, ...tally } };
};

const refused = (code: number, fields: Partial<RefusedCalls> = {}): RefusedCalls => ({
  status: code,
  service: "ocr",
  reason: undefined,
  calls: 1,
  lastAt: NOW - 2_000,
  path: "/api/ocr/x",
  ...fields,
});

/** `pages=500/week`, of which so many are used. */
const aQuota = (used: number): QuotaStanding => ({
  units: ["pages"],
  per: "week",
  limit: 500_000_000,
  used: used * 1_000_000,
  reserved: 0,
  left: Math.max(0, 500 - used) * 1_000_000,
  startedAt: NOW - 4 * DAY_MS,
  resetsAt: NOW + 3 * DAY_MS,
});

const facts = (fields: Partial<ClientFacts> = {}): ClientFacts => ({
  now: NOW,
  client: JOHN,
  terms: termsOf(fields.client ?? JOHN, undefined),
  acts: [],
  limitSince: JOHN.createdAt,
  keyring: [KEY],
  lastToken: TOKEN,
  lastUsedAt: NOW - 5_000,
  permits: { limit: 60, used: 12, freeInMs: 0 },
  quotas: [],
  services: [CHAT, OCR],
  waits: [],
  recent: [],
  refused: [],
  lastLetInAt: undefined,
  recentFaults: [],
  lastMinute: [],
  lastFaults: [],
  gateways: [GATEWAY],
  head: { rev: 9, at: NOW - DAY_MS },
  ...fields,
});

const line = ({ code, severity, message, command }: Finding): string =>
  `${code} ${severity} | ${message} | ${command ?? "-"}`;
const all = (fields: Partial<ClientFacts>): readonly string[] => explainClient(facts(fields), when).map(line);
const only = (fields: Partial<ClientFacts>): string => {
  const found = all(fields);
  assert.equal(found.length, 1, JSON.stringify(found));
  return found[0] ?? "";
};

const act = (action: ClientFacts["acts"][number]["action"], secondsAgo: number): ClientFacts["acts"][number] => ({
  action,
  at: NOW - secondsAgo * 1_000,
  actor: "ann@ops",
});

/** What john's 3,536 calls came to, of which 3,311 got 401. */
const MOSTLY_401 = [status("ocr", 200, { requests: 225 }), status("ocr", 401, { requests: 3_311, denied: 3_311 })];

describe("what happened to a client's calls", () => {
  const CASES: readonly (readonly [what: string, fields: Partial<ClientFacts>, said: string])[] = [
    ["never any", { lastUsedAt: undefined }, "No call by john in the last 15 minutes; none is on record at all."],
    ["none lately", {}, "No call by john in the last 15 minutes; the last one on record was at -5 s."],
    [
      "one, answered",
      { recent: [status("ocr", 200, { requests: 1 })], lastLetInAt: NOW - 3_000 },
      "1 call by john in the last 15 minutes: answered; the latest was let in at -3 s.",
    ],
    [
      "all answered",
      { recent: [status("ocr", 200, { requests: 7 })], lastLetInAt: NOW - 3_000 },
      "7 calls by john in the last 15 minutes: all answered; the latest was let in at -3 s.",
    ],
    [
      "mostly refused",
      { recent: MOSTLY_401, refused: [refused(401, { calls: 3_311 })], lastLetInAt: NOW - 300_000 },
      "3,536 calls by john in the last 15 minutes: 225 answered, 3,311 refused; the latest, at -2 s, got 401.",
    ],
    [
      "only refused",
      { recent: [status("ocr", 401, { requests: 3, denied: 3 })], refused: [refused(401, { calls: 3 })] },
      "3 calls by john in the last 15 minutes: all refused; the latest, at -2 s, got 401.",
    ],
    [
      "of every kind",
      {
        recent: [
          status("ocr", 200, { requests: 4, aborted: 1 }),
          status("ocr", 502, { requests: 2, errors: 2 }),
          status("ocr", 429, { requests: 3, limited: 3 }),
          status("", 404, { requests: 1, denied: 1 }),
        ],
        refused: [refused(429, { calls: 3, lastAt: NOW - 9_000 }), refused(404, { lastAt: NOW - 8_000 })],
        lastLetInAt: NOW - 1_000,
      },
      "10 calls by john in the last 15 minutes: 3 answered, 2 failed at the service, 3 over the limit, 1 refused, 1 broken off by the client; the latest was let in at -1 s.",
    ],
  ];
  for (const [what, fields, said] of CASES) it(what, () => assert.equal(recentCalls(facts(fields), when), said));
});

describe("why a client fares as it does", () => {
  it("says so when nothing is in the way", () => {
    assert.equal(
      only({}),
      "fine fine | Nothing stands in the way: john may call chat and ocr, 12 of 60 permits are used, its token runs out at 3540 s. | -",
    );
    assert.match(
      only({ lastToken: { ...TOKEN, expiresAt: NOW - 2_000 } }),
      /^fine .* its last token ran out at -2 s, so it logs in before it calls\. \| -$/,
    );
    assert.match(only({ lastToken: undefined }), /^fine .* permits are used\. \| -$/);
  });

  it("names who revoked it, and when, and that it goes on calling", () => {
    const client = aClient({ ...JOHN, status: "revoked", revokedAt: NOW - 9_000 });
    const acts = [act("client.revoke", 9), act("client.passwd", 90)];
    assert.equal(
      only({ client, acts }),
      "revoked blocked | john was revoked at -9 s by ann@ops: every token and every login is refused. | aigw client restore john",
    );
    const calls = refused(401, { reason: "client_revoked", calls: 40 });
    assert.match(only({ client, acts, refused: [calls] }), /is refused\. It still calls, last at -2 s\. \|/);
  });

  it("knows an expired client, and one that is both", () => {
    const client = { ...JOHN, expiresAt: NOW - 7_000 };
    assert.match(only({ client }), /^expired blocked .*ended at -7 s: every token.*--expires 30d$/);
    assert.deepEqual(
      explainClient(facts({ client: { ...client, status: "revoked", revokedAt: NOW } }), when).map(({ code }) => code),
      ["revoked", "expired"],
      "restoring it alone would help nobody",
    );
  });

  it("looks at the calls that were refused before it looks at the last login", () => {
    const calls = refused(401, { reason: "token_superseded", calls: 3_311 });
    const acts = [act("client.passwd", 7_200)];
    const told = { recent: MOSTLY_401, refused: [calls], acts };
    assert.equal(
      only(told),
      "token_superseded blocked | 3,311 calls of 3,536 in the last 15 minutes got 401, the latest at -2 s: the token was from before a new password, a revocation or a restoration (new password by ann@ops). It has to log in again (POST /auth/token). A good token was issued at -60 s, and is not what it calls with. | -",
    );
    assert.match(only({ ...told, lastToken: undefined }), /log in again \(POST \/auth\/token\)\. \| -$/);
    assert.match(
      only({ ...told, lastLetInAt: NOW - 1_000 }),
      /^token_superseded warning .* Its latest call, at -1 s, was let in: another token is good, but some part of it may go on using the old one\. \| -$/,
    );
  });

  it("knows each end of a token", () => {
    const codes = Object.keys(TOKEN_ENDS).map((reason) =>
      only({ recent: MOSTLY_401, refused: [refused(401, { reason, calls: 30 })] }).replace(/^(\S+ \S+) .*$/, "$1"),
    );
    assert.deepEqual(codes, [
      "token_superseded blocked",
      "token_refused warning",
      "token_superseded blocked",
      "token_rotated blocked",
      "token_expired blocked",
    ]);
    for (const reason of [undefined, "of_a_later_version"]) {
      assert.match(
        only({ recent: MOSTLY_401, refused: [refused(401, { reason })] }),
        /^token_refused blocked .*: the token was genuine, but not good any more\. It has to log in again/,
      );
    }
  });

  it("does not make a finding of a client that logs in again when it has to", () => {
    const renewed = { lastLetInAt: NOW - 1_000, recent: MOSTLY_401 };
    assert.match(only({ ...renewed, refused: [refused(401, { reason: "token_expired", calls: 1 })] }), /^fine /);
    assert.match(only({ ...renewed, refused: [refused(401, { reason: "token_expired", calls: 3 })] }), /^token_exp/);
    // Restored, logged in, and let in since.
    assert.match(only({ ...renewed, refused: [refused(401, { reason: "client_revoked", calls: 30 })] }), /^fine /);
  });

  it("without refused calls, goes by the last token, and by what ended it first", () => {
    const older = { ...TOKEN, epoch: 3 };
    const acts = [
      act("client.passwd", 9),
      act("client.restore", 20),
      act("client.revoke", 30),
      act("client.passwd", 90),
    ];
    assert.match(
      only({ lastToken: older, acts }),
      /^token_superseded blocked .*issued at -60 s, before the revocation at -30 s by ann@ops, which ended it: john has to log in again/,
    );
    const retired = aSigningKey({ ...KEY, status: "retired" });
    assert.match(
      only({ keyring: [retired], acts: [act("secret.rotate", 9), act("secret.rotate", 40)] }),
      /^token_rotated blocked .*rotated out at -40 s by ann@ops/,
    );
    assert.match(
      only({ lastToken: undefined, lastUsedAt: undefined }),
      /^no_login blocked .*never logged in nor called .* wrong password, and calls with a token that this store never issued, are on nobody's record\. \| aigw onboard john --email$/,
    );
  });

  it("counts permits", () => {
    assert.equal(
      only({ permits: { limit: 60, used: 60, freeInMs: 11_200 } }),
      "limit_reached blocked | 60 of 60 permits are used; the next one is free in 12 s. Until then calls get 429. | aigw client set john --limit 120",
    );
    assert.match(only({ permits: { limit: 10_000_000, used: 10_000_000, freeInMs: 1 } }), /\| -$/);
  });

  it("names a quota that is used up, and tells calls over a quota from calls over the limit", () => {
    assert.equal(
      only({ quotas: [aQuota(499), aQuota(502)] }),
      "quota_used_up blocked | john's quota pages=500/week is used up: 502 of 500; it starts anew at 259200 s. Until then calls that count in it get 429. | aigw client grant john pages=+500 --until 7d",
    );
    const over = [refused(429, { reason: "quota_exceeded", calls: 3, lastAt: NOW - 60_000 })];
    const recent = [status("ocr", 429, { requests: 3, limited: 3 })];
    const lately =
      "quota_limited_lately warning | 3 calls in the last 15 minutes got 429 for a quota, the latest at -60 s: what was left was used up then, or set aside for calls under way. | aigw client quota john";
    assert.equal(only({ refused: over, recent }), lately);
    assert.match(recentCalls(facts({ refused: over, recent }), when), /in the last 15 minutes: all over a quota/);
    const both = [...over, refused(429, { calls: 2, lastAt: NOW - 30_000 })];
    const more = [status("ocr", 429, { requests: 5, limited: 5 }), status("ocr", 200, { requests: 4 })];
    assert.deepEqual(all({ refused: both, recent: more }), [
      "limited_lately warning | 2 calls of 9 in the last 15 minutes got 429, the latest at -30 s: over the limit of 60 in 60 s. | aigw client set john --limit 120",
      lately,
    ]);
  });

  it("does not judge calls by a limit that came after them", () => {
    const recent = [status("ocr", 429, { requests: 3, limited: 3 }), status("ocr", 200, { requests: 7 })];
    const calls = [refused(429, { calls: 3, lastAt: NOW - 60_000 })];
    assert.equal(
      only({ recent, refused: calls }),
      "limited_lately warning | 3 calls of 10 in the last 15 minutes got 429, the latest at -60 s: over the limit of 60 in 60 s. | aigw client set john --limit 120",
    );
    assert.match(only({ recent, refused: calls, limitSince: NOW - 59_000 }), /^fine /);
    assert.match(only({ recent, refused: calls, limitSince: NOW - 61_000 }), /^limited_lately /);
  });

  it("knows services that are missing or forbidden, with one command that undoes no other", () => {
    assert.match(only({ services: [] }), /^no_service blocked/);
    assert.match(
      only({ client: { ...JOHN, services: ["ocr", "tts"] } }),
      /^service_missing warning .* tts, which does not exist\. .*service add tts/,
    );
    assert.match(only({ client: { ...JOHN, services: ["tts"] } }), /^service_missing blocked .*and nothing else/);
    assert.match(only({ client: { ...JOHN, services: [] } }), /^service_missing blocked .*--services all$/);
    const tts = aService({ name: "tts" });
    const recent = [status("chat", 403, { requests: 2, denied: 2 }), status("tts", 403, { requests: 1, denied: 1 })];
    const calls = [refused(403, { service: "chat", calls: 2 }), refused(403, { service: "tts" })];
    const forbidden = { services: [CHAT, OCR, tts], recent, refused: calls };
    assert.equal(
      only({ ...forbidden, client: { ...JOHN, services: ["ocr"] } }),
      "service_not_allowed warning | 2 calls to chat and 1 call to tts in the last 15 minutes got 403: john is not allowed to call them. | aigw client set john --services ocr,chat,tts",
    );
    const both = all({ ...forbidden, client: { ...JOHN, services: ["ocr", "gone"] } });
    assert.match(both[0] ?? "", /^service_missing warning .*gone, which does not exist\. \| -$/);
    assert.match(both[1] ?? "", /^service_not_allowed .* --services ocr,chat,tts$/, "one that the command line takes");
    // By now it may, or the service is gone.
    assert.match(only({ ...forbidden, client: { ...JOHN, services: ["chat", "tts"] } }), /^fine /);
    assert.match(
      only({ ...forbidden, services: [OCR], client: { ...JOHN, services: ["ocr"] } }),
      /^fine .*may call ocr,/,
    );
  });

  it("knows calls to services that there are not", () => {
    const recent = [status("", 404, { requests: 1, denied: 1 })];
    assert.match(
      only({ recent, refused: [refused(404, { service: "", path: "/api/orc/x" })] }),
      /^service_unknown warning \| 1 call in .* got 404, the latest for \/api\/orc\/x: there was .*Services are: chat and ocr\..*tail --client john --status 404$/,
    );
  });

  it("waiting that makes a client slow, and calls that found no room", () => {
    const queued = { ...OCR, queue: { concurrency: 2, most: 100, waitMs: 30_000 } };
    const services = [CHAT, queued];
    const calls = refused(503, { calls: 3, reason: "service_busy" });
    assert.match(
      only({ services, recent: [status("ocr", 503, { requests: 3, denied: 3 })], refused: [calls] }),
      /^service_busy warning \| ocr had no room for 3 calls .* takes 2 at once, and 100 may wait.* \| aigw service set ocr --queue 200$/,
    );
    assert.match(
      only({ services, recent: [status("ocr", 503, { requests: 3, denied: 3 })], refused: [{ ...calls, late: 2 }] }),
      /^service_busy .* for 30\.0 s at most.* \| aigw service set ocr --queue-wait 60s$/,
    );
    const waits = { service: "ocr", calls: 40, waited: 35, queuedMs: 4_200, latencyMs: 5_100 };
    assert.match(
      only({ services, waits: [waits] }),
      /^service_waits warning \| john's calls to ocr are slow because they wait: 35 of the latest 40 calls did, and of 5\.1 s that a call took 4\.2 s were waiting\. ocr takes 2 calls at once/,
    );
    for (const harmless of [{ queuedMs: 900 }, { queuedMs: 90, latencyMs: 100 }]) {
      assert.match(only({ services, waits: [{ ...waits, ...harmless }] }), /^fine/);
    }
    assert.match(only({ waits: [waits] }), /^fine/);
  });

  it("knows when the gateway itself had no room", () => {
    const calls = refused(503, { calls: 2, reason: "out_of_files" });
    assert.match(
      only({ recent: [status("ocr", 503, { requests: 2, denied: 2 })], refused: [calls] }),
      /^gateway_no_room warning \| .* no room for 2 calls .*LimitNOFILE.* \| aigw doctor$/,
    );
  });

  it("knows services that fail this client, also when nobody called in the last minute", () => {
    const recent = [status("ocr", 502, { requests: 40, errors: 40 }), status("ocr", 200, { requests: 60 })];
    const recentFaults = [
      { service: "ocr", reason: "certificate_expired", calls: 39 },
      { service: "chat", reason: "refused", calls: 2 },
      { service: "ocr", reason: "reset", calls: 1 },
    ];
    assert.equal(
      only({ recent, recentFaults, lastLetInAt: NOW - 100_000 }),
      "service_failing warning | ocr failed 40 of john's 100 calls in the last 15 minutes: 502 (40 times). 39 times its certificate has expired. Renew the service's certificate. Once it reset the connection. Its own log knows why: it crashed, was restarted, or has a bound of its own. | aigw service show ocr",
    );
    const lastMinute = [status("ocr", 502, { requests: 4, errors: 4 })];
    assert.match(
      only({ recent, lastMinute }),
      /^service_failing blocked .* 502 \(40 times\)\. In the last minute 4 of everybody's 4\./,
    );
    assert.match(
      only({ lastMinute, lastFaults: [{ service: "ocr", reason: "refused", calls: 4 }] }),
      /^service_failing warning \| ocr failed 4 of everybody's 4 calls in the last minute: 502 \(4 times\)\. Each time its host refused/,
    );
    assert.match(only({ lastMinute, client: { ...JOHN, services: ["chat"] } }), /^fine /);
    assert.match(only({ lastMinute, recent, services: [CHAT] }), /^fine /, "it was removed");
    // What never reached it is no call of its.
    const limited = status("ocr", 429, { requests: 96, limited: 96 });
    assert.match(only({ lastMinute: [...lastMinute, limited] }), /failed 4 of everybody's 4 calls/);
  });

  it("offers more time only where time was short, and more than there is", () => {
    const late = (service: Partial<typeof OCR>, reason = "answer_timeout"): string =>
      only({
        services: [aService({ ...OCR, ...service })],
        recent: [status("ocr", 504, { requests: 1, errors: 1 })],
        recentFaults: [{ service: "ocr", reason, calls: 1 }],
      });
    assert.match(late({}), /^service_failing blocked .*504 \(once\).* \| aigw service set ocr --timeout 5m$/);
    assert.match(late({ timeoutMs: 600_000 }), /--timeout 20m$/);
    assert.match(late({ timeoutMs: 50_000_000 }), /--timeout 24h$/);
    assert.match(late({ timeoutMs: 86_400_000 }), /\| aigw service show ocr$/);
    assert.match(late({}, "connect_timeout"), /\| aigw service show ocr$/);
  });

  it("tells the service's own refusals from the gateway's", () => {
    assert.match(
      only({ recent: [status("ocr", 401, { requests: 20 })], lastLetInAt: NOW }),
      /^service_rejects warning \| ocr itself answered 20 of john's 20 calls .* with 401 \(20 times\), which the gateway passed on\. .*--header-env\. \| aigw service show ocr$/,
    );
    assert.match(only({ recent: [status("ocr", 404, { requests: 2 })] }), /^service_rejects .* 404 \(twice\)/);
    // One of many is an answer like others.
    assert.match(
      only({ recent: [status("ocr", 404, { requests: 2 }), status("ocr", 200, { requests: 1 })] }),
      /^fine /,
    );
  });

  it("tells a client that leaves", () => {
    const recent = [status("ocr", 200, { requests: 3, aborted: 3 })];
    assert.match(only({ recent }), /^client_leaves warning \| john itself broke off 3 of its 3 calls/);
    assert.match(only({ recent: [status("ocr", 200, { requests: 7, aborted: 3 })] }), /^fine /);
  });

  it("knows when no gateway runs, or none that is well", () => {
    assert.match(only({ gateways: [] }), /^no_gateway blocked .*aigw serve$/);
    const other = { ...anInstance({ address: "http://10.0.0.2:8080", appliedRev: 9 }), lastSeenAgoMs: 1 };
    const CASES: readonly (readonly [Partial<ClientFacts["gateways"][number]>, alone: RegExp, beside: RegExp])[] = [
      [{ state: "stale" }, /^gateway_stale blocked .*8080 cannot read .* and answers 503/, /^gateway_stale warning/],
      [
        { lastSeenAgoMs: 4_000 },
        /^gateway_silent blocked .* was last heard of 4\.0 s ago: killed/,
        /^gateway_silent warning/,
      ],
      [
        { lastSeenAgoMs: 4_000, alive: true },
        /^gateway_silent warning .* runs, .* last heard of 4\.0 s ago: what is in force/,
        /^gateway_silent warning/,
      ],
      [{ lastSeenAgoMs: 12_000 }, /^gateway_silent warning .* not known/, /^gateway_silent warning/],
      [{ state: "draining" }, /^gateway_draining blocked/, /^fine /],
      [{ appliedRev: 8 }, /^gateway_behind warning .* has not applied the newest/, /^gateway_behind warning/],
    ];
    for (const [fields, alone, beside] of CASES) {
      assert.match(only({ gateways: [{ ...GATEWAY, ...fields }] }), alone);
      assert.match(only({ gateways: [{ ...GATEWAY, ...fields }, other] }), beside);
    }
    // A change of this very moment is on its way.
    assert.match(only({ gateways: [{ ...GATEWAY, appliedRev: 8 }], head: { rev: 9, at: NOW - 500 } }), /^fine /);
  });

  it("lists what blocks before what warns, and nothing twice", () => {
    const recent = [status("ocr", 429, { requests: 3, limited: 3 })];
    const told = facts({ recent, refused: [refused(429)], gateways: [], client: { ...JOHN, expiresAt: NOW } });
    assert.deepEqual(
      explainClient(told, when).map(({ code }) => code),
      ["expired", "no_gateway", "limited_lately"],
    );
  });
});

const request = (
  event: RequestFacts["event"],
  fields: Partial<Omit<RequestFacts, "event">> = {},
): ReturnType<typeof explainRequest> =>
  explainRequest({
    event,
    client: JOHN,
    terms: "client" in fields ? fields.client && termsOf(fields.client, undefined) : termsOf(JOHN, undefined),
    services: [CHAT, OCR],
    now: NOW,
    ...fields,
  });

describe("what became of a request", () => {
  it("is explained for every outcome, without repeating what is not its own", () => {
    for (const outcome of OUTCOMES) {
      const { code, message } = request(anEvent({ outcome, status: outcome === "denied" ? 401 : 200 }));
      assert.equal(code, outcome === "denied" ? "request_token_refused" : `request_${outcome}`);
      assert.ok(message.length > 20 && !/undefined|NaN/.test(message), message);
    }
  });

  it("names no command that would be refused", () => {
    for (const outcome of OUTCOMES) {
      for (const code of [401, 403, 404, 429, 502, 504]) {
        const { message, command } = request(anEvent({ outcome, status: code }), { client: undefined, services: [] });
        assert.doesNotMatch(command ?? "", /ocr|john/, `${outcome} ${code}`);
        assert.doesNotMatch(message, /undefined/);
      }
    }
  });

  it("tells refusals apart", () => {
    const denied = anEvent({ outcome: "denied", status: 403, service: "chat" });
    const client = { ...JOHN, services: ["ocr", "gone"] };
    assert.equal(
      line(request(denied, { client })),
      "request_not_allowed blocked | john was not allowed to call chat. | aigw client set john --services ocr,chat",
    );
    assert.equal(
      line(request(denied)),
      "request_not_allowed blocked | john was not allowed to call chat; now it is. | -",
    );
    assert.match(line(request(denied, { client, services: [OCR] })), /chat, which was removed since\. \| -$/);
    const lost = anEvent({ outcome: "denied", status: 404, service: "", path: "/api/orc/x" });
    assert.match(line(request(lost)), /^request_unknown_service .* \/api\/orc\/x asks for\. \|/);
    assert.match(line(request({ ...lost, path: "/api/chat" })), /asks for; there is one now\. \|/);
    const limited = anEvent({ outcome: "limited", status: 429, service: "" });
    assert.match(
      line(request(limited, { client: { ...JOHN, limit: 120 } })),
      /over its limit of that moment: the gateway answered 429 and called no service\. .*Today it is 120 in 60 s\. \| aigw why john$/,
    );
  });

  it("says why a token was refused", () => {
    for (const [reason, { what }] of Object.entries(TOKEN_ENDS)) {
      const event = anEvent({ outcome: "denied", status: 401, reason });
      assert.equal(
        request(event).message,
        `The token was genuine, but not good at that moment: ${what}. john is active now.`,
      );
    }
    const event = anEvent({ outcome: "denied", status: 401 });
    assert.match(request(event).message, /any more: run out, rotated out, or from before/);
    assert.match(request(event, { client: undefined }).message, /john has been removed since\.$/);
    assert.match(request({ ...event, client: "john:trial" }).message, /\bjohn is active now\.$/);
  });

  it("tells who broke a transfer off", () => {
    const { upstreamMs: _none, ...unsent } = anEvent({ outcome: "aborted", status: 408, bytesIn: 7 });
    assert.match(request(unsent).message, /stopped sending .* 7 B the gateway gave up with 408/);
    assert.match(request(anEvent({ outcome: "aborted", status: 0 })).message, /before anything was sent/);
    assert.match(request(anEvent({ outcome: "aborted", status: 408 })).message, /^The client left, or stopped/);
  });

  it("tells how a WebSocket ended", () => {
    const socket = (outcome: RequestFacts["event"]["outcome"]): string =>
      line(request(anEvent({ outcome, status: 101, bytesIn: 7, bytesOut: 9 })));
    assert.match(socket("ok"), /^request_ok fine \| A WebSocket of ocr .* 7 B from the client and 9 B to it, and then/);
    assert.match(
      socket("aborted"),
      /^request_aborted warning \| The client ended a WebSocket of ocr without closing it/,
    );
    assert.match(socket("incomplete"), /^request_incomplete warning \| ocr, or the gateway when it was stopped, ended/);
    assert.match(socket("revoked"), /^request_revoked blocked \| The transfer was cut .* right to it ended/);
  });

  it("tells a service's own error from no answer", () => {
    const { upstreamMs: _none, ...unreached } = anEvent({ outcome: "upstream_error", status: 502 });
    assert.match(request(unreached).message, /got no answer from ocr and sent 502\.$/);
    assert.match(request({ ...unreached, upstreamMs: 7 }).message, /ocr itself answered 502 after 7\.0 ms/);
    assert.match(
      request(anEvent({ status: 404 })).message,
      /ocr answered 404 .* the service's own, not the gateway's\.$/,
    );
  });

  it("says why there was no answer, and what to do about it", () => {
    const { upstreamMs: _none, ...unreached } = anEvent({ outcome: "upstream_error", status: 502 });
    for (const [reason, { what, remedy }] of Object.entries(FAULTS)) {
      assert.equal(
        request({ ...unreached, reason }).message,
        `The gateway got no answer from ocr and sent 502: ${what}. ${remedy}`,
      );
      assert.ok(!/[.:]$/.test(what) && remedy.endsWith("."), reason);
    }
    assert.match(request({ ...unreached, reason: "of_a_later_version" }).message, /sent 502\.$/);
    const broken = request(anEvent({ outcome: "incomplete", reason: "no_last_chunk", bytesOut: 7 }));
    assert.match(
      broken.message,
      /did not finish its answer: .* before the last chunk\. After .* 7 B and got a broken transfer\. Its own log/,
    );
    const late = { ...unreached, outcome: "timeout", status: 504 } as const;
    assert.match(request({ ...late, reason: "answer_timeout" }).command ?? "", /--timeout 5m$/);
    assert.doesNotMatch(request({ ...late, reason: "connect_timeout" }).command ?? "", /--timeout/);
  });

  it("says that a service had no room, and that waiting is what a call took", () => {
    const busy = request(anEvent({ outcome: "denied", status: 503, reason: "service_busy", queuedMs: 30_000 }));
    assert.equal(busy.code, "request_service_busy");
    assert.match(busy.message, /^ocr had all the calls that it takes at once, for the 30\.0 s that it waited: .* 503/);
    const full = request(anEvent({ outcome: "denied", status: 503, reason: "service_busy" }));
    assert.match(full.message, /and as many waited for it as may/);
    assert.deepEqual(countFaults([anEvent({ outcome: "denied", status: 503, reason: "service_busy" })]), []);
    const slow = request(anEvent({ outcome: "ok", status: 200, latencyMs: 5_000, queuedMs: 4_000 }));
    assert.match(slow.message, /For 4\.0 s of that it waited for the service to have room\.$/);
    const quick = request(anEvent({ outcome: "ok", status: 200, latencyMs: 5_000, queuedMs: 1_000 }));
    assert.doesNotMatch(quick.message, /waited/);
    const shut = request(anEvent({ outcome: "denied", status: 503 }));
    assert.equal(shut.code, "request_unavailable");
  });

  it("does not blame a service for the gateway's own want of room", () => {
    const event = anEvent({ outcome: "denied", status: 503, reason: "out_of_files" });
    const { code, message, command } = request(event);
    assert.deepEqual([code, command], ["request_no_room", "aigw doctor"]);
    assert.match(message, /^The gateway refused it with 503 and did not call ocr: .*LimitNOFILE/);
    assert.deepEqual(countFaults([event]), []);
  });
});

describe("the review", () => {
  interface Lived {
    readonly lastUsedAt?: number;
    readonly lastLetInAt?: number;
    readonly day?: Partial<DayOfUse>;
    readonly limits?: Partial<DayOfUse["underLimit"]>;
    readonly quotas?: ReviewFacts["quotas"];
    readonly turnedAway?: ReviewFacts["turnedAway"];
  }
  const found = (
    fields: Partial<typeof JOHN>,
    { lastUsedAt, lastLetInAt = lastUsedAt, ...more }: Lived = {},
  ): readonly ReviewFinding[] => {
    const at = (time: number | undefined): Map<string, number> => new Map(time === undefined ? [] : [["john", time]]);
    const underLimit = { since: undefined, requests: 9, limited: 0, busiestHour: 0, ...more.limits };
    const reviewed: ReviewFacts = {
      now: NOW,
      clients: [{ ...JOHN, ...fields }],
      plans: new Map(),
      services: [],
      metered: [],
      turnedAway: more.turnedAway ?? { services: new Map(), clients: new Map(), late: new Map() },
      quotas: more.quotas ?? new Map(),
      lastUsedAt: at(lastUsedAt),
      lastLetInAt: at(lastLetInAt),
      lastDay: new Map([["john", { requests: 0, errors: 0, denied: 0, ...more.day, underLimit }]]),
      lastFaults: new Map([["john", [{ service: "ocr", reason: "refused", calls: 3 }]]]),
    };
    return reviewClients(reviewed, when);
  };
  const review = (...asked: Parameters<typeof found>): readonly string[] =>
    found(...asked).map(({ code, command }) => `${code}: ${command}`);
  const said = (...asked: Parameters<typeof found>): string =>
    found(...asked)
      .map(({ message }) => message)
      .join("\n");
  const used = { lastUsedAt: NOW - DAY_MS };

  it("finds nothing in a client that is well", () => {
    assert.deepEqual(review({}, used), []);
  });

  it("finds what is unused, idle, old or about to end", () => {
    assert.deepEqual(review({}), ["never_used: aigw onboard john --email"]);
    assert.deepEqual(review({ email: "j@x.org" }).length, 2);
    assert.deepEqual(review({ email: "j@x.org", provenAt: NOW }).length, 1);
    // A call from before its time was another client's.
    assert.deepEqual(review({}, { lastUsedAt: JOHN.createdAt - 1 }), ["never_used: aigw onboard john --email"]);
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

  it("does not take refused calls for use", () => {
    const day = { requests: 3_536, denied: 3_311 };
    assert.equal(
      said({}, { lastUsedAt: NOW - 2_000, lastLetInAt: NOW - 9_000, day }),
      "3,311 of john's 3,536 calls in the last 24 hours were refused: token, service or permission.",
    );
    const turnedAway = { services: new Map(), clients: new Map([["john", 3_308]]), late: new Map() };
    assert.deepEqual(review({}, { lastUsedAt: NOW - 2_000, lastLetInAt: NOW - 9_000, day, turnedAway }), []);
    const never = { day, lastUsedAt: NOW - 2_000, lastLetInAt: JOHN.createdAt - 1 };
    assert.equal(
      said({}, never),
      "john was added at -3456000 s and none of its calls was ever let in; the last one was refused at -2 s.",
    );
    assert.deepEqual(review({}, never), ["calls_refused: aigw why john"]);
    const long = { lastUsedAt: NOW - 2_000, lastLetInAt: NOW - 35 * DAY_MS };
    assert.equal(
      said({}, long),
      "john's last call that was let in was at -3024000 s; it has called since, last at -2 s, and was refused.",
    );
    assert.deepEqual(review({}, { ...used, day: { requests: 100, denied: 9 } }), []);
    assert.deepEqual(review({ status: "revoked", revokedAt: NOW - DAY_MS }, { day }), ["calls_refused: aigw why john"]);
  });

  it("finds limits that are tight, and judges no call by a limit that came later", () => {
    assert.deepEqual(review({}, { ...used, limits: { limited: 1 } }), ["over_limit: aigw client set john --limit 120"]);
    assert.equal(
      said({}, { ...used, limits: { limited: 1 } }),
      "1 of john's 9 calls in the last 24 hours went over its limit of 60 in 60 s.",
    );
    assert.equal(
      said({ limit: 120 }, { ...used, limits: { limited: 4, since: NOW - 3_000 } }),
      "4 of john's 9 calls since its limit was set at -3 s went over its limit of 120 in 60 s.",
    );
    assert.deepEqual(review({ limit: 120 }, { ...used, limits: { limited: 0, since: NOW - 3_000 } }), []);
    assert.deepEqual(review({ limit: 10 }, { ...used, limits: { busiestHour: 480 } }), [
      "near_limit: aigw client set john --limit 20",
    ]);
    assert.deepEqual(review({ limit: 10 }, { ...used, limits: { busiestHour: 479 } }), []);
  });

  it("names who has used 80 % of a quota, and who all of it", () => {
    const of = (pages: number): readonly string[] =>
      review({}, { ...used, quotas: new Map([["john", [aQuota(pages)]]]) });
    const command = "aigw client grant john pages=+500 --until 7d";
    assert.deepEqual([of(399), of(400), of(500)], [[], [`near_quota: ${command}`], [`over_quota: ${command}`]]);
    assert.equal(
      said({}, { ...used, quotas: new Map([["john", [aQuota(400)]]]) }),
      "john's quota pages=500/week is used to 80 %: 400 of 500; it starts anew at 259200 s.",
    );
  });

  it("finds whose calls fail, and why", () => {
    const day = { requests: 100, errors: 10 };
    assert.deepEqual(review({}, { ...used, day }), ["calls_failing: aigw why john"]);
    assert.match(
      said({}, { ...used, day }),
      /^10 of john's 100 calls .* failed at the service\. Most often lately ocr: its host refused the connection, .*\. Start the service,/,
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
