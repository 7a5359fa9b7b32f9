import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { it } from "node:test";
import { setClient } from "@aigw/core";
import { startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { prepareHome, withHome } from "../support/prepared-home.ts";

for (const table of ["permits", "quotas"])
  it(`a damaged record of one client's ${table} is that client's 500, and nobody else's`, async (t) => {
    const echo = await startEcho(t);
    const { home, passwords } = await prepareHome(t, {
      services: { echo: echo.url },
      clients: { john: {}, jane: {} },
    });
    const id = await withHome(
      home,
      async ({ deps }) => (await setClient(deps, "john", { quota: "requests=5/day" })).result.id,
    );
    const { url, child, done } = await startGatewayProcess(t, home);
    const database = new DatabaseSync(join(home, "aigw.usage.db"));
    database.prepare(`INSERT INTO ${table} VALUES (?, 1, 1e15, '{')`).run(id);
    database.close();
    const call = (token: string) => send(`${url}/api/echo`, { headers: bearer(token) });
    const john = await tokenFor(url, "john", passwords["john"] ?? "");
    const jane = await tokenFor(url, "jane", passwords["jane"] ?? "");

    // The first call waits for its token to be verified; the others go through in one turn.
    for (let turn = 0; turn < 3; turn += 1) {
      const { status, body } = await call(john);
      assert.equal(status, 500);
      assert.equal((JSON.parse(body) as { code: string }).code, "internal_error");
      assert.doesNotMatch(body, /JSON|permits|quotas|at .*\.[jt]s/);
    }
    assert.equal((await call(jane)).status, 200);
    assert.equal(echo.seen.length, 1);
    child.kill("SIGTERM");
    const { code, stderr } = await done;
    assert.equal(code, 0);
    assert.match(stderr, /"msg":"request failed"/);
  });
