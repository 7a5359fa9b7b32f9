import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { saidByForwarded, saidByXForwarded } from "../src/peer/forwarded.ts";

const PEER = "10.0.0.1";
const isTrusted = (address: string): boolean => address.startsWith("10.");

/** What these fields are made of, in any order. */
const pieces = [...' \t,;="\\[]:.%_-0123456789abf', "for=", 'for="', "For", "proto=https", "host=a", "10.0.0.2", "::1"];
const written = fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map((parts) => parts.join(""));

test("whatever a client writes into the fields, the proxy behind it has the last word", () => {
  fc.assert(
    fc.property(written, (spoof) => {
      const list = saidByXForwarded({ "x-forwarded-for": `${spoof}, 203.0.113.7` }, PEER, isTrusted);
      assert.equal(list.address, "203.0.113.7");
      for (const own of ["for=203.0.113.7", 'for="203.0.113.7:4711";by="[::1]"', 'by=_x;for="203.0.113.7"']) {
        const { address } = saidByForwarded({ forwarded: `${spoof}, ${own}` }, PEER, isTrusted);
        assert.ok(address === "203.0.113.7" || address === PEER, `${spoof}, ${own}: ${address}`);
      }
    }),
    { numRuns: 5_000 },
  );
});

test("whatever is in the fields, an address is one, a scheme is one, and nothing throws", () => {
  fc.assert(
    fc.property(fc.oneof(written, fc.string()), (text) => {
      const headers = { "x-forwarded-for": text, "x-forwarded-proto": text, "x-forwarded-host": text, forwarded: text };
      for (const said of [saidByXForwarded(headers, PEER, isTrusted), saidByForwarded(headers, PEER, isTrusted)]) {
        assert.ok(said.address === undefined || isIP(said.address) !== 0, said.address);
        assert.ok([undefined, "http", "https"].includes(said.scheme));
        assert.ok(said.host === undefined || URL.canParse(`http://${said.host}/`));
      }
    }),
    { numRuns: 2_000 },
  );
});
