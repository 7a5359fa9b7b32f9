import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Client } from "../src/clients/client.ts";
import { ClientTable } from "../src/clients/client-table.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** The heap and the buffers of it, after everything that is not used any more was collected. */
const bytesInUse = (): number => {
  for (let time = 0; time < 3; time += 1) collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

const AT = Date.UTC(2027, 0, 1);
/** As a store gives it: every text is a string of its own. */
const aClient = (n: number): Client =>
  JSON.parse(
    JSON.stringify({
      id: `c_${String(n).padStart(16, "0")}`,
      name: `client-${n}`,
      passwordHash: `$argon2id$v=19$m=19456,t=2,p=1$${"A".repeat(22)}$${"A".repeat(43)}`,
      email: `client-${n}@example.com`,
      displayName: `Client ${n}`,
      limit: 600,
      plan: "standard",
      status: "active",
      epoch: 1,
      createdAt: AT + n,
      passwordChangedAt: AT + n,
    }),
  ) as Client;

const filled = (clients: number): ClientTable => {
  const table = new ClientTable();
  for (let n = 0; n < clients; n += 1) {
    table.put(aClient(n));
    // As a gateway does between two polls.
    if (n % 1_000 === 999) table.pack(1_000);
  }
  table.pack(Number.POSITIVE_INFINITY);
  return table;
};

describe("the memory of a table of clients", () => {
  // What is compiled and kept once.
  filled(3_000);

  // The last two: just before the indexes double, and just after.
  for (const clients of [1_000, 20_000, 45_875, 45_876]) {
    it(`is below 250 bytes for each of ${clients}`, () => {
      // Several small ones: what Node itself takes meanwhile is some kilobytes.
      const count = Math.ceil(20_000 / clients);
      const before = bytesInUse();
      const tables = Array.from({ length: count }, () => filled(clients));
      const each = (bytesInUse() - before) / (clients * count);
      assert.deepEqual(new Set(tables.map(({ size }) => size)), new Set([clients]));
      assert.ok(each < 250, `${each.toFixed(1)} bytes`);
    });
  }

  it("is next to nothing for ten", () => {
    const before = bytesInUse();
    const table = filled(10);
    const bytes = bytesInUse() - before;
    assert.equal(table.size, 10);
    assert.ok(bytes < 64 * 1024, `${bytes} bytes`);
  });

  it("does not grow with changes, nor with clients that come and go", () => {
    const before = bytesInUse();
    const table = filled(1_000);
    for (let change = 0; change < 50_000; change += 1) {
      const n = change % 1_000;
      if (change % 3 === 0) table.drop(`client-${n}`);
      table.put({ ...aClient(change % 7 === 0 ? change : n), epoch: change });
      if (change % 7 === 0) table.drop(`client-${change}`);
      table.pack(100);
    }
    for (let n = 0; n < 1_000; n += 1) table.put(aClient(n));
    table.pack(Number.POSITIVE_INFINITY);
    const bytes = bytesInUse() - before;
    assert.equal(table.size, 1_000);
    // What was put in all is 10 MB.
    assert.ok(bytes < 2 ** 20, `${bytes} bytes`);
  });

  it("is bounded for those that are asked for", () => {
    const table = filled(20_000);
    const before = bytesInUse();
    for (let n = 0; n < 20_000; n += 1) assert.equal(table.byName(`client-${n}`)?.name, `client-${n}`);
    const bytes = bytesInUse() - before;
    // All of them as objects are 9 MB.
    assert.ok(bytes < 4 * 2 ** 20, `${bytes} bytes`);
    assert.equal(table.size, 20_000);
  });
});
