import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startTestGateway } from "../support/gateway.ts";
import { send } from "../support/http.ts";

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const GUESSES = 12;

describe("guesses from IPv6", () => {
  it("are counted by /64, which one subscriber has to itself", async (t) => {
    const { url, add } = await startTestGateway(t, { trustProxy: "127.0.0.1" });
    const { password } = await add("john");
    const login = async (from: string, secret: string): Promise<number> => {
      const headers = { ...FORM, "X-Forwarded-For": from };
      const body = new URLSearchParams({ username: "john", password: secret }).toString();
      return (await send(`${url}/auth/token`, { method: "POST", headers, body })).status;
    };
    const guesses = Array.from({ length: GUESSES }, (_, n) =>
      login(`2001:db8:0:7:${n + 1}::${n}`, `Guess-number-${n}`),
    );
    const statuses = await Promise.all(guesses);
    assert.equal(statuses.filter((status) => status === 401).length, 10);
    assert.equal(statuses.filter((status) => status === 429).length, GUESSES - 10);
    assert.equal(await login("2001:db8:0:7:ffff::1", password), 429, "the same /64");
    assert.equal(await login("2001:db8:0:8::1", password), 200, "the next one");
  });
});
