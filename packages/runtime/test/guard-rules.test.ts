import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isAuthority } from "../src/guard/authority.ts";
import { pathProblem } from "../src/guard/path-problem.ts";

describe("pathProblem", () => {
  for (const path of [
    "/api/ocr",
    "/api/ocr/",
    "/api/ocr/a.b/..c/...",
    "/api/ocr/.well-known/x",
    "/api/ocr/a%20b%C3%A4",
    "/api/ocr/%252e%252e/x",
    "/api/ocr/a;b=c",
    "/api/ocr/a,b'(c)!*@:$&+=~|{}\"<>^`[]",
    "/api/ocr/%2e%2e%2e",
    "/api/ocr/a%2eb",
  ]) {
    test(`lets ${path} through`, () => assert.equal(pathProblem(path), undefined));
  }

  for (const path of [
    "//api/ocr",
    "/api//ocr",
    "/api/ocr//",
    "/api/ocr/.",
    "/api/ocr/..",
    "/api/ocr/./x",
    "/api/ocr/../x",
    "/api/../ocr",
    "/api/ocr/%2e",
    "/api/ocr/%2E%2e/x",
    "/api/ocr/.%2e/x",
    "/api/ocr/%2e./x",
    "/api/ocr/a%2fb",
    "/api/ocr/a%2Fb",
    "/api/ocr/a%5cb",
    "/api/ocr/a%5Cb",
    "/api/ocr/a\\b",
    "/api/ocr/..\\x",
    "/api/ocr/%",
    "/api/ocr/%2",
    "/api/ocr/%zz",
    "/api/ocr/%u0041",
    "/api/ocr/a b",
    "/api/ocr/\0",
    "/api/ocr/\x7f",
    "/api/ocr/\xe4",
    "/api/ocr/\xff",
    "/api/ocr/\u2028",
    "/api/ocr/..;/x",
    "/api/ocr/.;a=b/x",
    "/api/ocr/%2e%2e;/x",
    "/api/ocr/a#b",
  ]) {
    test(`refuses ${JSON.stringify(path)}`, () => assert.equal(typeof pathProblem(path), "string"));
  }
});

describe("isAuthority", () => {
  for (const host of [
    "a",
    "a.example",
    "A-b_c.example.",
    "a:80",
    "a:0",
    "127.0.0.1:8080",
    "[::1]",
    "[2001:db8::1]:443",
    "[::ffff:1.2.3.4]",
  ]) {
    test(`takes ${host}`, () => {
      assert.ok(isAuthority(host));
      assert.ok(isAuthority(host), "again, remembered");
    });
  }

  for (const host of [
    "",
    ":",
    ":80",
    "a:",
    "a:80:90",
    "a:65536",
    "a:x",
    "a b",
    "a/b",
    "a?b",
    "a#b",
    "a@b",
    "a,b",
    "a\\b",
    "a%2fb",
    "[",
    "[]",
    "[::1",
    "::1",
    "[::1]x",
    "[v1.x]",
    "[1.2.3.4]",
    "999.1.1.1",
    "1.2.3.4.5",
    "a\0",
    "\xe4",
    "a\t",
    `${"a".repeat(300)}`,
  ]) {
    test(`refuses ${JSON.stringify(host)}`, () => assert.ok(!isAuthority(host)));
  }

  test("refuses on, however many valid ones were seen", () => {
    for (let i = 0; i < 2_000; i++) assert.ok(isAuthority(`h${i}.example`));
    assert.ok(!isAuthority("a b"));
  });
});
