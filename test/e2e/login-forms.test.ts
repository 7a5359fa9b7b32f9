import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { addClient, type Client, MAX_PASSWORD_LENGTH, revokeClient } from "@aigw/core";
import { hash } from "@node-rs/argon2";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { type Answer, login, send } from "../support/http.ts";
import { until } from "../support/until.ts";

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";

interface Request {
  readonly body?: string | Buffer;
  readonly type?: string;
  /** What stands behind `Basic `, before base64. */
  readonly basic?: string | Buffer;
  readonly authorization?: string;
}

const base64 = (text: string | Buffer): string => Buffer.from(text as string).toString("base64");

const post = (url: string, { body = "", type = FORM, basic, authorization }: Request): Promise<Answer> => {
  const field = authorization ?? (basic === undefined ? undefined : `Basic ${base64(basic)}`);
  return send(`${url}/auth/token`, {
    method: "POST",
    headers: { ...(body !== "" && { "Content-Type": type }), ...(field !== undefined && { Authorization: field }) },
    body,
  });
};

const errorOf = (answer: Answer): string => (JSON.parse(answer.body) as { error: string }).error;

/** Form-encodes as RFC 6749 appendix B says. */
const encoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);

/** Each is another when it is form-decoded once too often, or not valid form encoding at all. */
const PLAIN = "Grape%41+Melon:7 & red";
const NOT_ENCODING = "100%-Grapes+Melon";
const COMPOSED = "Zwölf-Gläser%41+rote:7";
const DECOMPOSED = COMPOSED.normalize("NFD");

