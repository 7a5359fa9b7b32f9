import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { revokeClient, systemClock } from "@aigw/core";
import { hash } from "@node-rs/argon2";
import * as oauth from "oauth4webapi";
import { needsOwnClock } from "../support/engine.ts";
import { JumpingClock, startTestGateway } from "../support/gateway.ts";
import { type Answer, bearer, login, send, sendRaw, startEcho, tokenFor } from "../support/http.ts";
import { until } from "../support/until.ts";

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const post = (url: string, body: string, headers: Record<string, string> = FORM): Promise<Answer> =>
  send(`${url}/auth/token`, { method: "POST", headers, body });
const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(username)}:${encodeURIComponent(password)}`).toString("base64")}`;
const errorOf = (answer: Answer): string => (JSON.parse(answer.body) as { error: string }).error;

/** Everything of an answer that a guesser could compare. */
const visible = ({ status, rawHeaders, body }: Answer): string => {
  const fields = rawHeaders.map((value, index) =>
    /^(date|x-request-id)$/i.test(rawHeaders[index - 1] ?? "") ? "…" : value,
  );
  return `${status} ${fields.join("|")} ${body}`;
};

/** Tries again where a busy machine has no turn for a hash within 5 s. */
const answered = async (url: string, username: string, password: string): Promise<Answer> => {
  for (let tries = 0; tries < 5; tries += 1) {
    const answer = await login(url, username, password);
    if (answer.status !== 503) return answer;
  }
  throw new Error("503, five times");
};

