import type { Client } from "./client.ts";
import { ClientCodec, epochOf, idOf, lengthAt, MAX_KEY_UNITS, nameOf } from "./client-codec.ts";
import { placeOf, Slab } from "./slab.ts";

/** Of the two indexes, a power of two. */
const FIRST_SLOTS = 16;
/** Up to so much of an index is used: a look-up then reads two or three slots. */
const MAX_LOAD = 0.7;
/** The part of the slab's bytes that may be dropped records; below so many bytes nothing is gained. */
const MAX_DROPPED = 1 / 4;
const WORTH_COMPACTING = 16_384;
/** Of a slot; the upper bits are the hash's. */
const ENTRY_BITS = 24;
const MAX_ENTRY = 2 ** ENTRY_BITS - 1;
/** A slot that is not used, and no entry. */
const NONE = 0;
/** The address of an entry that was dropped. */
const NOWHERE = 2 ** 32 - 1;
/** Of each of the two generations that are kept as objects since they were asked for. */
const IN_USE = 2_048;
/** So many are put without packing any of them: a gateway with fewer clients starts as fast as without a table. */
const MAX_LOOSE = 16_384;

/**
 * All clients, by name and by id, in half of the memory that objects in two maps take.
 *
 * What is put is loose at first, an object in two maps. {@link pack} packs it: its bytes lie in a slab, with an index of
 * 4-byte slots for each of the two keys. What is asked for is unpacked, and stays an object while it is in use (two
 * generations, as in the token memory): it costs one look-up in a map, and is the same object until it is put anew or
 * 2,048 others were asked for.
 *
 * The indexes are open addressing with linear probing, and hold numbers of entries. What is dropped leaves its entry and
 * its two slots behind, until a rebuilding: so nothing is ever moved within an index. The hash has no secret: names are
 * the admin's, ids random, and what strangers ask for is not kept.
 *
 * Never compare two by deepEqual, which sees nothing of them: compare their {@link values}.
 */
export class ClientTable {
  readonly #looseById = new Map<string, Client>();
  readonly #looseByName = new Map<string, Client>();
  #inUse = new Map<string, Client>();
  #wasInUse = new Map<string, Client>();
  readonly #codec = new ClientCodec();
  #slab = new Slab();
  /** Bytes of records in the slab that are no longer any client's. */
  #dropped = 0;
  #byId: Uint32Array = new Uint32Array(FIRST_SLOTS);
  #byName: Uint32Array = new Uint32Array(FIRST_SLOTS);
  /** By entry, from 1 on. */
  #addresses: Uint32Array = new Uint32Array(entriesOf(FIRST_SLOTS) + 1);
  #lastEntry = 0;
  /** Entries that are somebody's. */
  #packed = 0;
  /** The key that is looked for: its length, and its UTF-8. */
  readonly #key: Buffer = Buffer.allocUnsafeSlow(1 + 3 * MAX_KEY_UNITS);

  get size(): number {
    return this.#packed + this.#looseById.size;
  }

  byId(id: string): Client | undefined {
    const client = this.#inUse.get(id);
    if (client !== undefined) return client;
    const known = this.#objectOf(id);
    if (known !== undefined) return this.#use(known);
    const entry = this.#find(this.#byId, id);
    return entry === NONE ? undefined : this.#use(this.#unpack(entry));
  }

