import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { restoreClient, revokeClient, rotateSecretWithGrace, setPassword } from "@aigw/core";
import { JumpingClock, startTestGateway } from "../support/gateway.ts";
import { type Answer, bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { until } from "../support/until.ts";

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(username)}:${encodeURIComponent(password)}`).toString("base64")}`;

describe("a token", () => {
  it("dies with passwd, revoke and restore, also within one second; expires after its hour", async (t) => {
    const clock = new JumpingClock();
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { clock, services: { echo: echo.url } });
    const { deps, url } = gateway;
    const status = async (token: string): Promise<number> =>
      (await send(`${url}/api/echo`, { headers: bearer(token) })).status;

    const first = await gateway.tokenFor("john");
    assert.equal(await status(first), 200);
    const changed = await setPassword(deps, "john");
    await gateway.applied(changed.rev);
    const second = await tokenFor(url, "john", changed.result.password);
    assert.deepEqual([await status(first), await status(second)], [401, 200]);
    await revokeClient(deps, "john");
    const restored = await restoreClient(deps, "john");
    await gateway.applied(restored.rev);
    assert.equal(await status(second), 401);
    const third = await tokenFor(url, "john", changed.result.password);
    assert.deepEqual([await status(first), await status(second), await status(third)], [401, 401, 200]);
    clock.advance(3_580_000);
    assert.equal(await status(third), 200);
    clock.advance(20_000);
    assert.equal(await status(third), 401);
  });

  it("ends with its account, and with its key", async (t) => {
    const clock = new JumpingClock();
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { clock, services: { echo: echo.url } });
    const status = async (token: string): Promise<number> =>
      (await send(`${gateway.url}/api/echo`, { headers: bearer(token) })).status;
    const guest = await gateway.tokenFor("guest", { expiresAt: clock.now() + 60_000 });
    const john = await gateway.tokenFor("john");
    assert.deepEqual([await status(guest), await status(john)], [200, 200]);
    clock.advance(60_000);
    assert.deepEqual([await status(guest), await status(john)], [401, 200]);
    const { rev } = await rotateSecretWithGrace(gateway.deps, 60_000);
    await gateway.applied(rev);
    assert.equal(await status(john), 200, "in the grace");
    // The grace, and the margin in which a gateway may still sign with the old key.
    clock.advance(66_000);
    assert.equal(await status(john), 401);
  });

  it("survives the clock being set forward; an expired one is not revived by setting it back", async (t) => {
    const clock = new JumpingClock();
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { clock, services: { echo: echo.url } });
    const token = await gateway.tokenFor("john");
    const status = async (): Promise<number> =>
      (await send(`${gateway.url}/api/echo`, { headers: bearer(token) })).status;
    clock.setBy(3_600_000);
    assert.equal(await status(), 200, "+1 h");
    clock.advance(3_600_000);
    assert.equal(await status(), 401);
    clock.setBy(-7_200_000);
    assert.equal(await status(), 401, "−2 h");
  });

  it("is taken in the Authorization field only, in any case of Bearer; refusals are as RFC 6750 says", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { services: { echo: echo.url } });
    const token = await gateway.tokenFor("john");
    const call = (headers: Record<string, string>, path = "/api/echo"): Promise<Answer> =>
      send(`${gateway.url}${path}`, { headers });
    for (const scheme of ["Bearer", "bearer", "BEARER"]) {
      assert.equal((await call({ Authorization: `${scheme} ${token}` })).status, 200, scheme);
    }
    const served = echo.seen.length;
    for (const [name, answer] of Object.entries({
      none: await call({}),
      "in the query": await call({}, `/api/echo?access_token=${token}`),
      Basic: await call({ Authorization: basic("john", "x") }),
      "in a cookie": await call({ Cookie: `access_token=${token}` }),
    })) {
      assert.equal(answer.status, 401, name);
      assert.equal(answer.headers["www-authenticate"], 'Bearer realm="aigw"', name);
      assert.equal(JSON.parse(answer.body).code, "missing_token");
    }
    for (const [name, value] of Object.entries({
      "two spaces": `Bearer  ${token}`,
      "a trailing comma": `Bearer ${token},`,
      garbage: "Bearer garbage",
      empty: "Bearer ",
      changed: `Bearer ${token.slice(0, -2)}AA`,
    })) {
      const answer = await call({ Authorization: value });
      assert.equal(answer.status, 401, name);
      assert.match(answer.headers["www-authenticate"] ?? "", /error="invalid_token"/, name);
      assert.equal(answer.headers["ratelimit"], undefined);
    }
    assert.equal(echo.seen.length, served, "nothing refused reached the upstream");
  });

  it("gives what the client may call: 403 for another service, 404 for an unknown one, without cost", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { services: { echo: echo.url, chat: echo.url } });
    const token = await gateway.tokenFor("john", { services: ["echo"], limit: 1 });
    const call = (path: string): Promise<Answer> => send(`${gateway.url}${path}`, { headers: bearer(token) });
    const denied = await call("/api/chat/v1");
    assert.equal(denied.status, 403);
    assert.match(denied.headers["www-authenticate"] ?? "", /error="insufficient_scope"/);
    assert.equal(denied.headers["ratelimit"], '"client";r=1;t=60');
    const unknown = await call("/api/nope");
    assert.equal(unknown.status, 404);
    assert.equal(JSON.parse(unknown.body).error.code, "unknown_service");
    assert.equal(echo.seen.length, 0);
    assert.equal((await call("/api/echo")).status, 200, "the one permit is still there");
    const { events } = await until("the events", async () => {
      const page = await gateway.store.traffic.latestUsage({ client: "john" }, 10);
      return page.events.length === 3 && page;
    });
    assert.deepEqual(
      events.map(({ status, outcome, service, path }) => [status, outcome, service, path]),
      [
        [403, "denied", "chat", "/api/chat/v1"],
        [404, "denied", "", "/api/nope"],
        [200, "ok", "echo", "/api/echo"],
      ],
    );
  });
});
