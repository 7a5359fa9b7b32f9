import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCorsOrigins, parseServiceCors } from "../src/config/cors-origins.ts";
import { isAigwError } from "../src/errors.ts";

describe("cors-origins", () => {
  for (const [given, stored] of [
    ["*", "*"],
    ["https://app.example.com", "https://app.example.com"],
    ["HTTPS://App.Example.COM:443/", "https://app.example.com"],
    ["http://localhost:80, http://localhost:5173", "http://localhost,http://localhost:5173"],
    ["https://a.example\n https://b.example,https://A.example,", "https://a.example,https://b.example"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["http://[0:0::1]:8000", "http://[::1]:8000"],
    ["capacitor://localhost", "capacitor://localhost"],
    ["chrome-extension://ABCdefgh", "chrome-extension://abcdefgh"],
  ] as const) {
    it(`${JSON.stringify(given)} is kept as ${stored}`, () => {
      assert.equal(parseCorsOrigins(given), stored);
      assert.equal(parseServiceCors(given), stored);
      assert.equal(parseCorsOrigins(stored), stored, "also when it comes from the store");
    });
  }

  for (const [given, why] of [
    ["", /cors-origins is empty/],
    [" , ", /cors-origins is empty/],
    ["app.example.com", /'app.example.com' is not valid, the scheme is missing/],
    ["localhost:5173", /the scheme is missing/],
    ["https://app.example.com/page", /'https:\/\/app.example.com\/page' is not valid, an origin is a scheme/],
    ["https://app.example.com?x", /an origin is a scheme/],
    ["https://john:secret@app.example.com", /'https:\/\/…@app.example.com' is not valid, an origin is a scheme/],
    ["https://app.example.com:99999", /an origin is a scheme/],
    ["https://*.example.com", /patterns are not understood/],
    ["*,https://app.example.com", /stands for all and must stand alone/],
    ["null", /any file and any sandboxed page; only \* allows it/],
    ["https://a.example,none", /that word must stand alone/],
    [Array.from({ length: 101 }, (_, n) => `https://${n}.example`).join(), /has 101 origins, more than 100/],
  ] as const) {
    it(`${JSON.stringify(given).slice(0, 60)} is refused with what to use`, () => {
      for (const parse of [parseCorsOrigins, parseServiceCors]) {
        assert.throws(
          () => parse(given),
          (error) =>
            isAigwError(error, "invalid_value") &&
            why.test(error.message) &&
            !error.message.includes("secret") &&
            /use .*https:\/\/app\.example\.com,http:\/\/localhost:5173\.$/.test(error.message),
        );
      }
    });
  }

  it("only a service may say none or upstream", () => {
    for (const word of ["none", "upstream"]) {
      assert.equal(parseServiceCors(word), word);
      assert.throws(() => parseCorsOrigins(word), /only for a service/);
    }
  });
});
