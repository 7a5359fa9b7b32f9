import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { aClient } from "@aigw/core/testing";
import type { Client } from "../src/clients/client.ts";
import { ClientTable } from "../src/clients/client-table.ts";

const ALL = Number.POSITIVE_INFINITY;
/** As many as are kept as objects while they are in use, and more: so that whoever was asked for before is unpacked. */
const CROWD = 5_000;

const everyField: Client = {
  ...aClient(),
  email: "john@example.com",
  displayName: "John",
  note: "knows Anna",
  services: ["ocr", "tts"],
  limit: 600,
  plan: "gold",
  quota: "1000 pages per month",
  weight: 7,
  grants: [{ unit: "pages", value: 5_000_000, until: 1_800_000_000_000, note: "once", at: 1_790_000_000_000 }],
  quotaResets: 2,
  expiresAt: 1_900_000_000_000,
  status: "revoked",
  epoch: 3,
  provenAt: 1_790_000_000_001,
  revokedAt: 1_790_000_000_002,
};

const hash = (text: string): Partial<Client> => ({ passwordHash: text });
const AT = "$argon2id$v=19$m=19456,t=2,p=1$";
const record = (text: string): Partial<Client> => JSON.parse(text) as Partial<Client>;

/** What a record may hold, each for itself. */
const ODD: Readonly<Record<string, Partial<Client>>> = {
  "every field": everyField,
  "fields in another order": Object.fromEntries(Object.entries(everyField).reverse()),
  "an empty text": { note: "" },
  "the longest ASCII that is packed": { note: "x".repeat(239) },
  "ASCII that is longer": { note: "x".repeat(240) },
  "letters with accents": { displayName: "Zoë Müller-Łukasiewicz" },
  "other scripts and emoji": { displayName: "李雷 🦉" },
  "many of those": { note: "🦉é".repeat(400) },
  "half a surrogate pair": { note: "a\ud83e" },
  "control characters": { note: '\u0000\u001f"\\\u2028' },
  "more than a chunk": { note: "ö".repeat(200_000), services: Array.from({ length: 3_000 }, (_, n) => `service-${n}`) },
  "numbers of all sizes": record(
    `{"limit":0,"weight":255,"quotaResets":256,"createdAt":${2 ** 48 - 1},"revokedAt":${2 ** 48},"provenAt":${2 ** 53}}`,
  ),
  "other numbers": record(`{"limit":-1,"weight":1.5,"quotaResets":1e300,"provenAt":1e-7}`),
  "an epoch beyond a byte": { epoch: 255 },
  "a far epoch": { epoch: 70_000 },
  "an epoch that is none": record('{"epoch":"1"}'),
  "half an epoch": record('{"epoch":1.5}'),
  "null, true and nothing": record(`{"email":null,"note":true,"services":[],"grants":[]}`),
  "fields of another version": record(`{"tags":{"a":[1,{"b":null}]},"colour":"red","mfa":false,"née":1,"a,b":2}`),
  "a field that assigning would not make": record(`{"__proto__":{"limit":1},"constructor":3}`),
  "other parameters of the hash": hash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"),
  "another kind of hash": hash("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"),
  "a hash without parts": hash("erased:abc"),
  "an empty hash": hash(""),
  "a hash of dollar signs": hash("$$$"),
  "base64 with padding": hash(`${AT}c2FsdA==$aGFzaA==`),
  "base64 with bits that belong to no byte": hash(`${AT}c2FsdB$aGFzaA`),
  "base64 with a symbol too many": hash(`${AT}c2Fsd$aGFzaA`),
  "base64 for URLs": hash(`${AT}c2Fs-_$aGFzaA`),
  "letters where base64 stands": hash(`${AT}saltö$aGFzaA`),
  "an empty salt": hash(`${AT}$aGFzaA`),
  "a hash of 32 bytes": hash(`${AT}${Buffer.alloc(16, 7).toString("base64").slice(0, 22)}$${"/".repeat(42)}8`),
  "a very long hash": hash(`${AT}${"A".repeat(400)}$AAAA`),
};

/** As today and after a while: loose, and packed with nobody in use. */
const crowded = (clients: readonly Client[]): ClientTable => {
  const table = new ClientTable();
  for (const client of clients) table.put(client);
  table.pack(ALL);
  for (let count = 0; count < CROWD; count += 1) table.put(aClient());
  table.pack(ALL);
  for (const { id } of [...table.values()]) table.byId(id);
  return table;
};

