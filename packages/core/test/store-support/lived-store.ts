import type { ChangeDraft } from "../../src/changes/change.ts";
import type { OpenedStore } from "../../src/store/engine.ts";
import { aClient, anEvent, aService, aSigningKey } from "../../src/testing/index.ts";
import { DAY_MS } from "../../src/usage/report-plan.ts";
import { OUTCOMES, type UsageEvent } from "../../src/usage/usage-event.ts";
import { type SqliteFixture, sqliteFixture } from "./sqlite-fixture.ts";

export const ACT = { at: 5, actor: "test" };
const QUERIES = [
  { by: ["client", "service"], filter: {} },
  { by: ["day"], filter: {} },
  { by: ["hour"], filter: { client: "john" } },
  { by: [], filter: {} },
  { by: ["model", "plan"], filter: {} },
] as const;

/** Of most calls of a service with a meter and prices; sums of it are more than a number holds. */
const worthAt = (n: number): Partial<UsageEvent> => {
  if (n % 12 === 1) return { units: {}, metered: "no", unread: "not_json", cost: null };
  return {
    units: { pages: n * 250_000, ...(n % 8 === 1 && { input_tokens: 999_999_999_999_999 - n }) },
    metered: n % 24 === 5 ? "estimated" : "yes",
    from: "answer",
    model: ["gpt-4o", "llama 3"][n % 2] ?? "",
    cost: Number.MAX_SAFE_INTEGER - n,
    ...(n % 3 === 0 && { plan: "pro" }),
  };
};

/**
 * A life's worth of everything: erased and purged effects, several at once, folded, pruned and fresh events, permits.
 * @param worth false: of before calls were worth anything
 */
export const lived = async ({ worth = true }: { readonly worth?: boolean } = {}): Promise<SqliteFixture> => {
  const fixture = sqliteFixture();
  const { clock } = fixture;
  const store = fixture.open();
  const [john, ann] = [aClient({ name: "john", note: "läuft" }), aClient({ name: "ann", email: "ann@example.com" })];
  const ocr = aService({ name: "ocr", headers: [{ name: "X-Api-Key", sealedValue: "v1.one" }] });
  const key = aSigningKey();
  const changes: readonly (readonly ChangeDraft[])[] = [
    [{ action: "secret.create", subject: key.kid, after: [key] }],
    [
      { action: "client.add", subject: "john", after: john },
      { action: "client.add", subject: "ann", after: ann },
      { action: "service.add", subject: "john", after: aService({ name: "john" }) },
    ],
    [{ action: "service.add", subject: "ocr", after: ocr }],
    [{ action: "client.passwd", subject: "john", after: { ...john, epoch: 2, passwordHash: "$argon2id$new" } }],
    [{ action: "client.remove", subject: "ann", after: null }],
    [
      {
        action: "service.set",
        subject: "ocr",
        after: { ...ocr, headers: [{ name: "X-Api-Key", sealedValue: "v1.two" }] },
      },
      { action: "config.set", subject: "public-url", after: "https://ai.example.com" },
    ],
    [{ action: "service.remove", subject: "john", after: null }],
  ];
  for (const [rev, drafts] of changes.entries()) store.control.append(rev, drafts, ACT);
  const events = Array.from({ length: 2_500 }, (_, n) =>
    anEvent({
      at: clock.now() - (n % 9) * DAY_MS - n * 1_000,
      client: n % 3 === 0 ? "ann" : "john",
      service: n % 5 === 0 ? "" : "ocr",
      status: n % 7 === 0 ? 429 : 200,
      outcome: OUTCOMES[n % OUTCOMES.length] ?? "ok",
      // Exact in binary: engines add up in orders of their own.
      latencyMs: n / 8,
      ...(n % 11 === 0 && { count: 3, reason: "token_expired" }),
      ...(worth && n % 4 === 1 && worthAt(n)),
    }),
  );
  store.traffic.recordUsage(events.slice(0, 2_000));
  for (let more = true; more; ) ({ more } = store.traffic.foldUsage(2_000));
  for (let more = true; more; ) ({ more } = store.traffic.pruneUsage(clock.now() - 5 * DAY_MS, 1_000));
  // Of neither is anything in the sums yet.
  store.traffic.recordUsage(events.slice(2_000));
  store.traffic.recordUsage([anEvent({ client: "zoe", at: clock.now() })]);
  const now = store.traffic.steadyNow();
  store.traffic.setPermitWindow("c_over", 0, { spent: [[now - 700_000, 1]], leases: [] });
  store.traffic.setPermitWindow("c_john", 0, {
    spent: [[now, 7]],
    leases: [{ holder: "gw", count: 3, until: now + 9 }],
  });
  store.traffic.setQuotaRecord("c_over", 0, { used: { "pages 2026-01": [1, now - 2 * DAY_MS] }, holders: {} });
  store.traffic.setQuotaRecord("c_john", 0, {
    used: { "requests 2027-01-01": [12, now + DAY_MS], "pages 2027-W01": [1_500_000, now + 7 * DAY_MS] },
    holders: { gw: { seq: 3, at: now, held: { "requests 2027-01-01": [5, now + DAY_MS] } } },
  });
  store.traffic.recordTokens([
    { clientId: "c_john", kid: key.kid, epoch: 2, issuedAt: now, expiresAt: now + 3_600_000 },
    { clientId: "c_old", kid: key.kid, epoch: 1, issuedAt: now - 10, expiresAt: now + 1_000 },
  ]);
  // The wall clock was set meanwhile: the store's time is not the wall clock's.
  clock.setWall(clock.now() + 86_400_000);
  clock.advance(2_000);
  await store.close();
  return fixture;
};

/** All that the port says of a store. */
export const everythingOf = async ({ control, traffic }: OpenedStore): Promise<unknown> => ({
  id: control.storeId,
  changes: await control.changesAfter(0, 1_000),
  state: await control.snapshot(),
  clients: await control.clients(),
  usage: (await traffic.latestUsage({}, 10_000)).events,
  reports: await Promise.all(
    QUERIES.map(async (query) => {
      const { rows, ...report } = await traffic.usageReport(query);
      return { ...report, rows: new Map(rows.map(({ key, tally }) => [key.join(" "), tally])) };
    }),
  ),
  last: await traffic.lastUsage(["john", "ann", "zoe", "nobody"]),
  lastLetIn: await traffic.lastUsage(["john", "ann", "zoe"], { letIn: true }),
  tokens: await traffic.liveTokens(traffic.steadyNow()),
  permits: (await traffic.permitWindow("c_john"))?.window,
  quotas: (await traffic.quotaRecord("c_john"))?.record,
  steady: traffic.steadyNow(),
});