  byName(name: string): Client | undefined {
    const loose = this.#looseByName.get(name);
    if (loose !== undefined) return this.byId(loose.id);
    const entry = this.#find(this.#byName, name);
    return entry === NONE ? undefined : this.byId(this.#idAt(entry));
  }

  /** Without bringing it into use: it is asked of everybody after each change. */
  epochOf(id: string): number | undefined {
    const known = this.#objectOf(id);
    if (known !== undefined) return known.epoch;
    const entry = this.#find(this.#byId, id);
    if (entry === NONE) return undefined;
    const address = this.#addressOf(entry);
    return epochOf(this.#slab.chunkOf(address), placeOf(address)) ?? this.#unpack(entry).epoch;
  }

  /**
   * In place of whoever had its id or its name.
   * @param client what JSON keeps of it
   * @throws RangeError for an id or a name that is longer than any can be
   */
  put(client: Client): void {
    if (client.id.length > MAX_KEY_UNITS) throw tooLong(client.id);
    if (client.name.length > MAX_KEY_UNITS) throw tooLong(client.name);
    const sameId = this.#looseById.get(client.id);
    const sameName = this.#looseByName.get(client.name);
    if (this.#packed > 0 || sameId !== undefined || sameName !== undefined) {
      this.#dropOf(sameId, this.#find(this.#byId, client.id));
      // One that had both is gone by now.
      this.#dropOf(this.#looseByName.get(client.name), this.#find(this.#byName, client.name));
    }
    this.#looseById.set(client.id, client);
    this.#looseByName.set(client.name, client);
    if (this.#looseById.size >= MAX_LOOSE) this.pack(MAX_LOOSE);
  }

  drop(name: string): void {
    this.#dropOf(this.#looseByName.get(name), this.#find(this.#byName, name));
  }

  /** Packs at most `most` of what is loose, 3 µs each; for when there is nothing else to do. */
  pack(most: number): void {
    let left = most;
    for (const client of this.#looseById.values()) {
      if (left === 0) break;
      left -= 1;
      const length = this.#codec.pack(client);
      this.#append(this.#slab.add(this.#codec.packed, length));
      this.#looseById.delete(client.id);
      this.#looseByName.delete(client.name);
    }
  }

  /** In no order. The table must not be changed meanwhile. */
  *values(): Generator<Client> {
    for (let entry = 1; entry <= this.#lastEntry; entry += 1) {
      if (this.#addresses[entry] === NOWHERE) continue;
      yield this.#objectOf(this.#idAt(entry)) ?? this.#unpack(entry);
    }
    yield* this.#looseById.values();
  }

  /** Undefined: packed, or nobody's. */
  #objectOf(id: string): Client | undefined {
    return this.#inUse.get(id) ?? this.#wasInUse.get(id) ?? this.#looseById.get(id);
  }

  #use(client: Client): Client {
    if (this.#inUse.size >= IN_USE) {
      this.#wasInUse = this.#inUse;
      this.#inUse = new Map();
    }
    this.#inUse.set(client.id, client);
    return client;
  }

  #find(index: Uint32Array, key: string): number {
    if (this.#packed === 0 || !this.#load(key)) return NONE;
    const isId = index === this.#byId;
    const last = index.length - 1;
    const hash = hashOf(this.#key, 0);
    for (let slot = hash & last; ; slot = (slot + 1) & last) {
      const used = index[slot] as number;
      if (used === NONE) return NONE;
      // Seldom is it somebody else's, so that hardly any other record is read.
      if ((used ^ hash) >>> ENTRY_BITS !== 0) continue;
      const entry = used & MAX_ENTRY;
      const address = this.#addressOf(entry);
      if (address === NOWHERE) continue;
      const bytes = this.#slab.chunkOf(address);
      const at = placeOf(address);
      if (isSameKey(bytes, isId ? idOf(at) : nameOf(bytes, at), this.#key)) return entry;
    }
  }

  /** As records have it. @returns false: nobody's can be so long */
  #load(key: string): boolean {
    if (key.length > MAX_KEY_UNITS) return false;
    let length = 0;
    for (; length < key.length; length += 1) {
      const unit = key.charCodeAt(length);
      if (unit > 0x7f) break;
      this.#key[length + 1] = unit;
    }
    if (length < key.length) length = this.#key.write(key, 1);
    this.#key[0] = length;
    return true;
  }

  #addressOf(entry: number): number {
    return this.#addresses[entry] as number;
  }

  #unpack(entry: number): Client {
    const address = this.#addressOf(entry);
    return this.#codec.unpack(this.#slab.chunkOf(address), placeOf(address));
  }

  #idAt(entry: number): string {
    const address = this.#addressOf(entry);
    const bytes = this.#slab.chunkOf(address);
    const idAt = idOf(placeOf(address));
    return bytes.toString("utf8", idAt + 1, idAt + 1 + (bytes[idAt] as number));
  }

  /** Who has a key: loose, packed, or nobody. */
  #dropOf(loose: Client | undefined, entry: number): void {
    if (loose !== undefined) {
      this.#looseById.delete(loose.id);
      this.#looseByName.delete(loose.name);
      this.#forget(loose.id);
    }
    if (entry === NONE) return;
    this.#forget(this.#idAt(entry));
    const address = this.#addressOf(entry);
    this.#addresses[entry] = NOWHERE;
    this.#packed -= 1;
    this.#dropped += lengthAt(this.#slab.chunkOf(address), placeOf(address));
    if (this.#dropped > WORTH_COMPACTING && this.#dropped > this.#slab.bytes * MAX_DROPPED) this.#compact();
  }

  #forget(id: string): void {
    this.#inUse.delete(id);
    this.#wasInUse.delete(id);
  }

