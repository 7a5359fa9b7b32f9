import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseQuotas, parseReserves, QUOTA_PERIODS, quotasInWords, reservesInWords } from "@aigw/core/quotas";
import fc from "fast-check";

describe("a quota", () => {
  for (const [given, printed = given] of [
    ["requests=10000/day, input_tokens+output_tokens=2M/month, pages=500/week, cost=20/month"],
    ["requests=10000/day,pages=500/week", "requests=10000/day, pages=500/week"],
    ["  requests = 5 / hour ", "requests=5/hour"],
    ["none"],
    ["requests=10K/day", "requests=10000/day"],
    ["requests=1000000/day", "requests=1M/day"],
    ["requests=1234567/day"],
    ["input_tokens=2.5M/month"],
    ["input_tokens=2500000/month", "input_tokens=2.5M/month"],
    ["pages=0.000001/day"],
    ["cost=19.990000/month", "cost=19.99/month"],
    ["bytes_in+bytes_out=1.5T/month"],
    ["bytes_out=4000T/month"],
    ["output_tokens=4G/month"],
    ["service_seconds=3600/day"],
    ["requests=5/hour, requests=50/day, requests=500/month"],
  ] as const) {
    test(`${given} is read, and printed as ${printed}`, () => {
      assert.equal(quotasInWords(parseQuotas(given)), printed);
    });
  }

  test("requests and bytes are counted whole, everything else in millionths", () => {
    assert.deepEqual(parseQuotas("requests=7/day, bytes_out=2K/hour, pages=1.5/week, cost=0.25/month"), [
      { units: ["requests"], limit: 7, per: "day" },
      { units: ["bytes_out"], limit: 2_000, per: "hour" },
      { units: ["pages"], limit: 1_500_000, per: "week" },
      { units: ["cost"], limit: 250_000, per: "month" },
    ]);
  });

  for (const [given, named] of [
    ["", /an empty quota/],
    ["requests", /quota 'requests' is not valid: name a unit/],
    ["requests=5", /name a unit, how much and the period/],
    ["requests=5/year", /'requests=5\/year' is not valid: a period is one of hour, day, week, month/],
    ["requests=5/Day", /a period is one of/],
    ["requests=0/day", /use a whole number above 0/],
    ["requests=1.5/day", /use a whole number above 0/],
    ["requests=-1/day", /use a whole number above 0/],
    ["requests=1e3/day", /use a whole number above 0/],
    ["pages=0/day", /up to six decimals above 0/],
    ["pages=0.0000001/day", /up to six decimals above 0/],
    ["pages=5G/day", /up to 4G/],
    ["bytes_in=4001T/day", /up to 4000T/],
    ["Pages=1/day", /unit 'Pages'/],
    ["__proto__=1/day", /unit '__proto__'/],
    ["a+a=1/day", /a is there twice/],
    ["requests+pages=1/day", /requests stands alone/],
    ["cost+pages=1/day", /cost stands alone/],
    ["bytes_in+pages=1/day", /bytes_in and bytes_out are added to each other alone/],
    ["a+b+c+d+e+f+g+h+i=1/day", /adds up more than 8 units/],
    ["a=1/day, none", /must stand alone/],
    ["a=1/day, a=2/day", /there are two for a a day/],
    ["a+b=1/day, b+a=2/day", /there are two for b\+a a day/],
    ["a=1/day,", /quota '' is not valid/],
    ["a=1/day/week", /name a unit/],
    [[..."abcdefghi"].map((unit) => `${unit}=1/day`).join(), /it has 9 parts, more than the 8/],
    ["a=1/day,".repeat(200), /longer than 1024/],
  ] as const) {
    test(`'${given.slice(0, 60)}' is refused`, () => {
      assert.throws(() => parseQuotas(given), { code: "invalid_value", message: named });
    });
  }

  test("what is printed is read as the same", () => {
    const units = fc.constantFrom("requests", "cost", "bytes_in+bytes_out", "pages", "a+b+c");
    const per = fc.constantFrom(...QUOTA_PERIODS);
    const digits = fc.tuple(fc.integer({ min: 1, max: 3_999 }), fc.constantFrom("", "K", "M"), units, per);
    fc.assert(
      fc.property(digits, ([count, suffix, unit, period]) => {
        const quotas = parseQuotas(`${unit}=${count}${suffix}/${period}`);
        assert.deepEqual(parseQuotas(quotasInWords(quotas)), quotas);
      }),
    );
  });
});

describe("a reserve", () => {
  for (const [given, printed = given] of [
    ["output_tokens=/max_tokens,pages=1"],
    [
      "output_tokens=/max_completion_tokens, output_tokens=/max_tokens, output_tokens=4K",
      "output_tokens=/max_completion_tokens,output_tokens=/max_tokens,output_tokens=4000",
    ],
    ["seconds=0.5"],
    ["cost=0.05"],
    ["tokens=#/a%2Cb"],
    ["none"],
  ] as const) {
    test(`${given} is read, and printed as ${printed}`, () => {
      assert.equal(reservesInWords(parseReserves(given)), printed);
    });
  }

  for (const [given, named] of [
    ["", /an empty reserve/],
    ["pages", /reserve 'pages' is not valid/],
    ["pages=0", /reserve 'pages=0' is not valid/],
    ["pages=max", /reserve 'pages=max' is not valid/],
    ["requests=1", /requests is counted by the gateway itself/],
    ["pages=1,pages=/n", /a number for pages comes before it/],
    ["pages=1,none", /must stand alone/],
    ["pages=/~2", /JSON pointer/],
    [[..."abcdefghi"].map((unit) => `${unit}=1`).join(), /it has 9 parts/],
  ] as const) {
    test(`'${given}' is refused`, () => {
      assert.throws(() => parseReserves(given), { code: "invalid_value", message: named });
    });
  }
});
