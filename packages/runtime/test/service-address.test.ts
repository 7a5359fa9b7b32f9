import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServiceAddress } from "../src/proxy/service-address.ts";

interface Setting {
  readonly origin?: string;
  readonly basePath?: string;
  /** What follows `/api/ocr` in the request. */
  readonly rest?: string;
  readonly scheme?: "http" | "https";
  readonly host?: string;
}

/** The value as clients get it; a service `ocr` behind http://gw.example:8080 unless said otherwise. */
const rewritten = (name: string, value: string, setting: Setting = {}): string => {
  const { origin = "http://ocr.internal:9000", basePath = "", rest = "/jobs" } = setting;
  const { scheme = "http", host = "gw.example:8080" } = setting;
  const upstream = { origin, basePath, prefix: "/api/ocr", headers: [], timeoutMs: 1, idleTimeoutMs: 1 };
  return new ServiceAddress(upstream).rewrite(name, value, { rest, scheme, host });
};

const BASED: Setting = { basePath: "/v1" };
const HTTPS: Setting = { scheme: "https", host: "gw.example" };
const PORT_80: Setting = { origin: "http://ocr.internal" };

/** What the upstream says, what the client gets, and where. */
type Case = readonly [said: string, expected: string, setting?: Setting];

const CHANGED: readonly Case[] = [
  // The upstream's own origin.
  ["http://ocr.internal:9000/jobs/7", "/api/ocr/jobs/7"],
  ["http://ocr.internal:9000/jobs/7?a=http://ocr.internal:9000/#b", "/api/ocr/jobs/7?a=http://ocr.internal:9000/#b"],
  ["http://ocr.internal:9000/", "/api/ocr/"],
  ["http://ocr.internal:9000", "/api/ocr/"],
  ["http://ocr.internal:9000?a=b", "/api/ocr/?a=b"],
  ["HTTP://OCR.Internal:9000/Jobs", "/api/ocr/Jobs"],
  ["http://user:p%40ss@ocr.internal:9000/x", "/api/ocr/x"],
  ["//ocr.internal:9000/x", "/api/ocr/x"],
  ["http://ocr.internal:9000//evil.example/x", "/api/ocr//evil.example/x"],
  ["http://[::1]:9000/x", "/api/ocr/x", { origin: "http://[::1]:9000" }],
  ["http://[0:0::1]:9000/x", "/api/ocr/x", { origin: "http://[::1]:9000" }],
  ["http://ocr.internal/x", "/api/ocr/x", PORT_80],
  ["http://ocr.internal:80/x", "/api/ocr/x", PORT_80],
  ["https://ocr.internal:443/x", "/api/ocr/x", { origin: "https://ocr.internal" }],
  ["http://ocr.internal:9000/r\xc3\xa9sum\xe9?\xff", "/api/ocr/r\xc3\xa9sum\xe9?\xff"],
  // The host that it was asked under, with the scheme that X-Forwarded-Proto told it: Uvicorn's default.
  ["https://ocr.internal:9000/x", "/api/ocr/x", HTTPS],
  ["https://ocr.internal/x", "/api/ocr/x", { ...PORT_80, ...HTTPS }],
  // The gateway's own host, from X-Forwarded-Host.
  ["http://gw.example:8080/jobs/7", "/api/ocr/jobs/7"],
  ["http://GW.example:8080/jobs/7", "/api/ocr/jobs/7"],
  ["https://gw.example/jobs/7", "/api/ocr/jobs/7", HTTPS],
  ["http://gw.example/jobs/7", "/api/ocr/jobs/7", HTTPS],
  ["http://gw.example/jobs/7", "/api/ocr/jobs/7", { host: "gw.example:80" }],
  // A path.
  ["/jobs/7?x#y", "/api/ocr/jobs/7?x#y"],
  ["/", "/api/ocr/"],
  ["/api/ocrx/7", "/api/ocr/api/ocrx/7"],
  ["/api", "/api/ocr/api"],
  ["/\\evil.example", "/api/ocr/\\evil.example"],
  // A base path.
  ["/v1/jobs/7", "/api/ocr/jobs/7", BASED],
  ["/v1", "/api/ocr", BASED],
  ["/v1?x", "/api/ocr?x", BASED],
  ["http://ocr.internal:9000/v1/jobs/7", "/api/ocr/jobs/7", BASED],
  ["http://gw.example:8080/v1/jobs/7", "/api/ocr/jobs/7", BASED],
  // Beside the base path there is nothing of this service; but the upstream is not named.
  ["http://ocr.internal:9000/v10/x", "/v10/x", BASED],
  ["http://ocr.internal:9000//evil.example/x", "/.//evil.example/x", BASED],
  ["http://ocr.internal:9000/\\evil.example/x", "/./\\evil.example/x", BASED],
  ["http://ocr.internal:9000\\@evil.example/x", "/./\\@evil.example/x", BASED],
  // X-Forwarded-Prefix honoured.
  ["http://ocr.internal:9000/api/ocr/jobs/7", "/api/ocr/jobs/7"],
  ["http://gw.example:8080/api/ocr/jobs/7", "/api/ocr/jobs/7"],
  ["/api/ocr/v1/jobs/7", "/api/ocr/jobs/7", BASED],
  // Not honoured: the application has such paths itself.
  ["/api/ocr/jobs/7", "/api/ocr/api/ocr/jobs/7", { rest: "/api/ocr/jobs" }],
  ["/api/ocr/jobs/7", "/api/ocr/jobs/7", { basePath: "/api/ocr" }],
  ["/api/ocr/api/ocr/jobs/7", "/api/ocr/jobs/7", { basePath: "/api/ocr" }],
  // Relative to `/`, which is `/api/ocr` here: it would land beside the service.
  ["jobs/7", "/api/ocr/jobs/7", { rest: "" }],
  ["./../jobs/7", "/api/ocr/jobs/7", { rest: "?x" }],
  [".", "/api/ocr/", { rest: "" }],
];

