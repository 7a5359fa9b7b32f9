import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  AigwError,
  hashPassword,
  needsRehash,
  parseClientName,
  parseEmail,
  parseExpiry,
  parseLimit,
  parseLine,
  parseServiceList,
  parseUpstreamUrl,
  verifyPassword,
} from "@aigw/core";
import { hash } from "@node-rs/argon2";
import { generatePassword, parseChosenPassword, SAFE_SYMBOLS } from "../src/clients/password.ts";
import { parseSetting } from "../src/config/settings.ts";

const refused = (value: () => unknown): void => {
  assert.throws(value, (error) => error instanceof AigwError && error.code === "invalid_value");
};

describe("generated password", () => {
  it("has 20 characters, every kind, and only symbols that are safe in a form body and in bash double quotes", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 2_000; i += 1) {
      const password = generatePassword();
      assert.equal(password.length, 20);
      for (const kind of [/[a-z]/, /[A-Z]/, /[0-9]/, /[-_.~*@:,]/]) assert.match(password, kind);
      assert.match(password, /^[A-Za-z0-9][A-Za-z0-9\-_.~*@:,]+[A-Za-z0-9]$/);
      seen.add(password);
    }
    assert.equal(seen.size, 2_000);
    assert.equal(SAFE_SYMBOLS, "-_.~*@:,");
  });
});

describe("chosen password", () => {
  for (const bad of [
    "short-A1",
    "alllowercaseletters",
    "Password123!",
    "P4ssw0rd!2026",
    "Admin123456!",
    "john-John-1234",
    "aaaaaaaaaaaA1!",
    "Qwertyuiop123!",
    "with\u0000Control-12",
    `Aa1!${"unlucky-Words-7".repeat(9)}`,
    "😀🙂🙃A1!😀🙂🙃A1",
  ]) {
    it(`is refused: ${bad.slice(0, 20)}`, () => {
      assert.throws(
        () => parseChosenPassword(bad, "john"),
        (error) => error instanceof AigwError && !error.message.includes(bad),
      );
    });
  }
  for (const good of ["correct-Horse-battery-9", "Tr0ub4dor&3 and more", "zwölf-Gläser-7-rote", "x7!Kp2$Lm9@Qz"]) {
    it(`is accepted: ${good}`, () => assert.equal(parseChosenPassword(good, "john"), good));
  }
  it("has 12 to 128 characters, counted as code points of its NFC, and is stored as that", () => {
    const longest = `Aa1!${"🦜🐢é".repeat(41)}x`;
    assert.equal([...longest].length, 128);
    assert.equal(parseChosenPassword(longest, "john"), longest);
    assert.equal(parseChosenPassword(longest.normalize("NFD"), "john"), longest);
    assert.throws(() => parseChosenPassword(`${longest}y`, "john"), /is longer than 128 characters/);
    assert.throws(
      () => parseChosenPassword("e\u0301E\u0301a\u0301A1!o\u0301bc".slice(0, 12), "john"),
      /shorter than 12/,
    );
    const form = new URLSearchParams({ username: "x".repeat(64), password: "😀".repeat(128) }).toString();
    assert.ok(form.length < 8192);
  });
});

describe("password hash", () => {
  it("is argon2id with the stated parameters, salted, and verifies only its password", async () => {
    const [one, two] = await Promise.all([hashPassword("pw-One-12345"), hashPassword("pw-One-12345")]);
    assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    assert.notEqual(one, two);
    assert.equal(await verifyPassword(one, "pw-One-12345"), true);
    assert.equal(await verifyPassword(one, "pw-One-12346"), false);
    assert.equal(await verifyPassword("garbage", "pw-One-12345"), false);
  });

  it("of weaker parameters verifies and asks for a rehash", async () => {
    const weak = await hash("pw-One-12345", { algorithm: 2, memoryCost: 8192, timeCost: 1, parallelism: 1 });
    assert.equal(await verifyPassword(weak, "pw-One-12345"), true);
    assert.equal(needsRehash(weak, "pw-One-12345"), true);
    assert.equal(needsRehash(await hashPassword("pw-One-12345"), "pw-One-12345"), false);
  });
});

describe("client fields", () => {
  const now = Date.UTC(2026, 10, 22, 12);

  it("name", () => {
    for (const good of ["john", "client_john", "a", "a.b-c_9", "x".repeat(64)])
      assert.equal(parseClientName(good), good);
    for (const bad of ["", "John", "-x", "a b", "a/b", "ü", "x".repeat(65), "a\n", "__proto__"])
      refused(() => parseClientName(bad));
  });

  it("e-mail", () => {
    for (const good of ["a@b", "john.doe+x@mail.example.com"]) assert.equal(parseEmail(good), good);
    for (const bad of ["", "a", "a@", "@b", "a b@c", "a@b\r\nBcc: x@y", "a@b..c", "a@@b", `${"x".repeat(251)}@b.c`]) {
      refused(() => parseEmail(bad));
    }
  });

  it("line", () => {
    assert.equal(parseLine("note", "  Zoë 🚀 ", 100), "Zoë 🚀");
    for (const bad of ["", "  ", "a\nb", "a\u001b[31m", "x".repeat(101)]) refused(() => parseLine("note", bad, 100));
  });

  it("limit", () => {
    assert.equal(parseLimit("60"), 60);
    for (const bad of ["0", "-1", "1.5", "1e3", "", "abc", "99999999", "Infinity"]) refused(() => parseLimit(bad));
  });

  it("expiry: a day works to its end, UTC", () => {
    assert.equal(parseExpiry("2027-01-31", now), Date.UTC(2027, 1, 1));
    assert.equal(parseExpiry("2026-11-22", now), Date.UTC(2026, 10, 23));
    assert.equal(parseExpiry("2027-01-31T18:00:00+01:00", now), Date.UTC(2027, 0, 31, 17));
    assert.equal(parseExpiry("30d", now), now + 30 * 86_400_000);
    for (const bad of ["2027-02-31", "2026-11-21", "tomorrow", "2027", "", "2027-01-31T18:00:00", "0d"]) {
      refused(() => parseExpiry(bad, now));
    }
  });

  it("services", () => {
    assert.deepEqual(parseServiceList("ocr, chat,ocr"), ["chat", "ocr"]);
    assert.equal(parseServiceList("all"), undefined);
    for (const bad of ["", "ocr,", "OCR", "all,ocr"]) refused(() => parseServiceList(bad));
  });
});

describe("a password typed into a URL", () => {
  it("is not repeated by the error that refuses it", () => {
    for (const url of ["http://user:pa@SECRET@host", "http://user:pa/SECRET@host", "http:user:SECRET@host"]) {
      for (const parse of [parseUpstreamUrl, (value: string): string => parseSetting("public-url", value)]) {
        assert.throws(
          () => parse(url),
          (error) => error instanceof AigwError && !error.message.includes("SECRET"),
        );
      }
    }
  });
});