describe("POST /auth/token, as clients in use send it", () => {
  const cleanups: (() => unknown)[] = [];
  let gateway: TestGateway;
  before(async () => {
    gateway = await startTestGateway({ after: (work: () => unknown) => void cleanups.unshift(work) });
    const add = (name: string, password: string): Promise<unknown> => addClient(gateway.deps, { name, password });
    await Promise.all([add("john", PLAIN), add("mary", NOT_ENCODING), add("zoe", COMPOSED)]);
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  /** A client whose password was set by an earlier aigw. */
  const addAsBefore = async (name: string, password: string): Promise<Client> => {
    const { deps, store } = gateway;
    const { result } = await addClient(deps, { name });
    const passwordHash = await hash(password, { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 });
    const after = { ...result.client, passwordHash };
    const draft = { action: "client.set", subject: name, after } as const;
    await store.control.append(await store.control.head(), [draft], { at: deps.clock.now(), actor: "test" });
    return after;
  };

  const user = `username=john&password=${encoded(PLAIN)}`;
  const client = `client_id=john&client_secret=${encoded(PLAIN)}`;
  const json = (members: object): Request => ({ body: JSON.stringify(members), type: JSON_TYPE });

  const accepted: Readonly<Record<string, Request>> = {
    "FastAPI's page, nothing else filled in": {
      body: `grant_type=&${user}&scope=&client_id=&client_secret=`,
    },
    "FastAPI's page, a made-up client": { body: `grant_type=password&${user}&scope=&client_id=string&client_secret=` },
    "FastAPI's page as it is filled in": {
      body: `grant_type=password&${user}&scope=&client_id=string&client_secret=********`,
    },
    "an older FastAPI's page": { body: `grant_type=password&${user}&scope=&client_id=string&client_secret=string` },
    "Swagger UI, password, no client": { body: `grant_type=password&${user}`, basic: ":" },
    "Swagger UI, password, a client without a secret": { body: `grant_type=password&${user}`, basic: "docs:" },
    "Swagger UI, password, a client in the body": { body: `grant_type=password&${user}&client_id=docs` },
    "Swagger UI, client credentials": { body: "grant_type=client_credentials", basic: `john:${PLAIN}` },
    "requests-oauthlib, password": { body: `grant_type=password&${user}`, basic: "any:" },
    "requests-oauthlib, Basic with its client_id in the body too": {
      body: "grant_type=client_credentials&client_id=john",
      basic: `john:${PLAIN}`,
    },
    "oauthlib, password": { body: `grant_type=password&client_id=any&${user}&scope=a+b` },
    "Authlib, password": { body: `grant_type=password&${user}&client_id=None`, type: `${FORM};charset=UTF-8` },
    "Authlib, password, client_secret_post": { body: `grant_type=password&${user}&client_id=any&client_secret=` },
    "Authlib, client credentials": { body: "grant_type=client_credentials", basic: `john:${PLAIN}` },
    "simple-oauth2, JSON": json({ grant_type: "password", username: "john", password: PLAIN, client_id: "any" }),
    "Go's oauth2, in the header": { body: `grant_type=password&${user}`, basic: ":" },
    "Go's oauth2, clientcredentials": {
      body: "grant_type=client_credentials&scope=a",
      basic: `john:${encoded(PLAIN)}`,
    },
    "Go's oauth2, in the body": { body: `${client}&grant_type=client_credentials` },
    "openid-client with resources": { body: `${client}&resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb` },
    "every other parameter empty, twice": { body: `${user}&username=&password=&client_id=&client_id=&x=&x=` },
    "curl -u, no body": { basic: `john:${PLAIN}` },
    "curl -u, a type but no body": { basic: `john:${PLAIN}`, type: "text/plain" },
    "an empty Basic pair beside the other pair of the body": { body: client, basic: ":" },
    "a Basic field in another case, with more blanks": { authorization: `BASIC   ${base64(`john:${PLAIN}`)}` },
    "members that are null, and others of any type": json({
      ...{ username: "john", password: PLAIN, grant_type: null, client_id: null, client_secret: null },
      ...{ scope: ["a", "b"], audience: { a: [1, { username: "x", b: '}\\"' }] }, expires_in: 60 },
    }),
    "a body with a byte-order mark": { body: Buffer.from(`\ufeff${user}`) },
    "JSON with a byte-order mark": {
      body: Buffer.from(`\ufeff${JSON.stringify({ username: "john", password: PLAIN })}`),
      type: JSON_TYPE,
    },
  };

  for (const [name, request] of Object.entries(accepted)) {
    it(`gives a token: ${name}`, async () => {
      const answer = await post(gateway.url, request);
      assert.equal(answer.status, 200, answer.body);
      const claims = Buffer.from(JSON.parse(answer.body).access_token.split(".")[1], "base64url").toString();
      assert.equal(JSON.parse(claims).client_id, "john");
    });
  }

  const refused: Readonly<Record<string, Request>> = {
    "two whole pairs in the body": { body: `${user}&${client}` },
    "a whole pair in the body and one by Basic": { body: user, basic: `john:${PLAIN}` },
    "the other pair in the body and one by Basic": { body: client, basic: `john:${PLAIN}` },
    "a client_id and nothing else": { body: "client_id=john" },
    "a client without a secret by Basic and nothing else": { basic: "john:" },
    "an empty Basic pair and nothing else": { basic: ":" },
    "only empty parameters": { body: "username=&password=&client_id=&client_secret=" },
    "a client_secret beside a whole pair": { body: `${user}&client_secret=x` },
    "a username beside a whole pair": { body: `${client}&username=john` },
    "a password beside Basic": { body: "password=x", basic: `john:${PLAIN}` },
    "a Basic password without a username beside a whole pair": { body: user, basic: ":secret" },
    "a broken Basic field beside a whole pair": { body: user, authorization: "Basic !" },
    "FastAPI's page without anything of one's own": {
      body: "grant_type=password&username=&password=&scope=&client_id=string&client_secret=********",
    },
    "a repeated parameter": { body: `${user}&username=john` },
    "a repeated client_id of no meaning": { body: `${user}&client_id=a&client_id=b` },
    "a repeated JSON member": { body: `{"username":"x","password":"y","username" : "john"}`, type: JSON_TYPE },
    "a repeated JSON member in another spelling": {
      body: String.raw`{"username":"x","password":"y","user\u006eame":"john"}`,
      type: JSON_TYPE,
    },
    "a JSON client_id that is a number": json({ username: "john", password: PLAIN, client_id: 1 }),
  };

  for (const [name, request] of Object.entries(refused)) {
    it(`is malformed: ${name}`, async () => {
      const answer = await post(gateway.url, request);
      assert.equal(answer.status, 400, answer.body);
      assert.equal(errorOf(answer), "invalid_request");
      assert.ok(!answer.body.includes(PLAIN));
    });
  }

  it("challenges only where Basic held the credentials", async () => {
    const wrong = { body: "username=nobody&password=Wrong-one-77" };
    assert.equal((await post(gateway.url, { ...wrong, basic: ":" })).headers["www-authenticate"], undefined);
    assert.equal((await post(gateway.url, { ...wrong, basic: "any:" })).headers["www-authenticate"], undefined);
    const byBasic = await post(gateway.url, { basic: "nobody:Wrong-one-77", body: "client_id=x" });
    assert.equal(byBasic.status, 401);
    assert.match(byBasic.headers["www-authenticate"] ?? "", /^Basic realm="aigw"/);
  });

  it("takes a password by Basic form-encoded, as it is, in UTF-8 and in ISO-8859-1", async () => {
    const passwords = { john: PLAIN, mary: NOT_ENCODING, zoe: COMPOSED };
    for (const [name, password] of Object.entries(passwords)) {
      for (const [how, basic] of Object.entries({
        encoded: `${name}:${encoded(password)}`,
        "encoded, name too": `${name.replace("o", "%6F")}:${encodeURIComponent(password)}`,
        "as it is": `${name}:${password}`,
        "ISO-8859-1": Buffer.from(`${name}:${password}`, "latin1"),
      })) {
        const { status, body } = await post(gateway.url, { basic });
        assert.equal(status, 200, `${name}, ${how}: ${body}`);
      }
    }
    const once = await post(gateway.url, { basic: `john:${encoded(encoded(PLAIN))}` });
    assert.equal(once.status, 401, "decoded once, not twice");
    assert.equal((await login(gateway.url, "mary", encoded(NOT_ENCODING))).status, 401, "a form's value is decoded");
  });

  it("compares passwords after NFC, in whatever form they come", async () => {
    assert.notEqual(COMPOSED, DECOMPOSED);
    for (const password of [COMPOSED, DECOMPOSED]) {
      for (const request of [
        { body: `username=zoe&password=${encoded(password)}` },
        { basic: `zoe:${encoded(password)}` },
        { basic: `zoe:${password}` },
        json({ client_id: "zoe", client_secret: password }),
      ]) {
        assert.equal((await post(gateway.url, request)).status, 200);
      }
    }
    const other = COMPOSED.replace("ö", "o");
    assert.equal((await login(gateway.url, "zoe", other)).status, 401, "a letter without its mark is another");
  });

  it("goes on taking a password that was hashed before NFC was made, and stores it anew", async () => {
    const { store, url } = gateway;
    const stored = async (): Promise<Client | undefined> => store.control.client("old");
    const { passwordHash, epoch } = await addAsBefore("old", DECOMPOSED);
    assert.equal((await login(url, "old", DECOMPOSED)).status, 200);
    await until("the hash of its NFC", async () => (await stored())?.passwordHash !== passwordHash);
    assert.equal((await stored())?.epoch, epoch, "no token ended");
    const again = (await stored())?.passwordHash;
    // Each takes as long as it would take to store a hash anew.
    for (const password of [DECOMPOSED, COMPOSED, DECOMPOSED, COMPOSED]) {
      assert.equal((await login(url, "old", password)).status, 200);
    }
    assert.equal((await stored())?.passwordHash, again, "once");
  });

  it("goes on taking a password that is longer than can be set today", async () => {
    const password = "Grape%+Melon-7".repeat(70);
    await addAsBefore("long", password);
    assert.equal((await login(gateway.url, "long", password)).status, 200);
    assert.equal((await post(gateway.url, { basic: `long:${password}` })).status, 200);
  });

  it("has room for the longest password, every byte of it percent-encoded", async () => {
    const password = `Aa1${"🦜🐢🐍🦎🐊".repeat(25)}`;
    assert.equal([...password].length, MAX_PASSWORD_LENGTH);
    await addClient(gateway.deps, { name: "longest", password });
    const percent = [...Buffer.from(password)].map((byte) => `%${byte.toString(16)}`).join("");
    const body = `grant_type=password&username=longest&password=${percent}`;
    assert.equal((await post(gateway.url, { body })).status, 200);
    assert.equal((await post(gateway.url, { basic: `longest:${percent}` })).status, 200);
  });

  it("counts a try of several forms as one guess", async () => {
    for (let i = 0; i < 12; i += 1) {
      assert.equal(
        (await post(gateway.url, { basic: `mary:${NOT_ENCODING}` })).status,
        200,
        "right ones count nothing",
      );
    }
    const { password } = await gateway.add("guessed");
    for (let i = 0; i < 10; i += 1) {
      assert.equal((await post(gateway.url, { basic: `guessed:${DECOMPOSED}%20${i}` })).status, 401, `guess ${i}`);
    }
    const next = await post(gateway.url, { basic: `guessed:${password}` });
    assert.deepEqual([next.status, errorOf(next)], [429, "slow_down"]);
  });

  it("does the same work for unknown, wrong and revoked, whatever the number of forms", async () => {
    await addClient(gateway.deps, { name: "known" });
    await addClient(gateway.deps, { name: "gone", password: decodeURIComponent(COMPOSED.replaceAll("+", " ")) });
    const { rev } = await revokeClient(gateway.deps, "gone");
    await until("the revocation", async () => (await gateway.store.traffic.instances(5_000))[0]?.appliedRev === rev);
    // Right in its first form, which must not end the work; three forms in all.
    const cpuOf = async (name: string): Promise<number> => {
      const costs: number[] = [];
      for (let i = 0; i < 4; i += 1) {
        const before = process.cpuUsage();
        assert.equal((await post(gateway.url, { basic: `${name}:${DECOMPOSED}` })).status, 401);
        const { user: spent, system } = process.cpuUsage(before);
        costs.push(spent + system);
      }
      return Math.min(...costs);
    };
    const [unknown, wrong, revoked] = [await cpuOf("unknown"), await cpuOf("known"), await cpuOf("gone")];
    const figures = `unknown ${unknown} µs, wrong ${wrong} µs, revoked ${revoked} µs`;
    assert.ok(Math.min(unknown, wrong, revoked) > 0.6 * Math.max(unknown, wrong, revoked), figures);
  });
});