const KEPT: readonly Case[] = [
  ["../jobs/7"],
  ["jobs/7"],
  ["?page=2"],
  ["?page=2", { rest: "" }],
  ["#part"],
  [""],
  ["jobs/7", { rest: "", basePath: "/v1" }],
  ["mailto:help@example.com", { rest: "" }],
  ["/api/ocr/jobs/7"],
  ["/api/ocr"],
  ["/api/ocr/api/ocr/jobs/7", { rest: "/api/ocr/jobs" }],
  ["/jobs/7", BASED],
  ["/v10/jobs", BASED],
  ["http://gw.example:8080/jobs/7", BASED],
  ["http://ocr.internal:9001/x"],
  ["http://ocr.internal/x"],
  ["https://ocr.internal:9000/x"],
  ["https://ocr.internal/x", PORT_80],
  ["ftp://ocr.internal:9000/x"],
  ["http://other.internal:9000/x"],
  ["http://ocr.internal.example:9000/x"],
  ["http://ocr.internal:9000@evil.example/x"],
  ["//other.internal/x"],
  ["///ocr.internal:9000/x"],
  ["http:///x"],
  ["http://ocr.internal:99999/x"],
  ["http://r\xc3\xa9.example/x"],
].map(([said, setting]) => [said, said, setting] as unknown as Case);

describe("Location and Content-Location", () => {
  for (const [said, expected, setting] of [...CHANGED, ...KEPT]) {
    const where = setting === undefined ? "" : ` (${JSON.stringify(setting)})`;
    test(`${said}${where} ${said === expected ? "stays" : `becomes ${expected}`}`, () => {
      assert.equal(rewritten("location", said, setting), expected);
      assert.equal(rewritten("content-location", said, setting), expected);
    });
  }
});

describe("Refresh", () => {
  for (const [said, expected] of [
    ["5; url=http://ocr.internal:9000/x", "5; url=/api/ocr/x"],
    ["5;URL='http://ocr.internal:9000/x'", "5;URL='/api/ocr/x'"],
    ['0;url = "/x"; more', '0;url = "/api/ocr/x"; more'],
    ["1.5, /x?url=/y", "1.5, /api/ocr/x?url=/y"],
    ["0 url=/x", "0 url=/api/ocr/x"],
    ["5;http://ocr.internal:9000/x", "5;/api/ocr/x"],
    ["5", "5"],
    ["5; url=", "5; url="],
    ["5; url=https://example.com/", "5; url=https://example.com/"],
    ["http://ocr.internal:9000/x", "http://ocr.internal:9000/x"],
  ] as const) {
    test(`${said} becomes ${expected}`, () => assert.equal(rewritten("refresh", said), expected));
  }
});

describe("Set-Cookie", () => {
  for (const [said, expected, setting] of [
    ["a=b; Domain=ocr.internal; Path=/; HttpOnly", "a=b; Path=/api/ocr; HttpOnly"],
    ["a=b;domain=.OCR.internal", "a=b"],
    ["a=b; Domain=internal; Path=/jobs", "a=b; Domain=internal; Path=/api/ocr/jobs"],
    ["a=b; Domain=gw.example", "a=b; Domain=gw.example"],
    ["a=b; Domain = ocr.internal ; Path = /jobs ; Secure", "a=b; Path = /api/ocr/jobs; Secure"],
    ["a=b; Path=/api/ocr", "a=b; Path=/api/ocr"],
    ["a=b; Path=/api/ocr/", "a=b; Path=/api/ocr"],
    ["a=b", "a=b"],
    ["a=b; Path=", "a=b; Path="],
    ["a=b; Path=jobs", "a=b; Path=jobs"],
    ["path=/x; Secure", "path=/x; Secure"],
    [";Path=/x", ";Path=/api/ocr/x"],
    [
      "a=\xc3\xa9; Expires=Wed, 25 Nov 2026 10:00:00 GMT; PATH=/x",
      "a=\xc3\xa9; Expires=Wed, 25 Nov 2026 10:00:00 GMT; PATH=/api/ocr/x",
    ],
    ["__Host-a=b; Path=/; Secure", "__Host-a=b; Path=/; Secure"],
    ["a=b; Path=/v1", "a=b; Path=/api/ocr", BASED],
    ["a=b; Path=/v1/", "a=b; Path=/api/ocr", BASED],
    ["a=b; Path=/v1/jobs", "a=b; Path=/api/ocr/jobs", BASED],
    ["a=b; Path=/", "a=b; Path=/api/ocr", BASED],
    ["a=b; Path=/v2", "a=b; Path=/v2", BASED],
    ["a=b; Path=/team/", "a=b; Path=/api/ocr", { basePath: "/team/v1" }],
  ] as const satisfies readonly Case[]) {
    test(`${said}${setting === undefined ? "" : ` (${setting.basePath})`} becomes ${expected}`, () => {
      assert.equal(rewritten("set-cookie", said, setting), expected);
    });
  }
});

test("no value costs more than reading it", () => {
  const blanks = " ".repeat(100_000);
  const started = performance.now();
  for (const value of [`a=b; Path=${blanks}x`, `a=b; Domain=x${blanks}x`, `5${blanks}x`, `5; url${blanks}x`]) {
    rewritten("set-cookie", value);
    rewritten("refresh", value);
    rewritten("location", value);
  }
  assert.ok(performance.now() - started < 2_000, "a quadratic pattern takes 10 s for each");
});
