import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { aigw, aigwJson, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

interface Proof {
  readonly ok: boolean;
  readonly compared: { readonly events: number; readonly batches: number; readonly sums: number };
  readonly dropped: number;
  readonly unproven: number;
  readonly problems: readonly { readonly kind: string; readonly message: string }[];
}

test("what two gateways recorded is proven, over kill -9 and a hundred refused calls; what is altered is named", {
  timeout: 90_000,
}, async (t) => {
  const echo = await startEcho(t);
  const { home, passwords } = await prepareHome(t, {
    services: { echo: echo.url },
    clients: { john: UNLIMITED, jane: { limit: 1 } },
  });
  const verify = (): Promise<Proof> => aigwJson<Proof>(home, ["usage", "verify"]);
  assert.deepEqual((await verify()).compared, { events: 0, batches: 0, sums: 0 });

  const [first, second] = [await startGatewayProcess(t, home), await startGatewayProcess(t, home)];
  for (const [name, calls] of [
    ["john", 30],
    ["jane", 100],
  ] as const) {
    for (const { url } of [first, second]) {
      const headers = bearer(await tokenFor(url, name, passwords[name] ?? ""));
      await Promise.all(Array.from({ length: calls }, () => send(`${url}/api/echo`, { headers })));
    }
  }
  const requests = async (): Promise<number> =>
    (await aigwJson<{ total: { requests: number } }>(home, ["usage", "report"])).total.requests;
  await until("every call in the report", async () => (await requests()) === 260, 15_000);
  second.child.kill("SIGKILL");
  await second.done;
  // The first one goes on meanwhile.
  const { ok, compared, dropped, unproven, problems } = await verify();
  assert.deepEqual([ok, dropped, unproven, problems], [true, 0, 0, []]);
  // Refused ones beyond sixty in a minute are gathered: fewer events than calls, and no number is missing.
  assert.ok(compared.events > 180 && compared.events < 260 && compared.batches > 2, JSON.stringify(compared));

  const third = await startGatewayProcess(t, home);
  const headers = bearer(await tokenFor(third.url, "john", passwords["john"] ?? ""));
  assert.equal((await send(`${third.url}/api/echo`, { headers })).status, 200);
  await until("its call in the report", async () => (await requests()) === 261);
  assert.deepEqual((await verify()).problems, []);
  const db = new DatabaseSync(join(home, "aigw.usage.db"), { timeout: 5_000 });
  t.after(() => db.close());
  db.exec("UPDATE usage SET client = 'jane' WHERE seq = (SELECT max(seq) FROM usage WHERE client = 'john')");
  db.exec("DELETE FROM usage WHERE seq = (SELECT min(seq) FROM usage)");
  const gateways =
    "SELECT substr(id, 1, instr(id, '.') - 1) AS id FROM usage GROUP BY 1 ORDER BY min(seq) LIMIT 1 OFFSET 1";
  const { id } = db.prepare(gateways).get() as { id: string };
  db.prepare("DELETE FROM usage WHERE id LIKE ? || '.%'").run(id);
  const { code, stdout, stderr } = await aigw(home, ["usage", "verify"]);
  assert.equal(code, 1);
  // A batch of one when the first call was stored before the next one ended.
  assert.match(stdout, /^1 event of (events 1 to \d+|event 1) of gw-\w+ is gone\.$/m);
  assert.match(stdout, new RegExp(`^\\d+ events of events 1 to \\d+ of ${id} are gone\\.$`, "m"));
  assert.match(stdout, /^events? \d+.* of gw-\w+ (is|are) not what was recorded: altered, or added\.$/m);
  assert.match(stderr, /The usage on record is not what the gateways recorded: 3 problems/);
});
