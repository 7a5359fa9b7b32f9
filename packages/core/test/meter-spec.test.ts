import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decimalToMillionths,
  MAX_VALUE,
  metersInWords,
  millionthsInWords,
  PROFILE_UNITS,
  parseMeters,
  parsePointer,
  pointerInWords,
  toMillionths,
  unitsOf,
} from "@aigw/core/meters";
import fc from "fast-check";

const UNIT = fc
  .stringMatching(/^[a-z][a-z0-9_]{0,10}$/)
  .filter((unit) => !/^(requests|bytes_in|bytes_out|service_seconds|cost)$/.test(unit));
const POINTER = fc.array(fc.string({ unit: "grapheme", maxLength: 8 }), { minLength: 1, maxLength: 5 });

/** Keys of many bytes are longer when they are percent-encoded. */
const isShort = ({ pointer }: { pointer: readonly string[] }): boolean => pointerInWords(pointer).length <= 256;

describe("what a service's meter says", () => {
  for (const [given, printed = given] of [
    ["none"],
    ["openai"],
    [" openai , request:seconds=audio ", "openai,request:seconds=audio"],
    ["json:pages=/pages,characters=/stats/chars"],
    ["json: pages = /pages , characters = /stats/chars", "json:pages=/pages,characters=/stats/chars"],
    ["header:pages=X-Pages,openai,json:n=/n"],
    ["request:pages=pdf,images=images,n=/n,anthropic,ollama"],
    ["json:a=/x=y,b=/z"],
    ["json:a=#/a%2Cb"],
    ["json:a=#", "json:a=#"],
    ["json:a=#/plain", "json:a=/plain"],
    ["json:a=/~0~1"],
  ] as const) {
    test(`${given} is read, and printed as ${printed}`, () => {
      assert.equal(metersInWords(parseMeters(given)), printed);
      assert.deepEqual(parseMeters(printed), parseMeters(given));
    });
  }

  for (const [given, named] of [
    ["", /empty meter.*use openai/],
    ["open-ai", /meter 'open-ai'.*use openai, anthropic, ollama/],
    ["openai,none", /'none'.*must stand alone/],
    ["openai,openai", /'openai'.*twice/],
    ["pages=/pages", /meter 'pages=\/pages'.*use openai/],
    ["openai,pages=/pages", /meter 'pages=\/pages'/],
    ["json:", /meter 'json:'.*such as json:pages=\/pages/],
    ["json:pages", /meter 'json:pages'.*name a unit/],
    ["json:pages=", /meter 'json:pages='.*name a unit/],
    ["json:Pages=/p", /unit 'Pages'.*1 to 24 of a-z/],
    ["json:__proto__=/p", /unit '__proto__'/],
    [`json:${"a".repeat(25)}=/p`, /unit 'a{25}'/],
    ["json:requests=/p", /unit 'requests'.*counts it itself/],
    ["json:cost=/p", /unit 'cost'/],
    ["json:pages=pages", /pointer 'pages'.*starts with \//],
    ["json:pages=/a~b", /pointer '\/a~b'.*~0/],
    ["json:pages=#/%zz", /pointer '#\/%zz'.*percent/],
    [`json:pages=${"/a".repeat(17)}`, /more than 16 parts/],
    ["json:a=/a,a=/b", /a is there twice/],
    ["header:pages=X Pages", /field name 'X Pages'/],
    ["request:seconds=video", /'request:seconds=video'.*audio, pdf, images/],
    ["openai,json:a=/a,b=/b,c=/c,d=/d", /9 units \(input_tokens.*more than the 8/],
    [`json:${"a=/a,".repeat(300)}`, /longer than 1024/],
  ] as const) {
    test(`'${given.slice(0, 40)}' is refused with what is wrong and what is allowed`, () => {
      assert.throws(() => parseMeters(given), { code: "invalid_value", message: named });
    });
  }

  test("whatever can be said is read as it is printed", () => {
    const units = fc.uniqueArray(fc.record({ unit: UNIT, pointer: POINTER }, { noNullPrototype: true }), {
      minLength: 1,
      maxLength: 3,
      selector: ({ unit }) => unit,
    });
    const json = fc.record({ kind: fc.constant("json" as const), units }, { noNullPrototype: true });
    const profile = fc.constantFrom(...(["anthropic", "ollama"] as const)).map((kind) => ({ kind }));
    fc.assert(
      fc.property(profile, fc.array(json, { maxLength: 1 }), (first, others) => {
        const meters = [...others, first, ...others];
        const text = metersInWords(meters);
        fc.pre(text.length <= 1_024 && others.every((meter) => meter.units.every(isShort)));
        assert.deepEqual(parseMeters(text), meters);
      }),
    );
  });

  test("a pointer is read as it is printed, whatever its keys", () => {
    fc.assert(
      fc.property(POINTER, (pointer) => {
        const text = pointerInWords(pointer);
        if (text.length > 256) return;
        assert.doesNotMatch(text, /[,\s]/);
        assert.deepEqual(parsePointer(text), pointer);
      }),
    );
  });

  test("the units are those of all its meters, each once", () => {
    assert.deepEqual(unitsOf(parseMeters("openai,request:seconds=audio,pages=pdf")), [
      ...PROFILE_UNITS.openai,
      "pages",
    ]);
    assert.deepEqual(unitsOf(parseMeters("none")), []);
  });
});

describe("a value", () => {
  test("is an integer of a millionth, or none at all", () => {
    const values: readonly (readonly [number, number | undefined])[] = [
      [0, 0],
      [-0, 0],
      [1, 1_000_000],
      [0.000_000_4, 0],
      [0.000_000_5, 1],
      [8.470_000_267_028_809, 8_470_000],
      [MAX_VALUE, 1e15],
      [MAX_VALUE + 1, undefined],
      [1e300, undefined],
      [Number.POSITIVE_INFINITY, undefined],
      [Number.NaN, undefined],
      [-1, undefined],
      [-1e-300, undefined],
    ];
    for (const [value, expected] of values) {
      assert.equal(toMillionths(value), expected, String(value));
      if (expected !== undefined) assert.equal(Object.is(toMillionths(value), -0), false);
    }
  });

  test("in a field is plain digits", () => {
    for (const text of [
      "",
      "-1",
      "+1",
      "1e3",
      "0x10",
      "1.",
      ".5",
      "1,5",
      " 1",
      "1 ",
      "Infinity",
      "NaN",
      "99999999999",
      "1_0",
    ]) {
      assert.equal(decimalToMillionths(text), undefined, text);
    }
    assert.equal(decimalToMillionths("12.5"), 12_500_000);
    assert.equal(decimalToMillionths("007"), 7_000_000);
  });

  test("in words is what it was, exactly", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e15 }), (millionths) => {
        const text = millionthsInWords(millionths);
        assert.match(text, /^\d+(\.\d*[1-9])?$/);
        const [whole = "", part = ""] = text.split(".");
        assert.equal(BigInt(whole) * 1_000_000n + BigInt(part.padEnd(6, "0")), BigInt(millionths));
      }),
    );
  });
});
