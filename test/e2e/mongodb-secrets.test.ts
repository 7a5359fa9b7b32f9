import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { MongoClient } from "mongodb";
import { startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { Caught, canary } from "../support/canary.ts";
import { type Mongod, startMongod } from "../support/mongod.ts";
import { MONGOD, mongodbMissing, mongodbRan } from "../support/mongodb.ts";
import { runHere } from "../support/secret-hunt.ts";
import { until } from "../support/until.ts";

const skip = MONGOD === "" ? mongodbMissing || "AIGW_TEST_MONGOD is not set" : false;
/** Half of it has to be percent-encoded in a URL. */
const PASSWORD = `Canary:/@%${randomBytes(9).toString("hex")}`;
const PASSWORDS = [
  canary("the store's password", PASSWORD),
  canary("the same, as it is in the URL", encodeURIComponent(PASSWORD)),
];

let server: Mongod;
before(async () => {
  if (skip !== false) return;
  server = await startMongod(MONGOD, ["--auth"]);
  const client = await MongoClient.connect(`mongodb://127.0.0.1:${server.port}/`);
  await client.db("admin").command({ createUser: "aigw", pwd: PASSWORD, roles: ["root"] });
  await client.close();
});
after(async () => {
  await server?.stop();
  mongodbRan();
});

test("the password of the store's URL is in no answer, error, log, status or file of a home", { skip }, async (t) => {
  const home = temporaryHome(t);
  const caught = new Caught();
  const urlOf = (password: string, database = "canary", query = ""): string =>
    `mongodb://aigw:${encodeURIComponent(password)}@127.0.0.1:${server.port}/${database}?authSource=admin${query}`;
  const url = urlOf(PASSWORD);
  const said = async (storeUrl: string, ...args: readonly string[]): Promise<number> => {
    const { code, stdout, stderr } = await runHere({ AIGW_HOME: home, AIGW_STORE: storeUrl, AIGW_DEBUG: "1" }, args);
    caught.add(`${args.join(" ")} (${code})`, stdout + stderr);
    return code;
  };

  assert.equal(await said(url, "init"), 0);
  assert.equal(await said(url, "init", "--json"), 0);
  assert.equal(await said(url, "service", "add", "echo", "http://127.0.0.1:9"), 0);
  assert.equal(await said(url, "client", "add", "john"), 0);
  const gateway = await startGatewayProcess(t, home, [], { AIGW_STORE: url });
  let log = "";
  gateway.child.stderr?.on("data", (text: string) => {
    log += text;
  });
  // What a URL can be that is not right.
  const wrongUrls = [
    urlOf(PASSWORD, "other"),
    urlOf(PASSWORD, "canary", "&nonsense=1"),
    urlOf(PASSWORD, "canary", "&tls=perhaps"),
    urlOf(PASSWORD, "a.b"),
    `mongodb://aigw:${PASSWORD}@127.0.0.1:${server.port}/canary`,
    `mongodb://${encodeURIComponent(PASSWORD)}@127.0.0.1:1/canary`,
    `mongodb://aigw:${encodeURIComponent(PASSWORD)}@/canary`,
    `mongo://aigw:${encodeURIComponent(PASSWORD)}@127.0.0.1/canary`,
    urlOf(`${PASSWORD}x`),
  ];
  const right = [
    ["status"],
    ["doctor"],
    ["config", "list"],
    ["audit", "list"],
    ["usage", "report"],
    ["client", "list"],
  ];
  for (const form of [[], ["--json"]]) {
    await Promise.all(right.map((args) => said(url, ...args, ...form)));
    const backup = join(home, "..", `backup${form.join("")}`);
    assert.equal(await said(url, "backup", backup, ...form), 0);
    caught.add("a backup", readFileSync(backup));
    const codes = await Promise.all(wrongUrls.map((wrong) => said(wrong, "status", ...form)));
    assert.ok(!codes.includes(0), String(codes));
    assert.notEqual(await said("", "status", "--store", urlOf(PASSWORD, "a.b"), ...form), 0);
  }
  for (const path of ["/ready", "/health", "/openapi.json", "/guide", "/api/echo/x"])
    caught.add(path, await (await fetch(`${gateway.url}${path}`)).text());

  await server.kill();
  await until("the gateway to say that its store is away", () => /store/.test(log), 20_000);
  const away = [["status"], ["status", "--json"], ["doctor"], ["doctor", "--json"]];
  assert.deepEqual(await Promise.all(away.map((args) => said(url, ...args))), [6, 6, 1, 1]);
  caught.add("/ready", await (await fetch(`${gateway.url}/ready`)).text());
  gateway.child.kill("SIGTERM");
  const { stdout, stderr } = await gateway.done;
  caught.add("the gateway", stdout + stderr);
  for (const file of readdirSync(home, { recursive: true, withFileTypes: true }))
    if (file.isFile()) caught.add(file.name, readFileSync(join(file.parentPath, file.name)));
  assert.ok(caught.size > 10_000);
  assert.deepEqual(caught.find(...PASSWORDS), []);
});
