import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { aigw, aigwJson, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../support/http.ts";
import { mongodUri, startMongod } from "../support/mongod.ts";
import { MONGOD, mongodbMissing, mongodbRan } from "../support/mongodb.ts";
import { until } from "../support/until.ts";

const skip = MONGOD === "" && (mongodbMissing || "needs a mongod of its own: AIGW_TEST_MONGOD");
after(() => {
  if (!skip) mongodbRan();
});

test("MongoDB is killed, then a gateway: the calls of the outage are served, and stored once by the next one", {
  skip,
  timeout: 90_000,
}, async (t) => {
  const mongod = await startMongod(MONGOD);
  t.after(() => mongod.stop());
  const [home, echo, env] = [temporaryHome(t), await startEcho(t), { AIGW_STORE: mongodUri(mongod.port, "aigw") }];
  assert.equal((await aigw(home, ["init"], { env })).code, 0);
  assert.equal((await aigw(home, ["service", "add", "echo", echo.url], { env })).code, 0);
  const facts = ["--limit", "100000", "--quota", "requests=1000/month"];
  const added = await aigwJson<{ password: string }>(home, ["client", "add", "john", ...facts], { env });
  const first = await startGatewayProcess(t, home, [], env);
  const token = await tokenFor(first.url, "john", added.password);
  const call = async (url: string, count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1)
      assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, 200);
  };
  await call(first.url, 20);
  await mongod.kill();
  await call(first.url, 30);
  const spool = join(home, "spool");
  // A gateway keeps its own file, empty, while it lives.
  const waiting = (): number =>
    readdirSync(spool)
      .filter((name) => name.endsWith(".usage"))
      .reduce((bytes, name) => bytes + statSync(join(spool, name)).size, 0);
  await until("the calls on the disk", async () => existsSync(spool) && waiting() > 0, 10_000);
  // The last 0.2 s are what a kill may cost.
  await new Promise((resolve) => setTimeout(resolve, 400));
  first.child.kill("SIGKILL");
  await first.done;
  await mongod.restart();
  const second = await startGatewayProcess(t, home, [], env);
  await call(second.url, 10);
  await until("an empty spool", async () => waiting() === 0, 15_000);
  const requests = async (): Promise<number> => {
    const report = await aigwJson<{ total: { requests: number } }>(home, ["usage", "report", "--client", "john"], {
      env,
    });
    return report.total.requests;
  };
  await until("all calls in the report", async () => (await requests()) >= 60, 15_000);
  assert.equal(await requests(), 60);
  // And what its quota counts is the same, with nothing left set aside.
  await until(
    "all calls in the quota",
    async () => {
      const { quotas } = await aigwJson<{ quotas: { used: number; reserved: number }[] }>(
        home,
        ["client", "quota", "john"],
        { env },
      );
      return quotas[0]?.used === 60 && quotas[0].reserved === 0;
    },
    15_000,
  );
  assert.deepEqual(
    readdirSync(spool).filter((name) => name.includes("quotas")),
    [],
  );
  const proof = await aigwJson<{ compared: { events: number }; problems: unknown[] }>(home, ["usage", "verify"], {
    env,
  });
  assert.deepEqual([proof.compared.events, proof.problems], [60, []]);
});
