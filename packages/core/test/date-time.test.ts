import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Instant, parseInstant, rfc3339 } from "../src/date-time.ts";
import { AigwError } from "../src/errors.ts";
import { formatManifest, parseManifest } from "../src/store/sqlite/backup/manifest.ts";

const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const parse = (value: string): Instant => parseInstant("time", value, "use a day");
const refused = (value: string): string => {
  try {
    return assert.fail(`'${value}' was taken for ${JSON.stringify(parse(value))}`);
  } catch (error) {
    if (!(error instanceof AigwError)) throw error;
    assert.equal(error.code, "invalid_value");
    assert.ok(error.message.includes(`'${value}'`) && error.message.endsWith("use a day."), error.message);
    return error.message;
  }
};

describe("a day or date-time as people write it", () => {
  it("is read as RFC 3339 says", () => {
    const at = Date.UTC(2027, 0, 31, 17, 0, 0);
    assert.deepEqual(parse("2027-01-31"), { at: Date.UTC(2027, 0, 31), wholeDay: true });
    for (const same of [
      "T17:00Z",
      "T17:00:00Z",
      "t17:00:00z",
      " 17:00:00.000Z",
      "T18:00:00+01:00",
      "T12:30:00-04:30",
    ]) {
      assert.deepEqual(parse(`2027-01-31${same}`), { at, wholeDay: false }, same);
    }
    assert.equal(parse("2027-01-31T17:00:00.25Z").at, at + 250);
    assert.equal(parse("2027-01-31T17:00:00.123999Z").at, at + 123);
    assert.equal(parse("2028-02-29").at, Date.UTC(2028, 1, 29));
    assert.equal(parse("2000-02-29").at, Date.UTC(2000, 1, 29));
    assert.equal(parse("1970-01-01").at, 0);
    assert.equal(parse("9999-12-31T23:59:59.999Z").at, LAST);
  });

  it("that does not exist is refused", () => {
    const days = ["2026-11-31", "2026-02-29", "2100-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00"];
    for (const day of [...days, "2026-01-32", "9999-02-29"]) {
      assert.match(refused(day), /there is no such day/);
      assert.match(refused(`${day}T10:00:00Z`), /there is no such day/);
    }
    for (const time of ["24:00", "24:00:00", "10:60", "10:00:60", "23:59:60", "99:00"]) {
      assert.match(refused(`2026-01-01T${time}Z`), /there is no such time/);
    }
    for (const offset of ["+24:00", "-10:60", "+99:99"]) assert.match(refused(`2026-01-01T10:00${offset}`), /no such/);
  });

  it("is of the years 1970 to 9999, in UTC too", () => {
    for (const value of [
      "1969-12-31",
      "0000-01-01",
      "0099-12-31",
      "1970-01-01T00:59:59+01:00",
      "9999-12-31T23:00:00-01:00",
    ]) {
      assert.match(refused(value), /the years that can be written are 1970 to 9999/);
    }
    assert.equal(parse("1970-01-01T01:00:00+01:00").at, 0);
    for (const value of ["10000-01-01", "+010000-01-01", "-000001-01-01", "02026-01-01", "26-01-01"]) refused(value);
  });

  it("has that form and no other", () => {
    for (const value of [
      "",
      "tomorrow",
      "2027",
      "2027-01",
      "2027-1-31",
      "31.01.2027",
      "01/31/2027",
      "20270131",
      "2027-01-31T18:00:00",
      "2027-01-31T18Z",
      "2027-01-31Z",
      "2027-01-31T18:00:00+0100",
      "2027-01-31T18:00:00 Z",
      " 2027-01-31",
      "2027-01-31 ",
      "2027-01-31\n",
      "２０２７-01-31",
    ]) {
      assert.doesNotMatch(refused(value), /no such/);
    }
  });
});

it("a backup's manifest with a day that does not exist is none", () => {
  const part = { bytes: 1, sha256: "00" };
  const facts = {
    createdAt: Date.UTC(2026, 10, 30),
    storeId: "s",
    revision: 1,
    clients: 0,
    services: 0,
    usageEvents: 0,
  };
  const text = formatManifest({ facts, files: { "aigw.db": part, "aigw.usage.db": part } });
  assert.deepEqual(parseManifest(text, "file").facts, facts);
  assert.throws(() => parseManifest(text.replace("2026-11-30", "2026-11-31"), "file"), /not a backup of aigw's/);
});

describe("a time as it is printed", () => {
  it("has a year of four digits, whatever is stored", () => {
    assert.equal(rfc3339(Date.UTC(2027, 0, 31, 17)), "2027-01-31T17:00:00.000Z");
    assert.equal(rfc3339(LAST), "9999-12-31T23:59:59.999Z");
    assert.equal(rfc3339(LAST + 1), "9999-12-31T23:59:59.999Z");
    assert.equal(rfc3339(8.64e15), "9999-12-31T23:59:59.999Z");
    assert.equal(rfc3339(-86_400_000), "1970-01-01T00:00:00.000Z");
  });

  it("is read back as it was", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST }), (at) => {
        assert.equal(parse(rfc3339(at)).at, at);
        assert.equal(parse(rfc3339(at).slice(0, 10)).at, at - (at % 86_400_000));
      }),
    );
  });
});
