import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  MAX_COST,
  matches,
  moreSpecific,
  parseModelPattern,
  parsePrice,
  priceInWords,
  pricesFor,
  Tariff,
} from "@aigw/core/meters";
import fc from "fast-check";

describe("a price", () => {
  for (const [given, printed = given] of [
    ["input_tokens=0.15/1M"],
    ["pages=0.01"],
    ["seconds=0.006/60"],
    ["requests=0"],
    ["tokens=1/1000", "tokens=1/1K"],
    ["tokens=1/M", "tokens=1/1M"],
    ["tokens = 2.50 / 1K".replaceAll(" / ", "/"), "tokens=2.5/1K"],
    ["pages=1000000"],
    ["pages=0.000000001/1G"],
    ["pages=3/1", "pages=3"],
  ] as const) {
    test(`${given} is read, and printed as ${printed}`, () => {
      assert.equal(priceInWords(parsePrice(given)), printed);
    });
  }

  for (const [given, named] of [
    ["0.15/1M", /name a unit and its price/],
    ["Pages=1", /unit 'Pages'/],
    ["cost=1", /cost is what prices make/],
    ["pages=", /use an amount from 0/],
    ["pages=-1", /use an amount from 0/],
    ["pages=1e3", /use an amount from 0/],
    ["pages=NaN", /use an amount from 0/],
    ["pages=.5", /use an amount from 0/],
    ["pages=0.0000000001", /nine decimals/],
    ["pages=1/0", /use an amount from 0/],
    ["pages=1/", /use an amount from 0/],
    ["pages=1/1X", /use an amount from 0/],
    ["pages=1000000.1", /at most 1000000/],
    ["pages=1/2G", /at most 1G/],
  ] as const) {
    test(`${given} is refused`, () => {
      assert.throws(() => parsePrice(given), { code: "invalid_value", message: named });
    });
  }
});

describe("a model's pattern", () => {
  test("matches as a regular expression would", () => {
    const piece = fc.constantFrom("a", "b", "*", "/", ".");
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1 }), fc.array(piece), (pattern, model) => {
        const expression = pattern.map((part) => (part === "*" ? ".*" : part.replace(/[/.]/, "\\$&"))).join("");
        const text = parseModelPattern(pattern.join(""));
        assert.equal(matches(text, model.join("")), new RegExp(`^${expression}$`).test(model.join("")));
      }),
    );
  });

  test("takes time in proportion, whatever a service calls its model", () => {
    const started = process.threadCpuUsage().user;
    assert.equal(matches("a*".repeat(64), "a".repeat(100_000)), true);
    assert.equal(matches(`${"a*".repeat(63)}b`, "a".repeat(100_000)), false);
    assert.ok(process.threadCpuUsage().user - started < 1_000_000);
  });

  test("is refused when it cannot be one", () => {
    for (const value of ["", "a b", "a\n", "é", "a".repeat(129)]) {
      assert.throws(() => parseModelPattern(value), { code: "invalid_value" }, value);
    }
  });

  test("wins by how specific it is, whatever the order", () => {
    const ascending = [undefined, "*", "l*", "l*a", "llama*", "llama-3*", "llama-3"];
    for (const [i, one] of ascending.entries()) {
      for (const [j, other] of ascending.entries())
        assert.equal(moreSpecific(one, other), i > j, `${one} over ${other}`);
    }
  });
});

describe("what a call costs", () => {
  const general = { prices: [parsePrice("input_tokens=1/1M"), parsePrice("pages=0.01")] };
  const llama = { model: "llama*", prices: [parsePrice("input_tokens=0.15/1M")] };
  const llama70 = { model: "llama-70b", prices: [parsePrice("input_tokens=0.9/1M")] };

  test("the most specific pattern that prices a unit wins, unit by unit", () => {
    for (const lists of [
      [general, llama, llama70],
      [llama70, llama, general],
    ]) {
      const words = (model?: string): string[] => pricesFor(lists, model).map(priceInWords).sort();
      assert.deepEqual(words("llama-70b"), ["input_tokens=0.9/1M", "pages=0.01"]);
      assert.deepEqual(words("llama-7b"), ["input_tokens=0.15/1M", "pages=0.01"]);
      assert.deepEqual(words("gpt"), ["input_tokens=1/1M", "pages=0.01"]);
      assert.deepEqual(words(), ["input_tokens=1/1M", "pages=0.01"]);
    }
  });

  test("what has no price costs nothing that is known", () => {
    const tariff = new Tariff([general]);
    assert.equal(tariff.cost({ output_tokens: 5_000_000 }, "x"), null);
    assert.equal(tariff.cost({}, "x"), null);
    assert.equal(tariff.cost({ pages: 0 }, "x"), 0);
    assert.equal(new Tariff([]).cost({ pages: 1_000_000 }, undefined), null);
    assert.equal(new Tariff([{ prices: [parsePrice("constructor=1")] }]).cost({}, undefined), null);
  });

  test("is rounded once, half a millionth upwards", () => {
    const tariff = new Tariff([{ prices: [parsePrice("a=0.0000003"), parsePrice("b=0.0000002")] }]);
    assert.equal(tariff.cost({ a: 1_000_000 }, undefined), 0);
    assert.equal(tariff.cost({ a: 1_000_000, b: 1_000_000 }, undefined), 1);
  });

  test("is exact: the same as whole-number arithmetic over a common denominator", () => {
    const priced = fc.record({
      billionths: fc.oneof(fc.integer({ min: 0, max: 1e15 }), fc.integer({ min: 0, max: 1e9 })),
      per: fc.oneof(fc.constantFrom(1, 60, 1_000, 1_000_000), fc.integer({ min: 1, max: 1e9 })),
      value: fc.oneof(fc.integer({ min: 0, max: 1e15 }), fc.integer({ min: 0, max: 1e10 })),
    });
    fc.assert(
      fc.property(fc.array(priced, { minLength: 1, maxLength: 8 }), (terms) => {
        const names = terms.map((_, i) => `u${i}`);
        const tariff = new Tariff([
          { prices: terms.map(({ billionths, per }, i) => ({ unit: `u${i}`, billionths, per })) },
        ]);
        const units = Object.fromEntries(terms.map(({ value }, i) => [names[i], value]));
        const denominator = terms.reduce((product, { per }) => product * BigInt(per), 1_000_000_000n);
        const sum = terms.reduce(
          (all, { billionths, per, value }) =>
            all + (BigInt(value) * BigInt(billionths) * denominator) / (BigInt(per) * 1_000_000_000n),
          0n,
        );
        const expected = (sum * 2n + denominator) / (denominator * 2n);
        assert.equal(tariff.cost(units, undefined), Number(expected > BigInt(MAX_COST) ? BigInt(MAX_COST) : expected));
      }),
      { numRuns: 2_000 },
    );
  });

  test("is exact also where the sum is just beyond what a number holds", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 7e14, max: 1e15 }),
        fc.constantFrom(10, 11, 13, 25),
        fc.constantFrom(3, 7),
        (value, price, per) => {
          const tariff = new Tariff([{ prices: [parsePrice(`pages=${price}/${per}`)] }]);
          const expected = (2n * BigInt(value) * BigInt(price) + BigInt(per)) / (2n * BigInt(per));
          assert.equal(tariff.cost({ pages: value }, undefined), Number(expected));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a service that invents models without end takes no memory without end", () => {
    const tariff = new Tariff([general]);
    for (let i = 0; i < 2_000; i += 1) assert.equal(tariff.cost({ pages: 1_000_000 }, `m${i}`), 10_000);
  });
});
