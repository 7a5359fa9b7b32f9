import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_VALUE } from "@aigw/core/meters";
import fc from "fast-check";
import { ANY, JsonPaths } from "../src/meters/json-paths.ts";
import { JsonScanner } from "../src/meters/json-scanner.ts";
import { BAD } from "../src/meters/json-tokens.ts";
import { threadMs } from "./meter-fixtures.ts";

const scannerOf = (pointers: readonly (readonly string[])[]): { scanner: JsonScanner; slots: number[] } => {
  const paths = new JsonPaths();
  const slots = pointers.map((pointer) => paths.add(pointer, "number"));
  return { scanner: new JsonScanner(paths.compile(), paths.numbers, paths.texts), slots };
};

/** What RFC 6901 finds in what `JSON.parse` makes of it: undefined for nothing. */
const expected = (document: unknown, pointer: readonly string[]): number | undefined => {
  let value = document;
  for (const token of pointer) {
    if (Array.isArray(value)) value = /^(0|[1-9][0-9]*)$/.test(token) ? value[Number(token)] : undefined;
    else if (typeof value === "object" && value !== null)
      value = Object.getOwnPropertyDescriptor(value, token)?.value as unknown;
    else value = undefined;
  }
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.length;
  return typeof value === "number" && value >= 0 && value <= MAX_VALUE ? value + 0 : BAD;
};

const scan = (
  { scanner, slots }: ReturnType<typeof scannerOf>,
  pieces: readonly Buffer[],
): readonly (number | undefined)[] | undefined => {
  scanner.forget();
  for (const piece of pieces) scanner.feed(piece, 0, piece.length);
  if (!scanner.end()) return undefined;
  return slots.map((slot) => {
    const value = scanner.found.values[slot] ?? Number.NaN;
    return Number.isNaN(value) ? undefined : value;
  });
};

const parsed = (text: string): { document: unknown } | undefined => {
  try {
    return { document: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
};

const cutAt = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
};

const KEY = fc.constantFrom("a", "b", "usage", "é", 'q"', "back\\", "__proto__", "constructor", "", "0", "1", "~/");
const TEXT = fc.oneof(KEY, fc.string({ unit: "binary", maxLength: 12 }), fc.constantFrom("x\n\t\u2028", "😀"));
const NUMBERS = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.nat(20),
  fc.constantFrom(1e300, -0, 0.5, 1e9, 1e9 + 1),
);
const { tree: DOCUMENT } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: "medium" },
    fc.oneof(NUMBERS, TEXT, fc.boolean(), fc.constant(null)),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.array(fc.tuple(KEY, tie("tree")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));
const POINTERS = fc.array(fc.array(KEY, { maxLength: 4 }), { minLength: 1, maxLength: 6 });
const CUTS = fc.array(fc.nat(), { maxLength: 8 });
const SPACES = fc.constantFrom(undefined, 2, "\t");

