import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it, mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { initHome, type MaybePromise, openHome, type Store } from "@aigw/core";
import {
  AccountJournal,
  parseQuotas,
  type QuotaClaim,
  QuotaLedger,
  type QuotaStanding,
  type QuotaTerms,
  quotaTerms,
  standingsOf,
} from "@aigw/core/quotas";
import { FixedClock, HostileStore } from "@aigw/core/testing";
import fc from "fast-check";

const MILLION = 1_000_000;
const DAY_MS = 86_400_000;
const clock = new FixedClock();
let folder = "";
let real: Store;
let store: HostileStore;
let clients = 0;
const errors: unknown[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "aigw-quotas-"));
  const home = join(folder, "home");
  await initHome({ home, at: clock.now(), actor: "test" });
  ({ store: real } = await openHome({ home, clock }));
});
after(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});
// The patience with the store costs the tests no time.
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  store = new HostileStore(real);
  // The middle of a day: no test is to meet its end by accident.
  const now = real.traffic.steadyNow();
  clock.advance(DAY_MS - (now % DAY_MS) + DAY_MS / 4);
});
afterEach(() => {
  mock.timers.reset();
  assert.deepEqual(errors.splice(0), []);
});

const WRITE = "traffic.setQuotaRecord";
const READ = "traffic.quotaRecord";

const termsOf = (quota: string, more: Partial<QuotaTerms> = {}): QuotaTerms => {
  clients += 1;
  const terms = quotaTerms({ id: `c_${clients}` }, quota, "UTC");
  assert.ok(terms);
  return { ...terms, ...more };
};
const ledger = (
  holder: string,
  share?: { of: number; rank: number },
  traffic = store.traffic,
  journal?: AccountJournal,
): QuotaLedger =>
  new QuotaLedger({
    store: traffic,
    holder,
    ...(share && { share: () => share }),
    journal,
    onError: (error) => errors.push(error),
  });

/** What it comes to; waiting costs no time. */
const settled = async <T>(value: MaybePromise<T>): Promise<T> => {
  let result: { value: T } | undefined;
  const answered = Promise.resolve(value).then((answer) => {
    result = { value: answer };
  });
  for (let waited = 0; waited <= 2_000; waited += 50) {
    for (let turns = 0; turns < 10; turns += 1) {
      await turn();
      if (result === undefined) continue;
      await answered;
      return result.value;
    }
    mock.timers.tick(50);
  }
  throw new Error("never answered");
};

const EVERYTHING = new Set(["requests", "pages", "input_tokens", "output_tokens", "cost", "bytes_out"]);
const ask = async (
  one: QuotaLedger,
  terms: QuotaTerms,
  reserves: Readonly<Record<string, number>> = {},
  units: ReadonlySet<string> = EVERYTHING,
): Promise<QuotaClaim | undefined> => {
  clock.advance(0.001);
  return (await settled(one.acquire(terms, { units, reserves: new Map(Object.entries(reserves)) }))).claim;
};
const call = async (
  one: QuotaLedger,
  terms: QuotaTerms,
  used: Readonly<Record<string, number>> = {},
): Promise<boolean> => {
  const claim = await ask(one, terms);
  if (claim !== undefined) one.settle(claim, Object.entries(used));
  await turn();
  return claim !== undefined;
};
const admitted = async (one: QuotaLedger, terms: QuotaTerms, count: number, used = {}): Promise<number> => {
  let admittedSoFar = 0;
  for (let i = 0; i < count; i += 1) if (await call(one, terms, used)) admittedSoFar += 1;
  return admittedSoFar;
};
const inStore = async (terms: QuotaTerms): Promise<QuotaStanding> => {
  const found = await real.traffic.quotaRecord(terms.client);
  const [first] = standingsOf(terms, found?.record ?? { used: {}, holders: {} }, real.traffic.steadyNow());
  assert.ok(first);
  return first;
};
const swept = async (...ledgers: readonly QuotaLedger[]): Promise<void> => {
  for (const one of ledgers) await settled(one.sweep());
};