  #append(address: number): void {
    if (this.#lastEntry + 1 === this.#addresses.length) this.#rebuild();
    this.#lastEntry += 1;
    this.#packed += 1;
    this.#addresses[this.#lastEntry] = address;
    this.#enter(this.#lastEntry);
  }

  /** Into both indexes, which have room. */
  #enter(entry: number): void {
    const address = this.#addressOf(entry);
    const bytes = this.#slab.chunkOf(address);
    const at = placeOf(address);
    occupy(this.#byId, hashOf(bytes, idOf(at)), entry);
    occupy(this.#byName, hashOf(bytes, nameOf(bytes, at)), entry);
  }

  /** With room for half as many more as there are, and without the entries that were dropped. */
  #rebuild(): void {
    if (this.#packed >= MAX_ENTRY / 1.5) throw new RangeError("the table holds no more than 11 million clients");
    let slots = FIRST_SLOTS;
    while (entriesOf(slots) < this.#packed * 1.5) slots *= 2;
    const old = this.#addresses;
    const last = this.#lastEntry;
    this.#byId = new Uint32Array(slots);
    this.#byName = new Uint32Array(slots);
    this.#addresses = new Uint32Array(entriesOf(slots) + 1);
    this.#lastEntry = 0;
    for (let entry = 1; entry <= last; entry += 1) {
      const address = old[entry] as number;
      if (address === NOWHERE) continue;
      this.#lastEntry += 1;
      this.#addresses[this.#lastEntry] = address;
      this.#enter(this.#lastEntry);
    }
  }

  /** Copies every record once for every quarter of them that was dropped. */
  #compact(): void {
    const slab = new Slab();
    for (let entry = 1; entry <= this.#lastEntry; entry += 1) {
      const address = this.#addressOf(entry);
      if (address === NOWHERE) continue;
      const bytes = this.#slab.chunkOf(address);
      const at = placeOf(address);
      this.#addresses[entry] = slab.add(bytes, lengthAt(bytes, at), at);
    }
    this.#slab = slab;
    this.#dropped = 0;
  }
}

/** That an index of so many slots takes. */
const entriesOf = (slots: number): number => Math.min(Math.floor(slots * MAX_LOAD), MAX_ENTRY);

const occupy = (index: Uint32Array, hash: number, entry: number): void => {
  const last = index.length - 1;
  let slot = hash & last;
  while (index[slot] !== NONE) slot = (slot + 1) & last;
  index[slot] = (hash & ~MAX_ENTRY) | entry;
};

/** FNV-1a, and MurmurHash3's last steps, without which names that are numbered lie side by side. */
const hashOf = (bytes: Buffer, lengthAt: number): number => {
  const end = lengthAt + 1 + (bytes[lengthAt] as number);
  let hash = 0x811c9dc5;
  for (let at = lengthAt + 1; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
};

/** From the end, where names that are numbered differ. */
const isSameKey = (bytes: Buffer, lengthAt: number, key: Buffer): boolean => {
  const length = bytes[lengthAt] as number;
  if (length !== key[0]) return false;
  for (let at = length; at > 0; at -= 1) if (bytes[lengthAt + at] !== key[at]) return false;
  return true;
};

const tooLong = (key: string): RangeError =>
  new RangeError(
    `'${key.slice(0, MAX_KEY_UNITS)}…' is longer than the ${MAX_KEY_UNITS} characters of a client's name or id`,
  );