describe("a table of clients", () => {
  it("gives back every record as it was, with its fields in their order", () => {
    const clients = Object.entries(ODD).map(([what, fields]) => ({ what, client: { ...everyField, ...fields } }));
    // Each under a key of its own.
    const named = clients.map(({ what, client }, n) => ({ what, client: { ...client, id: `c_${n}`, name: `n${n}` } }));
    const table = crowded(named.map(({ client }) => client));
    for (const { what, client } of named) {
      for (const found of [table.byId(client.id), table.byName(client.name)]) {
        assert.deepEqual(found, client, what);
        assert.deepEqual(Object.keys(found ?? {}), Object.keys(client), what);
        assert.notEqual(found, client, "it was packed");
      }
      assert.equal(table.epochOf(client.id), client.epoch, what);
    }
    assert.equal(table.size, named.length + CROWD);
  });

  it("leaves out what is undefined", () => {
    const { email: _, ...without } = everyField;
    const table = crowded([{ ...without, email: undefined } as unknown as Client]);
    assert.deepEqual(table.byId(everyField.id), without);
  });

  it("keeps more lists of fields than it has numbers for, and more beginnings of hashes", () => {
    const clients = Array.from({ length: 1_500 }, (_, n): Client => {
      const own = { [`field${n}`]: n, passwordHash: `$v${n}$AAAA$AAAA` };
      return aClient(own as Partial<Client>);
    });
    const table = crowded(clients);
    for (const client of clients) assert.deepEqual(table.byName(client.name), client);
  });

  it("finds names and ids of any letters, and nobody by what is none's", () => {
    const odd = ["", "ö", "李雷", "🦉".repeat(42), "x".repeat(85), "A", "a\u0000"];
    const clients = odd.map((key): Client => aClient({ name: key, id: `${key}`.toUpperCase() }));
    const table = crowded(clients);
    for (const client of clients) {
      assert.deepEqual([table.byName(client.name), table.byId(client.id)], [client, client]);
    }
    for (const key of ["x", "x".repeat(84), "x".repeat(86), "x".repeat(10_000), "o", "🦉", "\ud83e", "a"]) {
      assert.deepEqual([table.byName(key), table.epochOf(`${key}-`)], [undefined, undefined]);
    }
    for (const fields of [{ name: "x".repeat(86) }, { id: "x".repeat(86) }]) {
      assert.throws(() => table.put(aClient(fields)), /longer than the 85 characters/);
    }
    assert.equal(table.size, clients.length + CROWD);
  });

  it("gives the same object until the client is put anew", () => {
    const table = new ClientTable();
    const client = aClient({ limit: 5 });
    table.put(client);
    assert.equal(table.byId(client.id), client);
    table.pack(ALL);
    assert.equal(table.byId(client.id), client, "in use, so it stays");
    const other = crowded([client]);
    const unpacked = other.byId(client.id);
    assert.notEqual(unpacked, client);
    for (const found of [other.byId(client.id), other.byName(client.name), [...other.values()][0]]) {
      assert.equal(found, unpacked);
    }
    const others = [...other.values()].slice(1, 2_048);
    for (const { id } of others) other.byId(id);
    assert.equal(other.byId(client.id), unpacked, "of 2,048 in use");
    other.put({ ...client, limit: 6 });
    assert.equal(other.byId(client.id)?.limit, 6);
    other.pack(ALL);
    assert.equal(other.byName(client.name)?.limit, 6);
  });

  it("is what two maps are, over thousands of steps", () => {
    for (let seed = 1; seed <= 4; seed += 1) likeTwoMaps(seed);
  });

  it("holds tens of thousands, most of whom come and go", () => {
    const table = new ClientTable();
    const client = (n: number, epoch: number): Client => aClient({ id: `c_${n}`, name: `client-${n}`, epoch });
    for (let n = 0; n < 30_000; n += 1) table.put(client(n, 1));
    for (let n = 0; n < 30_000; n += 1) if (n % 5 !== 0) table.drop(`client-${n}`);
    for (let n = 0; n < 30_000; n += 10) table.put(client(n, 2));
    table.pack(ALL);
    assert.equal(table.size, 6_000);
    for (let n = 0; n < 30_000; n += 1) {
      const epoch = n % 10 === 0 ? 2 : n % 5 === 0 ? 1 : undefined;
      if (table.epochOf(`c_${n}`) !== epoch) assert.fail(`client ${n}: ${table.epochOf(`c_${n}`)}, not ${epoch}`);
    }
    assert.deepEqual(table.byName("client-35")?.id, "c_35");
  });
});

/** Numbers that look random, the same each time. */
const generator = (seed: number): ((below: number) => number) => {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
};

const likeTwoMaps = (seed: number): void => {
  const random = generator(seed);
  const table = new ClientTable();
  const byName = new Map<string, Client>();
  const byId = new Map<string, Client>();
  const odd = Object.values(ODD).filter(({ note }) => (note ?? "").length < 10_000);
  const remove = (client: Client | undefined): void => {
    if (client === undefined) return;
    byName.delete(client.name);
    byId.delete(client.id);
  };
  let steps = 0;
  const check = (): void => {
    assert.equal(table.size, byName.size, `seed ${seed}, step ${steps}`);
    const listed = [...table.values()];
    assert.equal(listed.length, byName.size);
    assert.deepEqual(new Map(listed.map((client) => [client.name, client])), byName);
  };
  for (; steps < 8_000; steps += 1) {
    // So few names that they change hands, in waves that fill and empty the table.
    const name = `n${random(400)}`;
    const id = `c_${random(500)}`;
    const known = byName.get(name);
    const isEbb = steps % 4_000 > 2_500;
    const act = random(10);
    if (act < (isEbb ? 4 : 1)) {
      table.drop(name);
      remove(known);
    } else if (act < 6) {
      const fields = { ...aClient(), ...odd[random(odd.length)] };
      const client: Client = { ...fields, id: known !== undefined && random(3) > 0 ? known.id : id, name };
      table.put(client);
      remove(byName.get(name));
      remove(byId.get(client.id));
      byName.set(name, client);
      byId.set(client.id, client);
    } else if (act === 6) table.pack(random(60));
    else if (act === 7) assert.equal(table.epochOf(id), byId.get(id)?.epoch, `seed ${seed}, step ${steps}`);
    else if (act === 8) assert.deepEqual(table.byId(id), byId.get(id), `seed ${seed}, step ${steps}`);
    else assert.deepEqual(table.byName(name), byName.get(name), `seed ${seed}, step ${steps}`);
    if (steps % 500 === 0) check();
  }
  table.pack(ALL);
  check();
};