describe("what a scanner finds in a document", () => {
  test("is what JSON.parse and RFC 6901 find, wherever its pieces are cut", () => {
    fc.assert(
      fc.property(DOCUMENT, POINTERS, CUTS, SPACES, (document, pointers, cuts, spaces) => {
        const text = JSON.stringify(document, undefined, spaces);
        const found = scan(scannerOf(pointers), cutAt(Buffer.from(text), cuts));
        const again = JSON.parse(text) as unknown;
        assert.deepEqual(
          found,
          pointers.map((pointer) => expected(again, pointer)),
          text,
        );
      }),
      { numRuns: 1_000 },
    );
  });

  test("is the same of a text that is no document: nothing, where JSON.parse refuses", () => {
    const noise = fc.constantFrom(...'{}[]",:0123456789-+.eE \n\ttrufalsn\\u\u0001é'.split(""));
    fc.assert(
      fc.property(
        DOCUMENT,
        POINTERS,
        CUTS,
        fc.array(fc.tuple(fc.nat(), noise, fc.nat(2)), { minLength: 1, maxLength: 3 }),
        (document, pointers, cuts, edits) => {
          let text = JSON.stringify(document);
          for (const [at, char, gone] of edits) {
            const place = at % (text.length + 1);
            text = text.slice(0, place) + char + text.slice(place + gone);
          }
          // An edit may leave half of a character, which is no UTF-8 and becomes another.
          const bytes = Buffer.from(text);
          const valid = parsed(bytes.toString());
          const found = scan(scannerOf(pointers), cutAt(bytes, cuts));
          if (valid === undefined) assert.equal(found, undefined, text);
          else
            assert.deepEqual(
              found,
              pointers.map((pointer) => expected(valid.document, pointer)),
              text,
            );
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("survives every cut of one that has everything", () => {
    const text = ` {"a":[1,{"b":-0.5e-3}],"us\\u0061ge":{"pages":[[],{},"\\"\\\\",null,true,false],"n":12.5E+1},"long":"${"x".repeat(200)}\\\\\\"${"y".repeat(200)}","z":7} `;
    const pointers = [["a", "1", "b"], ["usage", "pages"], ["usage", "n"], ["z"], ["a", "0"]];
    const scanner = scannerOf(pointers);
    const bytes = Buffer.from(text);
    for (let one = 0; one <= bytes.length; one += 1) {
      assert.deepEqual(scan(scanner, cutAt(bytes, [one])), [BAD, 6, 125, 7, 1], `cut at ${one}`);
      assert.deepEqual(scan(scanner, cutAt(bytes, [one, one + 1])), [BAD, 6, 125, 7, 1], `cut at ${one}`);
    }
    assert.deepEqual(
      scan(
        scanner,
        [...bytes].map((byte) => Buffer.of(byte)),
      ),
      [BAD, 6, 125, 7, 1],
    );
  });

  test("of two keys that are the same is the last one's", () => {
    const scanner = scannerOf([
      ["u", "a"],
      ["u", "b"],
    ]);
    const found = (text: string): unknown => scan(scanner, [Buffer.from(text)]);
    assert.deepEqual(found('{"u":{"a":1,"b":2},"u":{"b":3}}'), [undefined, 3]);
    assert.deepEqual(found('{"u":{"a":1,"b":2},"u":null}'), [undefined, undefined]);
    assert.deepEqual(found('{"u":{"a":1,"a":null,"b":2,"b":"x"}}'), [undefined, BAD]);
  });

  test("does not come from Object's prototype", () => {
    const scanner = scannerOf([["__proto__", "pages"], ["constructor"], ["pages"]]);
    assert.deepEqual(scan(scanner, [Buffer.from('{"__proto__":{"pages":9},"x":1}')]), [9, undefined, undefined]);
    assert.deepEqual(scan(scanner, [Buffer.from("{}")]), [undefined, undefined, undefined]);
    assert.equal(Object.hasOwn(Object.prototype, "pages"), false);
  });

  test("of what is no quantity is said to be bad", () => {
    const scanner = scannerOf([["n"]]);
    for (const value of [
      "-1",
      "1e300",
      "1e10",
      "-1e-300",
      "1000000001",
      '"12"',
      "true",
      "{}",
      '""',
      `1${"0".repeat(400)}`,
      `0.${"3".repeat(400)}`,
    ])
      assert.deepEqual(scan(scanner, [Buffer.from(`{"n":${value}}`)]), [BAD], value);
    for (const value of ["NaN", "Infinity", "-", "01", "1.", ".5", "+1", "1e", "0x10", "'1'"])
      assert.equal(scan(scanner, [Buffer.from(`{"n":${value}}`)]), undefined, value);
    assert.deepEqual(scan(scanner, [Buffer.from('{"n":null}')]), [undefined]);
  });
});

describe("a scanner's bounds", () => {
  const feed = (scanner: JsonScanner, bytes: Buffer): number => {
    const started = threadMs();
    for (let at = 0; at < bytes.length; at += 65_536) scanner.feed(bytes, at, Math.min(bytes.length, at + 65_536));
    return threadMs() - started;
  };

  test("are 256 levels", () => {
    const { scanner } = scannerOf([["a"]]);
    feed(scanner, Buffer.from("[".repeat(256) + "]".repeat(256)));
    assert.equal(scanner.end(), true);
    scanner.reset();
    feed(scanner, Buffer.from("[".repeat(257)));
    assert.equal(scanner.problem, "too_deep");
    scanner.reset();
    const ms = feed(scanner, Buffer.from('{"a":'.repeat(2_000_000)));
    assert.equal(scanner.problem, "too_deep");
    assert.ok(ms < 500, `${ms} ms`);
  });

  test("are 1 MiB of what is looked at: 10 MB of numbers cost no more", () => {
    const { scanner } = scannerOf([["n"]]);
    const ms = feed(scanner, Buffer.from(`{"a":[${"1,".repeat(5_000_000)}1],"n":3}`));
    assert.equal(scanner.problem, "too_large");
    assert.ok(ms < 500, `${ms} ms`);
  });

  test("let a picture of 10 MB in Base64 pass, and find what is behind it", () => {
    const { scanner, slots } = scannerOf([["data"], ["usage", "total_tokens"]]);
    const picture = Buffer.alloc(7_500_000, 0xa5).toString("base64");
    feed(scanner, Buffer.from(`{"data":[{"b64_json":"${picture}"}],"usage":{"total_tokens":4160}}`));
    assert.equal(scanner.end(), true);
    assert.deepEqual(
      slots.map((slot) => scanner.found.values[slot]),
      [1, 4_160],
    );
  });

  test("are 16 MiB in all", () => {
    const { scanner } = scannerOf([["n"]]);
    feed(scanner, Buffer.from(`{"a":"${"x".repeat(17 * 1024 * 1024)}","n":1}`));
    assert.equal(scanner.problem, "too_large");
  });

  test("hold for a key and a number without end", () => {
    const { scanner } = scannerOf([["n"]]);
    const piece = Buffer.alloc(65_536, "k");
    scanner.feed(Buffer.from('{"'), 0, 2);
    for (let i = 0; i < 8; i += 1) scanner.feed(piece, 0, piece.length);
    scanner.feed(Buffer.from('":1,"n":1'), 0, 9);
    const digits = Buffer.alloc(65_536, "1");
    for (let i = 0; i < 4; i += 1) scanner.feed(digits, 0, digits.length);
    scanner.feed(Buffer.from("}"), 0, 1);
    assert.equal(scanner.end(), true);
    assert.equal(scanner.found.values[0], BAD);
  });
});

describe("beside numbers", () => {
  test("texts, whether there is something, and counts over any index are found", () => {
    const paths = new JsonPaths();
    const model = paths.add(["model"], "text");
    paths.add(["choices", "0", "delta", "content"], "some");
    const images = paths.add(["messages", ANY, "content", ANY, "image_url"], "count");
    const first = paths.add(["messages", "0", "n"], "number");
    const scanner = new JsonScanner(paths.compile(), paths.numbers, paths.texts);
    const read = (value: unknown): JsonScanner => {
      scanner.forget();
      for (const byte of Buffer.from(JSON.stringify(value))) scanner.feed(Buffer.of(byte), 0, 1);
      assert.equal(scanner.end(), true);
      return scanner;
    };
    assert.equal(read({ model: 'a"é😀' }).found.texts[model], 'a"é😀');
    assert.equal(read({ model: "" }).found.texts[model], undefined);
    assert.equal(read({ model: "m".repeat(9_000) }).found.texts[model], "m".repeat(128));
    assert.equal(read({ choices: [{ delta: { content: "x" } }] }).found.some, true);
    for (const delta of [{}, { content: "" }, { content: null }])
      assert.equal(read({ choices: [{ delta }] }).found.some, false);
    const part = { image_url: { url: "data:" } };
    const both = read({
      messages: [{ n: 5, content: [part, { text: "" }, part] }, { content: "x" }, { content: [part] }],
    });
    assert.equal(both.found.values[images], 3);
    assert.equal(both.found.values[first], 5);
  });
});