describe("a quota of requests", () => {
  for (const limit of [1, 7, 120, 3_000]) {
    it(`of ${limit} a day lets exactly so many in, over two gateways and a restart`, async () => {
      const terms = termsOf(`requests=${limit}/day`);
      const [one, two] = [ledger("one"), ledger("two")];
      let total = 0;
      for (let i = 0; i < limit / 2; i += 1) total += await admitted(i % 3 === 0 ? two : one, terms, 1);
      await settled(one.close());
      const again = ledger("again");
      total += await admitted(again, terms, limit);
      total += await admitted(two, terms, 5);
      // What one of them has set aside is given back when it does not call.
      clock.advance(1_500);
      await swept(again, two);
      total += await admitted(two, terms, 50);
      clock.advance(1_500);
      await swept(again, two);
      total += await admitted(again, terms, 50);
      assert.equal(total, limit);
      await swept(again, two);
      const { used, left } = await inStore(terms);
      assert.deepEqual([used, left], [limit, 0]);
    });
  }

  it("asks the store for each call only near its end, and what is refused asks it for nothing", async () => {
    const terms = termsOf("requests=10000/day");
    const one = ledger("one");
    await admitted(one, terms, 1_000);
    assert.ok(store.calls(WRITE) < 40, `${store.calls(WRITE)} writes`);
    assert.equal(await admitted(one, terms, 10_000), 9_000);
    const calls = [store.calls(READ), store.calls(WRITE)];
    assert.equal(await admitted(one, terms, 1_000), 0);
    assert.deepEqual([store.calls(READ), store.calls(WRITE)], calls);
  });

  it("of 500 and 600 calls at once: 500, with a promise for each answer", async () => {
    const terms = termsOf("requests=500/day");
    store.treatAll({ kind: "promise" });
    const ledgers = [ledger("one"), ledger("two"), ledger("three")];
    const verdicts = await settled(
      Promise.all(
        Array.from({ length: 600 }, (_, i) =>
          (ledgers[i % 3] as QuotaLedger).acquire(terms, { units: EVERYTHING, reserves: new Map() }),
        ),
      ),
    );
    const first = verdicts.filter(({ claim }) => claim !== undefined).length;
    assert.ok(first <= 500, `${first}`);
    // Whatever one had set aside when another was refused is to be had again a moment later.
    clock.advance(2_000);
    await swept(...ledgers);
    clock.advance(2_000);
    const rest = await admitted(ledgers[0] as QuotaLedger, terms, 200);
    assert.equal(first + rest, 500);
  });

  it("counts what a killed gateway had set aside as used, a minute later, and never lets more in", async () => {
    const terms = termsOf("requests=4800/day");
    const [killed, other] = [ledger("killed"), ledger("other")];
    assert.equal(await admitted(killed, terms, 25), 25);
    const total = await admitted(other, terms, 5_000);
    assert.ok(25 + total <= 4_800 && total >= 4_800 - 25 - 20, `${total}`);
    assert.equal((await inStore(terms)).left, 0);
    clock.advance(61_000);
    assert.equal(await admitted(other, terms, 50), 0);
    await swept(other);
    clock.advance(61_000);
    const { used } = await inStore(terms);
    assert.ok(used <= 4_800, `${used}`);
  });

  it("starts anew with the day; a call that goes on beyond it counts where it began", async () => {
    const terms = termsOf("requests=3/day, pages=2/day");
    const one = ledger("one");
    const long = await ask(one, terms);
    assert.ok(long);
    assert.equal(await admitted(one, terms, 5), 2);
    const [yesterday] = [real.traffic.steadyNow()];
    clock.advance(DAY_MS);
    assert.equal(await admitted(one, terms, 2), 2);
    one.settle(long, [["pages", 9 * MILLION]]);
    assert.equal(await admitted(one, terms, 2), 1);
    await swept(one);
    const record = (await real.traffic.quotaRecord(terms.client))?.record;
    assert.ok(record);
    assert.deepEqual(
      standingsOf(terms, record, yesterday).map(({ used }) => used),
      [3, 9 * MILLION],
    );
    assert.deepEqual(
      standingsOf(terms, record, real.traffic.steadyNow()).map(({ used }) => used),
      [3, 0],
    );
  });

  it("is raised by a grant until its end, and starts anew when it is reset", async () => {
    const now = real.traffic.steadyNow();
    const grants = [{ unit: "requests", value: 3 * MILLION, until: now + 1_000_000, at: now }];
    const terms = termsOf("requests=2/day", { grants });
    const one = ledger("one");
    assert.equal(await admitted(one, terms, 9), 5);
    const without = { ...terms, grants: [] };
    assert.equal(await admitted(one, without, 9), 0);
    assert.equal(await admitted(one, { ...without, quotas: parseQuotas("requests=7/day") }, 9), 2);
    const reset = { ...terms, resets: 1 };
    assert.equal(await admitted(one, reset, 9), 5);
    clock.advance(1_000_000);
    assert.equal(await admitted(one, { ...terms, resets: 2 }, 9), 2);
  });

  it("takes back what a call that did not begin was counted for", async () => {
    const terms = termsOf("requests=3/day");
    const one = ledger("one");
    for (let i = 0; i < 5; i += 1) {
      const claim = await ask(one, terms);
      assert.ok(claim);
      one.cancel(claim);
    }
    assert.equal(await admitted(one, terms, 9), 3);
  });
});