describe("POST /auth/token", () => {
  it("takes the credentials in every form it names", async (t) => {
    const gateway = await startTestGateway(t);
    const { password } = await gateway.add("john");
    const { url } = gateway;
    const pair = (name: string, secret: string): string => `${name}=john&${secret}=${encodeURIComponent(password)}`;
    const accepted: Record<string, Promise<Answer>> = {
      "username and password": post(url, pair("username", "password")),
      "grant_type password": post(url, `grant_type=password&${pair("username", "password")}`),
      client_credentials: post(url, `grant_type=client_credentials&${pair("client_id", "client_secret")}`),
      Basic: post(url, "grant_type=client_credentials", { ...FORM, Authorization: basic("john", password) }),
      "Basic without a body": post(url, "", { Authorization: basic("john", password) }),
      JSON: post(url, JSON.stringify({ username: "john", password }), { "Content-Type": "application/json" }),
      "a charset": post(url, pair("username", "password"), {
        "Content-Type": `${FORM["Content-Type"]}; charset=UTF-8`,
      }),
      "an unknown parameter": post(url, `${pair("username", "password")}&scope=x`),
    };
    for (const [name, pending] of Object.entries(accepted)) {
      const answer = await pending;
      assert.equal(answer.status, 200, `${name}: ${answer.body}`);
      const { access_token: token, ...rest } = JSON.parse(answer.body);
      assert.deepEqual(rest, { token_type: "bearer", expires_in: 3600 }, name);
      assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
      assert.equal(answer.headers["cache-control"], "no-store");
      assert.equal(answer.headers.pragma, "no-cache");
      assert.ok(answer.headers["x-request-id"]);
    }
  });

  it("refuses what is malformed, in the shape of RFC 6749", async (t) => {
    const gateway = await startTestGateway(t);
    const { password } = await gateway.add("john");
    const { url } = gateway;
    const credentials = `username=john&password=${encodeURIComponent(password)}`;
    const cases: Record<string, [Promise<Answer>, number, string]> = {
      nothing: [post(url, ""), 400, "invalid_request"],
      "no password": [post(url, "username=john"), 400, "invalid_request"],
      "an empty password": [post(url, "username=john&password="), 400, "invalid_request"],
      "a repeated parameter": [post(url, `${credentials}&username=jane`), 400, "invalid_request"],
      "a repeated unknown parameter": [post(url, `${credentials}&x=1&x=2`), 400, "invalid_request"],
      "two ways at once": [post(url, `${credentials}&client_id=john&client_secret=x`), 400, "invalid_request"],
      "Basic and body": [
        post(url, credentials, { ...FORM, Authorization: basic("john", password) }),
        400,
        "invalid_request",
      ],
      "another scheme": [post(url, "", { Authorization: "Digest x" }), 400, "invalid_request"],
      "Basic without a colon": [post(url, "", { Authorization: "Basic am9obg==" }), 400, "invalid_request"],
      "another content type": [post(url, credentials, { "Content-Type": "text/plain" }), 400, "invalid_request"],
      "JSON that is none": [post(url, "{", { "Content-Type": "application/json" }), 400, "invalid_request"],
      "a JSON array": [post(url, "[]", { "Content-Type": "application/json" }), 400, "invalid_request"],
      "JSON with a number": [
        post(url, '{"username":"john","password":1}', { "Content-Type": "application/json" }),
        400,
        "invalid_request",
      ],
      "credentials in the query": [
        send(`${url}/auth/token?${credentials}`, { method: "POST", headers: FORM }),
        400,
        "invalid_request",
      ],
      "another grant": [post(url, `grant_type=refresh_token&${credentials}`), 400, "unsupported_grant_type"],
      "too large": [post(url, `${credentials}&x=${"y".repeat(9_000)}`), 413, "invalid_request"],
    };
    for (const [name, [pending, status, error]] of Object.entries(cases)) {
      const answer = await pending;
      assert.equal(answer.status, status, `${name}: ${answer.body}`);
      assert.equal(errorOf(answer), error, name);
      assert.equal(typeof JSON.parse(answer.body).error_description, "string");
      assert.equal(answer.headers["cache-control"], "no-store", name);
      assert.ok(!answer.body.includes(password), name);
    }
    const wrongMethod = await send(`${url}/auth/token`);
    assert.equal(wrongMethod.status, 405);
    assert.equal(wrongMethod.headers.allow, "POST");
  });

  it("gives the same answer to unknown, wrong, revoked and expired", async (t) => {
    const clock = new JumpingClock();
    const gateway = await startTestGateway(t, { clock });
    const john = await gateway.add("john");
    const revoked = await gateway.add("revoked");
    const expired = await gateway.add("expired", { expiresAt: clock.now() + 1_000 });
    const { rev } = await revokeClient(gateway.deps, "revoked");
    await gateway.applied(rev);
    clock.advance(2_000);
    const answers = await Promise.all([
      login(gateway.url, "nobody", "Wrong-password-1"),
      login(gateway.url, john.name, "Wrong-password-1"),
      login(gateway.url, revoked.name, revoked.password),
      login(gateway.url, expired.name, expired.password),
      login(gateway.url, "J\u0000hn' OR 1=1", "Wrong-password-1"),
    ]);
    assert.equal(new Set(answers.map(visible)).size, 1, answers.map(visible).join("\n"));
    assert.equal(answers[0]?.status, 401);
    assert.equal(errorOf(answers[0]), "invalid_client");
    assert.equal(answers[0]?.headers["www-authenticate"], undefined);
    const byBasic = await post(gateway.url, "", { Authorization: basic("john", "Wrong-password-1") });
    assert.match(byBasic.headers["www-authenticate"] ?? "", /^Basic realm="aigw"/);
  });

  it("bounds guessing per account and source, forgives success, and remembers over a restart", {
    skip: needsOwnClock,
  }, async (t) => {
    const clock = new JumpingClock();
    const first = await startTestGateway(t, { clock });
    const john = await first.add("john");
    const jane = await first.add("jane");
    for (let i = 0; i < 15; i += 1) assert.equal((await login(first.url, "john", john.password)).status, 200);
    const guesses = await Promise.all(
      Array.from({ length: 30 }, (_, i) => login(first.url, "john", `Guess-number-${i}`)),
    );
    assert.equal(guesses.filter(({ status }) => status === 401).length, 10, "hashes per account and source");
    const slowed = guesses.filter(({ status }) => status === 429);
    assert.equal(slowed.length, 20);
    assert.equal(errorOf(slowed[0] as Answer), "slow_down");
    assert.ok(Number(slowed[0]?.headers["retry-after"]) > 0);
    assert.equal((await login(first.url, "jane", jane.password)).status, 200, "another account from the same source");
    const form = new URLSearchParams({ username: "john", password: john.password }).toString();
    const from = (localAddress: string): Promise<Answer> =>
      send(`${first.url}/auth/token`, { method: "POST", headers: FORM, body: form, localAddress });
    assert.equal((await from("127.0.0.1")).status, 429, "also with the right password");
    // Only Linux has all of 127/8 without being told to.
    if (process.platform === "linux") assert.equal((await from("127.0.0.2")).status, 200, "the account from elsewhere");
    await first.gateway.close();
    const second = await startTestGateway(t, { clock, home: first.home });
    assert.equal((await login(second.url, "john", john.password)).status, 429, "after a restart");
    clock.advance(300_000);
    assert.equal((await login(second.url, "john", john.password)).status, 200, "after five minutes");
  });

  it("bounds trying one password on many names from one source", async (t) => {
    const gateway = await startTestGateway(t);
    const answers: Answer[] = [];
    for (let batch = 0; batch < 6; batch += 1) {
      answers.push(
        ...(await Promise.all(
          Array.from({ length: 20 }, (_, i) => answered(gateway.url, `name${batch}-${i}`, "Spring-time-2026")),
        )),
      );
    }
    assert.equal(answers.filter(({ status }) => status === 401).length, 100);
    assert.equal(answers.filter(({ status }) => status === 429).length, 20);
    // From now on it is known, and refusals cost next to nothing: no store is asked, and the body is not waited for.
    const { traffic } = gateway.store;
    const asked = [t.mock.method(traffic, "permitWindow"), t.mock.method(traffic, "setPermitWindow")];
    for (let i = 0; i < 20; i += 1)
      assert.equal((await login(gateway.url, `more${i}`, "Spring-time-2026")).status, 429);
    const head = `POST /auth/token HTTP/1.1\r\nHost: ${new URL(gateway.url).host}\r\nContent-Length: 100\r\n`;
    assert.match(await sendRaw(gateway.url, `${head}Connection: close\r\n\r\n`), /^HTTP\/1\.1 429 /);
    assert.deepEqual(
      asked.map(({ mock }) => mock.callCount()),
      [0, 0],
    );
  });

  it("lets twenty right logins at once of one client in: none of them is a guess", async (t) => {
    // A busy machine takes longer for them than anybody is let wait: this one's time goes slower.
    const clock = { now: () => systemClock.now(), monotonic: () => systemClock.monotonic() / 10 };
    const gateway = await startTestGateway(t, { clock });
    const { password } = await gateway.add("john");
    const answers = await Promise.all(Array.from({ length: 20 }, () => login(gateway.url, "john", password)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      answers.map(() => 200),
    );
  });

  it("a stock OAuth 2 client gets a token and uses it", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { services: { echo: echo.url } });
    const { password } = await gateway.add("john");
    const server: oauth.AuthorizationServer = { issuer: gateway.url, token_endpoint: `${gateway.url}/auth/token` };
    const insecure = { [oauth.allowInsecureRequests]: true };
    for (const auth of [oauth.ClientSecretBasic(password), oauth.ClientSecretPost(password)]) {
      const client: oauth.Client = { client_id: "john" };
      const response = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, insecure);
      const result = await oauth.processClientCredentialsResponse(server, client, response);
      assert.equal(result.token_type, "bearer");
      assert.equal(result.expires_in, 3600);
      const call = await oauth.protectedResourceRequest(
        result.access_token,
        "GET",
        new URL(`${gateway.url}/api/echo`),
        undefined,
        undefined,
        insecure,
      );
      assert.equal(call.status, 200);
    }
  });

  it("stores a hash of weaker parameters anew, without ending anything", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { services: { echo: echo.url } });
    const { store, deps, url } = gateway;
    const { password } = await gateway.add("john");
    const client = await store.control.client("john");
    assert.ok(client);
    const passwordHash = await hash(password, { algorithm: 2, memoryCost: 8192, timeCost: 1, parallelism: 1 });
    const act = { at: deps.clock.now(), actor: "test" };
    const draft = { action: "client.set", subject: "john", after: { ...client, passwordHash } } as const;
    const { rev } = await store.control.append(await store.control.head(), [draft], act);
    await gateway.applied(rev);
    const tokens = await Promise.all([1, 2, 3].map(() => tokenFor(url, "john", password)));
    await until("the rehash", async () =>
      (await store.control.client("john"))?.passwordHash.includes("m=19456,t=2,p=1"),
    );
    const after = await store.control.client("john");
    assert.equal(after?.epoch, client.epoch);
    for (const token of [...tokens, await tokenFor(url, "john", password)]) {
      assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, 200);
    }
    const [last] = await store.control.latestChanges({ limit: 1 });
    assert.equal(last?.effects[0]?.action, "client.rehash");
    assert.match(last?.actor ?? "", /^gateway gw-/);
  });
});
