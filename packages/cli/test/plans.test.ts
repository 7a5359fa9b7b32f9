import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { aigw, json, type Outcome, temporaryHome } from "./support/harness.ts";

interface ClientFacts {
  readonly plan: string | null;
  readonly limit: number;
  readonly services: readonly string[] | null;
  readonly quotas: string | null;
  readonly weight: number;
}

const setUp = async (t: TestContext) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  for (const name of ["ocr", "chat"]) await aigw(home, ["service", "add", name, "http://127.0.0.1:1", "--no-check"]);
  const on = (...argv: string[]): Promise<Outcome> => aigw(home, argv);
  const client = async (name: string): Promise<ClientFacts> => {
    const { plan, limit, services, quotas, weight } = json<{ client: ClientFacts }>(
      await on("client", "show", name, "--json"),
    ).client;
    return { plan, limit, services, quotas, weight };
  };
  return { home, on, client };
};

const refused = ({ code, stderr }: Outcome, exit: number, said: RegExp): void => {
  assert.equal(code, exit, stderr);
  assert.match(stderr, said);
};

test("a plan says what its clients' own records do not, and every command shows what counts in the end", async (t) => {
  const { on, client } = await setUp(t);
  const added = await on(
    ...["plan", "add", "basic", "--limit", "5", "--services", "ocr", "--weight", "3"],
    ...["--quota", "pages = 500/week,  requests=10K/day"],
  );
  assert.deepEqual([added.code, added.stderr], [0, ""]);
  assert.match(added.stdout, /^basic added: limit 5; services ocr; quota .*pages=500\/week.*; weight 3\. No gateway/);
  await on("client", "add", "ann", "--plan", "basic", "-q");
  await on("client", "add", "john", "--plan", "basic", "--limit", "9", "--weight", "7", "-q");
  await on("client", "add", "mary", "-q");
  const { quotas, ...ann } = await client("ann");
  assert.deepEqual(ann, { plan: "basic", limit: 5, services: ["ocr"], weight: 3 });
  assert.match(quotas ?? "", /pages=500\/week/);
  const { limit, weight } = await client("john");
  assert.deepEqual([limit, weight], [9, 7]);
  assert.deepEqual(await client("mary"), { plan: null, limit: 60, services: null, quotas: null, weight: 1 });
  assert.match(
    (await on("client", "show", "ann")).stdout,
    /Plan +basic\nServices +ocr \(plan\)\nLimit +5 in any 60 s \(plan\)/,
  );
  assert.match((await on("client", "show", "john")).stdout, /Limit +9 in any 60 s\n/);
  assert.match((await on("client", "list")).stdout, /ann .* 5 .*ocr +basic/);
  assert.deepEqual((await on("client", "list", "--plan", "basic", "-q")).stdout, "ann\njohn\n");
  assert.deepEqual((await on("client", "list", "--service", "chat", "-q")).stdout, "mary\n");
  refused(await on("client", "list", "--plan", "basics"), 3, /no plan 'basics'.*Did you mean basic/);
  assert.match((await on("service", "show", "chat")).stdout, /Clients +1 of 3 may call it/);

  const all = await on("client", "set", "john", "--services", "all");
  assert.match(
    all.stderr,
    /^john may call what its plan basic allows: ocr\. For more: aigw client set john --add-service/,
  );
  await on("client", "set", "john", "--add-service", "chat");
  assert.deepEqual((await client("john")).services, ["chat", "ocr"]);
  assert.equal((await on("client", "set", "mary", "--services", "all")).stderr, "");

  const set = await on("plan", "set", "basic", "--no-quota", "--limit", "50", "--json");
  assert.deepEqual(json<{ clients: string[]; plan: { limit: number; quotas: null; clients: number } }>(set).clients, [
    "ann",
    "john",
  ]);
  assert.deepEqual(await client("ann"), { plan: "basic", limit: 50, services: ["ocr"], quotas: null, weight: 3 });
  assert.match((await on("plan", "set", "basic", "--limit", "70")).stdout, /^basic changed, for 2 clients\. /);
  assert.match((await on("plan", "set", "basic", "--limit", "70")).stdout, /^basic is like that already\. /);
  await on("plan", "set", "basic", "--services", "all", "--no-limit", "--no-weight");
  assert.deepEqual(await client("ann"), { plan: "basic", limit: 60, services: null, quotas: null, weight: 1 });
  assert.match((await on("audit", "list", "--subject", "basic")).stdout, /plan\.set +basic .*limit 70 → none/);
  assert.match(
    (await on("plan", "show", "basic")).stdout,
    /Limit +the default, 60 in any 60 s[\s\S]*Clients +ann and john/,
  );
  const [listed] = json<{ plans: readonly unknown[] }>(await on("plan", "list", "--json")).plans;
  const { createdAt, ...facts } = listed as Record<string, unknown>;
  assert.match(String(createdAt), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(facts, { name: "basic", limit: null, services: null, quotas: null, weight: null, clients: 2 });

  refused(await on("plan", "remove", "basic", "--yes"), 5, /The plan 'basic' has clients: ann, john/);
  await on("client", "set", "ann", "--plan", "none");
  await on("client", "set", "john", "--no-plan", "--no-limit", "--no-weight");
  assert.deepEqual((await client("john")).limit, 60);
  refused(await on("plan", "remove", "basic"), 2, /Not done: The plan basic will be gone/);
  assert.match((await on("plan", "remove", "basic", "--yes")).stdout, /^basic removed\./);
  assert.match((await on("plan", "list")).stderr, /There is no plan yet/);
});

test("what is wrong with a plan is named, and nothing is changed", async (t) => {
  const { on } = await setUp(t);
  await on("plan", "add", "basic");
  refused(await on("plan", "add", "basic"), 5, /There is a plan 'basic' already/);
  refused(await on("plan", "add", "none"), 2, /plan name 'none' is not valid/);
  refused(await on("plan", "add"), 2, /Missing argument <name>/);
  refused(await on("plan", "add", "pro", "--services", "orc"), 2, /no service 'orc'.*Did you mean ocr/);
  refused(await on("plan", "add", "pro", "--weight", "0"), 2, /--weight: weight '0' is not valid/);
  refused(
    await on("plan", "add", "pro", "--quota", "pages=lots/day"),
    2,
    /--quota: quota 'pages=lots\/day' is not valid/,
  );
  refused(await on("plan", "set", "basic"), 2, /nothing to change/);
  refused(await on("plan", "set", "pro", "--limit", "5"), 3, /no plan 'pro'/);
  refused(
    await on("client", "add", "ann", "--plan", "basci"),
    2,
    /no plan 'basci'.*Did you mean basic.*aigw plan add basci/,
  );
  assert.equal((await on("client", "list", "-q")).stdout, "");
  assert.equal((await on("plan", "list", "-q")).stdout, "basic\n");
});

test("onboarding puts people on plans, one by one and by a column", async (t) => {
  const { on, client, home } = await setUp(t);
  await on("plan", "add", "basic", "--limit", "5", "--services", "ocr");
  const one = await on("onboard", "ann", "--create", "--plan", "basic", "--no-verify", "--json");
  const { services } = json<{ services: string[]; client: ClientFacts }>(one);
  assert.deepEqual([services, (await client("ann")).plan], [["ocr"], "basic"]);
  refused(await on("onboard", "ann", "--plan", "other", "--yes", "--no-verify"), 5, /other facts \(plan\)/);
  const quota = ["--quota", "requests=5/day"];
  refused(await on("onboard", "ann", ...quota, "--yes", "--no-verify"), 5, /other facts \(quota\)/);
  await on("onboard", "eve", "--create", ...quota, "--no-verify", "--json");
  assert.match(JSON.stringify((await client("eve")).quotas), /requests=5\/day/);
  refused(await on("onboard", "--from", "-", ...quota), 2, /--quota goes with one client/);
  const people = "name,plan,weight,quota\njohn,basic,2,requests=5/day\nmary,,,\n";
  const many = await aigw(home, ["onboard", "--from", "-", "--create", "--no-verify"], { stdin: people });
  assert.equal(many.code, 0, many.stderr);
  const { plan, limit, weight, quotas } = await client("john");
  assert.match(JSON.stringify(quotas), /requests=5\/day/);
  assert.deepEqual([plan, limit, weight, (await client("mary")).plan], ["basic", 5, 2, null]);
  const wrong = await aigw(home, ["onboard", "--from", "-", "--create", "--no-verify"], {
    stdin: "name,plan\nzoe,gold\n",
  });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /line 2: there is no plan 'gold'; plans are: basic/);
});
