import assert from "node:assert/strict";
import { test } from "node:test";
import { isAigwError, parseTrustProxy, trustedNetworks } from "@aigw/core";

test("which proxies are trusted: addresses, networks and words, in their canonical form", () => {
  for (const [value, stored] of [
    ["off", "off"],
    ["127.0.0.1", "127.0.0.1"],
    [" 10.0.0.7 ,10.0.0.0/8  loopback,private ", "10.0.0.7,10.0.0.0/8,loopback,private"],
    ["10.1.2.3/8", "10.1.2.3/8"],
    ["10.0.0.1/32", "10.0.0.1"],
    ["::1", "::1"],
    ["2001:DB8:0:0::1/128", "2001:db8::1"],
    ["FC00::/7", "fc00::/7"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.0/104", "10.0.0.0/8"],
  ] as const) {
    assert.equal(parseTrustProxy(value), stored, value);
    assert.equal(parseTrustProxy(stored), stored, "what is stored can be set again");
  }
  assert.deepEqual(trustedNetworks("off"), []);
  assert.deepEqual(trustedNetworks("loopback,2001:db8::/48,10.0.0.7"), [
    { address: "127.0.0.0", prefix: 8, family: "ipv4" },
    { address: "::1", prefix: 128, family: "ipv6" },
    { address: "2001:db8::", prefix: 48, family: "ipv6" },
    { address: "10.0.0.7", prefix: 32, family: "ipv4" },
  ]);
});

test("a value that is none is named", () => {
  for (const [value, part] of [
    ["", ""],
    ["127.0.0.1,nginx", "nginx"],
    ["127.0.0.1,", ""],
    ["off,127.0.0.1", "off"],
    ["Loopback", "Loopback"],
    ["constructor", "constructor"],
    ["10.0.0", "10.0.0"],
    ["10.0.0.256", "10.0.0.256"],
    ["010.0.0.1", "010.0.0.1"],
    ["10.0.0.1.", "10.0.0.1."],
    ["10.0.0.0/33", "10.0.0.0/33"],
    ["10.0.0.0/-1", "10.0.0.0/-1"],
    ["10.0.0.0/", "10.0.0.0/"],
    ["10.0.0.1:80", "10.0.0.1:80"],
    ["[::1]", "[::1]"],
    ["::1%lo", "::1%lo"],
    ["2001:db8::/129", "2001:db8::/129"],
    ["2001:db8::g", "2001:db8::g"],
    ["1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:9"],
    ["::ffff:10.0.0.0/8", "::ffff:10.0.0.0/8"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["::/0", "::/0"],
    ["::ffff:0:0/96", "::ffff:0:0/96"],
  ] as const) {
    assert.throws(
      () => parseTrustProxy(value),
      (error) =>
        isAigwError(error, "invalid_value") && error.message.startsWith(`trust-proxy '${part}' is not valid: `),
      value,
    );
  }
});