describe("a quota that is known at a call's end alone", () => {
  it("of ten pages lets ten calls of one page in, one after the other, whichever gateway they come to", async () => {
    const terms = termsOf("pages=10/day");
    const ledgers = [ledger("one"), ledger("two"), ledger("three")];
    let total = 0;
    for (let i = 0; i < 30; i += 1)
      total += await admitted(ledgers[i % 3] as QuotaLedger, terms, 1, { pages: MILLION });
    assert.equal(total, 10);
    assert.equal((await inStore(terms)).used, 10 * MILLION);
  });

  it("is passed by the calls under way and no others", async () => {
    const terms = termsOf("pages=10/day");
    const [one, two] = [ledger("one"), ledger("two")];
    const open = [await ask(one, terms), await ask(two, terms), await ask(one, terms)];
    assert.equal(await admitted(one, terms, 20, { pages: MILLION }), 10);
    assert.equal(await admitted(two, terms, 20, { pages: MILLION }), 0);
    for (const [index, claim] of open.entries()) {
      assert.ok(claim);
      (index === 1 ? two : one).settle(claim, [["pages", 2 * MILLION]]);
    }
    assert.equal(await admitted(one, terms, 1), 0);
    await swept(one, two);
    assert.equal((await inStore(terms)).used, 16 * MILLION);
  });

  it("adds up several units, and asks no quota that the service counts nothing of", async () => {
    const terms = termsOf("input_tokens+output_tokens=1000/month, pages=5/day");
    const one = ledger("one");
    assert.equal(await admitted(one, terms, 9, { input_tokens: 300 * MILLION, output_tokens: 100 * MILLION }), 3);
    assert.equal(await ask(one, terms, {}, new Set(["requests", "input_tokens"])), undefined);
    assert.ok(await ask(one, terms, {}, new Set(["requests", "pages"])));
  });

  it("costs the store little while much is left", async () => {
    const terms = termsOf("output_tokens=10M/month");
    const one = ledger("one");
    assert.equal(await admitted(one, terms, 500, { output_tokens: 100 * MILLION }), 500);
    assert.ok(store.calls(WRITE) < 8, `${store.calls(WRITE)} writes`);
    await swept(one);
    assert.equal((await inStore(terms)).used, 50_000 * MILLION);
  });
});

describe("a reserve", () => {
  it("keeps a quota from being passed, and refuses nobody while more is left than is set aside", async () => {
    const terms = termsOf("output_tokens=1000/day");
    const [one, two] = [ledger("one"), ledger("two")];
    const reserve = { output_tokens: 300 * MILLION };
    const open = [await ask(one, terms, reserve), await ask(one, terms, reserve), await ask(one, terms, reserve)];
    assert.ok(open.every((claim) => claim !== undefined));
    assert.equal(await ask(one, terms, reserve), undefined);
    assert.ok(await ask(one, terms, { output_tokens: 50 * MILLION }));
    // Two of them use little: what they had set aside is free again, also elsewhere.
    for (const claim of open.slice(0, 2)) one.settle(claim as QuotaClaim, [["output_tokens", 10 * MILLION]]);
    assert.ok(await ask(one, terms, reserve));
    clock.advance(1_500);
    await swept(one);
    assert.equal((await inStore(terms)).reserved, 650 * MILLION);
    assert.ok(await ask(two, terms, reserve));
    assert.equal(await ask(two, terms, reserve), undefined);
  });

  it("of one page each lets exactly 100 of 600 calls at once in, over three gateways", async () => {
    const terms = termsOf("pages=100/day");
    store.treatAll({ kind: "promise" });
    const ledgers = [ledger("one"), ledger("two"), ledger("three")];
    const call = { units: EVERYTHING, reserves: new Map([["pages", MILLION]]) };
    const verdicts = await settled(
      Promise.all(Array.from({ length: 600 }, (_, i) => (ledgers[i % 3] as QuotaLedger).acquire(terms, call))),
    );
    let claims = verdicts.filter(({ claim }) => claim !== undefined).length;
    assert.ok(claims <= 100, `${claims}`);
    // What one had set aside in vain is to be had a moment later.
    clock.advance(2_000);
    await swept(...ledgers);
    clock.advance(2_000);
    for (const one of ledgers)
      for (let i = 0; i < 60; i += 1) if ((await ask(one, terms, { pages: MILLION })) !== undefined) claims += 1;
    assert.equal(claims, 100);
    assert.deepEqual([(await inStore(terms)).reserved, (await inStore(terms)).left], [100 * MILLION, 0]);
  });

  it("holds for calls longer than a gateway may be silent, and counts as used when it was killed", async () => {
    const terms = termsOf("output_tokens=1000/day");
    const [one, other] = [ledger("one"), ledger("other")];
    const reserve = { output_tokens: 600 * MILLION };
    const claim = await ask(one, terms, reserve);
    assert.ok(claim);
    for (let minute = 0; minute < 12; minute += 1) {
      clock.advance(15_000);
      await swept(one);
    }
    assert.equal(await ask(other, terms, reserve), undefined);
    clock.advance(61_000);
    assert.equal(await ask(other, terms, reserve), undefined);
    assert.ok(await ask(other, terms, { output_tokens: 300 * MILLION }));
    await swept(other);
    // It was cut off, not killed: it takes off what the others took for used.
    one.settle(claim, [["output_tokens", 40 * MILLION]]);
    await swept(one);
    assert.equal((await inStore(terms)).used, 40 * MILLION);
    assert.ok(await ask(one, terms, reserve));
  });
});

