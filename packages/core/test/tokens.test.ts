import assert from "node:assert/strict";
import { createHmac, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import type { Client } from "@aigw/core";
import { issueToken, realmOf, TokenMemory, type VerifyingKey, verifyToken } from "@aigw/core/tokens";
import fc from "fast-check";

const NOW = Date.UTC(2026, 10, 22, 12);
const realm = realmOf("store-1");
const key: VerifyingKey = { kid: "k_1", alg: "HS256", secret: randomBytes(32) };
const keyFor = (kid: string): VerifyingKey | undefined => (kid === key.kid ? key : undefined);
const client: Client = {
  id: "c_1",
  name: "john",
  passwordHash: "",
  status: "active",
  epoch: 3,
  createdAt: 0,
  passwordChangedAt: 0,
};

const iat = NOW / 1000;
const goodHeader = { alg: "HS256", typ: "at+jwt", kid: "k_1" };
const goodPayload = {
  iss: realm.issuer,
  aud: realm.audience,
  sub: "c_1",
  client_id: "john",
  epoch: 3,
  iat,
  exp: iat + 3600,
  jti: "j",
};
const encode = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const sign = (header: unknown, payload: unknown, secret: Uint8Array = key.secret, hash = "sha256"): string => {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest("base64url")}`;
};
const verdict = (token: string): Promise<unknown> => verifyToken(token, keyFor, realm);

describe("token", () => {
  it("issued is verified, with the claims that were put in and nothing secret", async () => {
    const { token, expiresAt } = await issueToken({ ...client, email: "john@example.com", limit: 5 }, key, realm, NOW);
    const claims = await verifyToken(token, keyFor, realm);
    assert.deepEqual(claims, { kid: "k_1", clientId: "c_1", epoch: 3, expiresAt, trial: false });
    assert.equal(expiresAt, iat + 3600);
    const payload: Record<string, unknown> = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    assert.deepEqual(Object.keys(payload).sort(), ["aud", "client_id", "epoch", "exp", "iat", "iss", "jti", "sub"]);
  });

  it("of a trial says so, and nothing but true does", async () => {
    const { token } = await issueToken(client, key, realm, NOW, true);
    assert.equal((await verifyToken(token, keyFor, realm))?.trial, true);
    for (const trial of ["true", 1, {}, null]) {
      assert.equal((await verifyToken(sign(goodHeader, { ...goodPayload, trial }), keyFor, realm))?.trial, false);
    }
  });

  it("accepts the hand-made good one that every forgery below is a variation of", async () => {
    assert.notEqual(await verdict(sign(goodHeader, goodPayload)), undefined);
  });

  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rsa = (): string => {
    const input = `${encode({ ...goodHeader, alg: "RS256" })}.${encode(goodPayload)}`;
    return `${input}.${createSign("sha256").update(input).sign(privateKey).toString("base64url")}`;
  };
  const good = sign(goodHeader, goodPayload);
  const [h = "", p = "", s = ""] = good.split(".");
  const lastChanged = (): string => {
    // 256 bits leave two unused ones in the last character: another spelling of the same signature.
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return `${h}.${p}.${s.slice(0, -1)}${alphabet[alphabet.indexOf(s.at(-1) ?? "A") | 1]}`;
  };
  const forged: Record<string, string> = {
    "alg none, no signature": `${encode({ ...goodHeader, alg: "none" })}.${encode(goodPayload)}.`,
    "alg None": sign({ ...goodHeader, alg: "None" }, goodPayload),
    "alg HS512 with the right secret": sign({ ...goodHeader, alg: "HS512" }, goodPayload, key.secret, "sha512"),
    "alg RS256": rsa(),
    "alg missing": sign({ typ: "at+jwt", kid: "k_1" }, goodPayload),
    "another key": sign(goodHeader, goodPayload, randomBytes(32)),
    "an empty key": sign(goodHeader, goodPayload, new Uint8Array(0)),
    "unknown kid": sign({ ...goodHeader, kid: "k_2" }, goodPayload),
    "kid as a path": sign({ ...goodHeader, kid: "../../dev/null" }, goodPayload, new Uint8Array(0)),
    "kid as SQL": sign({ ...goodHeader, kid: "' OR 1=1 --" }, goodPayload),
    "kid __proto__": sign({ ...goodHeader, kid: "__proto__" }, goodPayload),
    "kid a number": sign({ ...goodHeader, kid: 1 }, goodPayload),
    "kid missing": sign({ alg: "HS256", typ: "at+jwt" }, goodPayload),
    "typ JWT": sign({ ...goodHeader, typ: "JWT" }, goodPayload),
    "typ missing": sign({ alg: "HS256", kid: "k_1" }, goodPayload),
    crit: sign({ ...goodHeader, crit: ["exp"] }, goodPayload),
    "b64 false": sign({ ...goodHeader, b64: false, crit: ["b64"] }, goodPayload),
    jku: sign({ ...goodHeader, jku: "https://evil.example/keys" }, goodPayload),
    jwk: sign({ ...goodHeader, jwk: { kty: "oct", k: "AAAA" } }, goodPayload),
    x5u: sign({ ...goodHeader, x5u: "https://evil.example/cert" }, goodPayload),
    "a leading space": ` ${good}`,
    "a trailing newline": `${good}\n`,
    "a space in the middle": `${h}. ${p}.${s}`,
    padding: `${h}.${p}.${s}=`,
    "base64 instead of base64url": `${h}.${p}.${s.replaceAll("-", "+").replaceAll("_", "/")}+`,
    "a non-canonical last character": lastChanged(),
    "two parts": `${h}.${p}`,
    "four parts": `${good}.${s}`,
    "five parts (JWE)": `${h}.${p}.${s}.${s}.${s}`,
    "empty parts": "..",
    empty: "",
    "too long": sign(goodHeader, { ...goodPayload, jti: "j".repeat(4096) }),
    "header not JSON": sign("nope", goodPayload),
    "header an array": sign([goodHeader], goodPayload),
    "payload not JSON": sign(goodHeader, "nope"),
    "payload null": sign(goodHeader, null),
    "payload not UTF-8": (() => {
      const input = `${encode(goodHeader)}.${Buffer.from([0xff, 0xfe]).toString("base64url")}`;
      return `${input}.${createHmac("sha256", key.secret).update(input).digest("base64url")}`;
    })(),
    "other issuer": sign(goodHeader, { ...goodPayload, iss: "urn:aigw:other" }),
    "other audience": sign(goodHeader, { ...goodPayload, aud: "urn:aigw:other:api" }),
    "audience list": sign(goodHeader, { ...goodPayload, aud: [realm.audience] }),
    "exp missing": sign(goodHeader, { ...goodPayload, exp: undefined }),
    "exp a string": sign(goodHeader, { ...goodPayload, exp: String(iat + 60) }),
    "exp infinite": sign(goodHeader, `${JSON.stringify(goodPayload).slice(0, -1)},"exp":1e999}`),
    "exp before iat": sign(goodHeader, { ...goodPayload, exp: iat - 1 }),
    "a lifetime over the limit": sign(goodHeader, { ...goodPayload, exp: iat + 3600 + 61 }),
    "iat missing": sign(goodHeader, { ...goodPayload, iat: undefined }),
    "iat negative": sign(goodHeader, { ...goodPayload, iat: -1, exp: 1 }),
    "epoch missing": sign(goodHeader, { ...goodPayload, epoch: undefined }),
    "epoch a fraction": sign(goodHeader, { ...goodPayload, epoch: 3.5 }),
    "sub missing": sign(goodHeader, { ...goodPayload, sub: undefined }),
    "sub an object": sign(goodHeader, { ...goodPayload, sub: { toString: "c_1" } }),
  };
  for (const [name, token] of Object.entries(forged)) {
    it(`forged is refused: ${name}`, async () => assert.equal(await verdict(token), undefined));
  }

  it("with any one character changed, added or taken away is refused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.constantFrom("change", "add", "drop"),
        fc.string({ minLength: 1, maxLength: 1, unit: "binary-ascii" }),
        async (index, how, char) => {
          const changed =
            good.slice(0, index) + (how === "drop" ? "" : char) + good.slice(how === "add" ? index : index + 1);
          fc.pre(changed !== good);
          assert.equal(await verdict(changed), undefined);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("of any text is refused without an error", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ maxLength: 200 }),
          fc.array(fc.string()).map((parts) => parts.join(".")),
        ),
        async (text) => {
          assert.equal(await verdict(text), undefined);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

describe("token memory", () => {
  const claims = (kid: string): Parameters<TokenMemory["set"]>[1] => ({
    kid,
    clientId: "c",
    epoch: 1,
    expiresAt: 1,
    trial: false,
  });

  it("is bounded, and keeps what is in use", () => {
    const memory = new TokenMemory(100);
    memory.set("used", claims("k"));
    for (let i = 0; i < 10_000; i += 1) {
      memory.set(`t${i}`, claims("k"));
      assert.notEqual(memory.get("used"), undefined);
    }
    const held = Array.from({ length: 10_000 }, (_, i) => memory.get(`t${i}`)).filter((found) => found !== undefined);
    assert.ok(held.length <= 200, `${held.length} are held`);
  });

  it("drops by claims", () => {
    const memory = new TokenMemory();
    memory.set("a", claims("k_1"));
    memory.set("b", claims("k_2"));
    memory.dropWhere(({ kid }) => kid === "k_1");
    assert.equal(memory.get("a"), undefined);
    assert.notEqual(memory.get("b"), undefined);
  });
});
