import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isAigwError } from "../src/errors.ts";
import { SealedReader, SealedWriter, sealedSize } from "../src/jobs/index.ts";
import type { SealContext } from "../src/jobs/sealed-file.ts";
import { createSealer } from "../src/sealing/sealer.ts";
import { temporaryFolder } from "./store-support/folders.ts";

const PIECE = 64 * 1024;

const context = (name = "j_1 answer"): SealContext => ({
  sealer: createSealer(new Uint8Array(32).fill(7)),
  storeId: "store",
  name,
});

const write = async (content: Buffer, step = 10_000): Promise<string> => {
  const path = join(temporaryFolder(), "file");
  const writer = await SealedWriter.create(path, context(), { status: 200, secret: "canary" });
  for (let at = 0; at < content.length; at += step) await writer.write(content.subarray(at, at + step));
  await writer.end();
  assert.equal(writer.bytes, content.length);
  assert.equal(writer.size, statSync(path).size);
  assert.equal(sealedSize({ status: 200, secret: "canary" }, content.length), writer.size);
  return path;
};

const read = async (path: string, from?: number, until?: number, of = context()): Promise<Buffer> => {
  const reader = await SealedReader.open(path, of);
  try {
    const parts: Buffer[] = [];
    for await (const part of reader.read(from, until)) parts.push(part);
    return Buffer.concat(parts);
  } finally {
    await reader.close();
  }
};

const isDamaged = (error: unknown): boolean => isAigwError(error, "store_corrupt");

describe("a sealed file", () => {
  it("gives back facts and content of every length around a piece's, and every range of it", async () => {
    for (const length of [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 77]) {
      const content = randomBytes(length);
      const path = await write(content);
      assert.ok((await read(path)).equals(content), `${length}`);
      for (const [from, until] of [
        [0, Math.min(1, length)],
        [Math.max(0, length - 1), length],
        [Math.min(PIECE - 1, length), Math.min(PIECE + 1, length)],
      ] as const) {
        assert.ok((await read(path, from, until)).equals(content.subarray(from, until)), `${length} ${from}-${until}`);
      }
    }
    const reader = await SealedReader.open(await write(Buffer.from("x")), context());
    assert.deepEqual(reader.facts, { status: 200, secret: "canary" });
    assert.equal(reader.length, 1);
    await reader.close();
  });

  it("shows nothing of either, and is the user's alone", async () => {
    const path = await write(Buffer.from("canary ".repeat(20_000)));
    assert.equal(readFileSync(path).includes("canary"), false);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it("is refused when it was cut, changed, put together anew, or is another's", async () => {
    const content = randomBytes(3 * PIECE + 5);
    const path = await write(content);
    const whole = readFileSync(path);
    const start = whole.length - 5 - 3 * PIECE - 4 * 16;
    const sealed = PIECE + 16;
    const refused = async (bytes: Buffer): Promise<void> => {
      writeFileSync(path, bytes);
      await assert.rejects(read(path), isDamaged);
    };
    await refused(whole.subarray(0, whole.length - 1));
    await refused(whole.subarray(0, start + 3 * sealed));
    await refused(whole.subarray(0, start));
    await refused(whole.subarray(0, 20));
    await refused(Buffer.concat([whole, Buffer.alloc(40)]));
    const [one, two] = [whole.subarray(start, start + sealed), whole.subarray(start + sealed, start + 2 * sealed)];
    await refused(Buffer.concat([whole.subarray(0, start), two, one, whole.subarray(start + 2 * sealed)]));
    for (const at of [0, 9, 26, 40, start + 3, whole.length - 3]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await refused(changed);
    }
    writeFileSync(path, whole);
    await assert.rejects(read(path, 0, 1, context("j_2 answer")), isDamaged);
    assert.ok((await read(path)).equals(content));
  });
});