describe("quotas, while the store is away", () => {
  it("let each gateway use its share, together no more, and are counted once when it is back", async () => {
    const terms = termsOf("requests=100/day");
    const ledgers = [0, 1, 2].map((rank) => ledger(`g${rank}`, { of: 3, rank }));
    for (const one of ledgers) assert.equal(await admitted(one, terms, 10), 10);
    store.treat(WRITE, { kind: "throws" });
    let alone = 0;
    for (const one of ledgers) alone += await admitted(one, terms, 50);
    assert.equal(alone, 70);
    store.calm();
    clock.advance(1_001);
    // Whoever is back first takes nothing of the others' shares.
    const early = await admitted(ledgers[0] as QuotaLedger, terms, 50);
    await swept(...ledgers);
    assert.equal((await inStore(terms)).used, 30 + alone + early);
    clock.advance(10_000);
    let late = 0;
    for (const one of ledgers) late += await admitted(one, terms, 100);
    assert.equal(30 + alone + early + late, 100);
  });

  it("that cannot even be read, let fewer than twice as many in, and are counted once", async () => {
    const terms = termsOf("requests=100/day");
    const ledgers = [0, 1, 2].map((rank) => ledger(`g${rank}`, { of: 3, rank }));
    store.treatAll({ kind: "throws" });
    let alone = 0;
    for (const one of ledgers) alone += await admitted(one, terms, 100);
    assert.equal(alone, 100);
    store.calm();
    clock.advance(1_001);
    await swept(...ledgers);
    assert.equal((await inStore(terms)).used, 100);
    for (const one of ledgers) assert.equal(await admitted(one, terms, 10), 0);
  });

  for (const treatment of [
    { kind: "unanswered" },
    { kind: "never" },
    { kind: "twice" },
    { kind: "late", ms: 400 },
    { kind: "throws", later: 1 },
  ] as const) {
    it(`count each call once when writes are treated so: ${treatment.kind}`, async () => {
      const terms = termsOf("requests=1000/day, pages=1000/day");
      const one = ledger("one");
      assert.equal(await admitted(one, terms, 5, { pages: MILLION }), 5);
      store.treat(WRITE, treatment);
      assert.equal(await admitted(one, terms, 40, { pages: MILLION }), 40);
      store.calm();
      clock.advance(1_100);
      mock.timers.tick(1_000);
      await turn();
      assert.equal(await admitted(one, terms, 3, { pages: MILLION }), 3);
      await swept(one);
      clock.advance(2_000);
      await swept(one);
      const record = (await real.traffic.quotaRecord(terms.client))?.record;
      assert.ok(record);
      const standings = standingsOf(terms, record, real.traffic.steadyNow());
      assert.deepEqual(
        standings.map(({ used, reserved }) => [used, reserved]),
        [
          [48, 0],
          [48 * MILLION, 0],
        ],
      );
    });
  }

  for (const kind of ["throws", "unanswered", "never"] as const) {
    it(`leave what they counted to the next gateway when they end before it is back: ${kind}`, async () => {
      const terms = termsOf("requests=100/day, pages=100/day");
      const spool = join(folder, `spool-${kind}`);
      const journal = (id: string): AccountJournal => new AccountJournal({ folder: spool, id });
      const one = ledger("one", undefined, store.traffic, journal("one"));
      assert.equal(await admitted(one, terms, 5, { pages: MILLION }), 5);
      store.treat(kind === "throws" ? [READ, WRITE] : WRITE, { kind });
      assert.equal(await admitted(one, terms, 20, { pages: 2 * MILLION }), 20);
      await swept(one);
      const path = join(spool, "one.quotas");
      const kept = readFileSync(path);
      await settled(one.close());
      assert.deepEqual(readFileSync(path), kept);
      store.calm();
      clock.advance(1_100);
      // Of one that was killed when it had nothing to keep, or while it was writing.
      for (const name of ["gone.quotas.lock", "cut.quotas.new"]) writeFileSync(join(spool, name), "", { mode: 0o600 });
      // Delivered, and delivered once more by somebody who was cut off before the file was gone.
      for (const [index, id] of ["two", "three"].entries()) {
        const next = ledger(id, undefined, store.traffic, journal(id));
        await swept(next);
        assert.deepEqual(readdirSync(spool), []);
        const record = (await real.traffic.quotaRecord(terms.client))?.record;
        assert.ok(record);
        assert.deepEqual(
          standingsOf(terms, record, real.traffic.steadyNow()).map(({ used, reserved }) => [used, reserved]),
          [
            [25, 0],
            [45 * MILLION, 0],
          ],
        );
        if (index === 0) writeFileSync(path, kept, { mode: 0o600 });
      }
    });
  }

  it("say once that the disk does not take it either, and keep it there as soon as it does", async () => {
    const terms = termsOf("requests=100/day");
    const away = join(folder, "away");
    const one = ledger("one", undefined, store.traffic, new AccountJournal({ folder: join(away, "spool"), id: "one" }));
    assert.equal(await admitted(one, terms, 5), 5);
    store.treat([READ, WRITE], { kind: "throws" });
    assert.equal(await admitted(one, terms, 3), 3);
    for (let sweeps = 0; sweeps < 5; sweeps += 1) await swept(one);
    assert.deepEqual(
      errors.splice(0).map((error) => error instanceof Error && "code" in error && error.code),
      ["ENOENT"],
    );
    mkdirSync(away);
    await swept(one);
    assert.match(readFileSync(join(away, "spool", "one.quotas"), "utf8"), /"pending":\[\["requests [^"]+",\[3,/);
    rmSync(away, { recursive: true });
    assert.equal(await admitted(one, terms, 1), 1);
    await swept(one);
    await swept(one);
    assert.equal(errors.splice(0).length, 1, "and once more when it fails again");
    mkdirSync(away);
    await swept(one);
    assert.match(readFileSync(join(away, "spool", "one.quotas"), "utf8"), /\[4,/);
    store.calm();
    clock.advance(1_100);
    await swept(one);
    assert.equal((await inStore(terms)).used, 9);
  });

  it("let in no more than there is where they are heard, fewer than twice that where not, and count each call once", async () => {
    const treatments = ["well", "unanswered", "never", "twice", "throws", "promise"] as const;
    const step = fc.tuple(
      fc.integer({ min: 0, max: 1 }),
      fc.constantFrom(...treatments),
      fc.integer({ min: 1, max: 9 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const terms = termsOf("requests=40/day");
        const ledgers = [0, 1].map((rank) => ledger(`g${rank}`, { of: 2, rank }));
        // Both have read it: else each would take its share of all there is.
        let total = 0;
        for (const one of ledgers) total += await admitted(one, terms, 1);
        for (const [who, kind, count] of steps) {
          if (kind === "well") store.calm();
          else store.treat([READ, WRITE], { kind });
          total += await admitted(ledgers[who] as QuotaLedger, terms, count);
          clock.advance(300);
        }
        store.calm();
        for (let round = 0; round < 4; round += 1) {
          clock.advance(5_000);
          await swept(...ledgers);
        }
        const { used } = await inStore(terms);
        assert.equal(used, total);
        const isHeard = steps.every(([, kind]) => kind === "well" || kind === "twice" || kind === "promise");
        // Of a gateway whose way to the store is cut the others know nothing.
        assert.ok(total <= (isHeard ? 40 : 79), `${total}`);
      }),
      { numRuns: 60 },
    );
  });
});
