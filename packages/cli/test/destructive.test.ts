import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { aigw, json, temporaryHome } from "./support/harness.ts";

interface Verb {
  readonly argv: readonly string[];
  /** Said before it asks. */
  readonly impact: RegExp;
}

const VERBS: readonly Verb[] = [
  { argv: ["client", "revoke", "john"], impact: /john will be refused everywhere/ },
  { argv: ["client", "remove", "john"], impact: /john will be removed for good/ },
  { argv: ["client", "passwd", "john"], impact: /password of john and its tokens will stop working/ },
  { argv: ["onboard", "john"], impact: /the old one and its tokens will stop working/ },
  { argv: ["service", "remove", "ocr"], impact: /\/api\/ocr will be gone at once, for the 1 client that may/ },
  {
    argv: ["secret", "rotate"],
    impact: /Every token will stop working at once\. No client holds a live token\. No gateway/,
  },
  { argv: ["secret", "rotate", "--grace", "60m"], impact: /Tokens will work for 1h more/ },
];

const prepared = async (t: TestContext): Promise<string> => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1"]);
  return home;
};

const revision = async (home: string): Promise<number> =>
  json<{ revision: number }>(await aigw(home, ["status", "--json"])).revision;

for (const { argv, impact } of VERBS) {
  test(`${argv.join(" ")} says what it hits and asks`, async (t) => {
    const home = await prepared(t);
    const before = await revision(home);

    for (const options of [{}, { terminal: 100, flags: ["--no-input"] }, { terminal: 100, flags: ["--json"] }]) {
      const { flags = [], ...rest } = options;
      const refused = await aigw(home, [...argv, ...flags], rest);
      assert.equal(refused.code, 2);
      assert.equal(refused.stdout, "");
      assert.match(refused.stderr, impact);
      assert.match(refused.stderr, /error:\S* Not done: |"message":"Not done: /);
      assert.match(refused.stderr, /--yes/);
    }
    const no = await aigw(home, argv, { terminal: 100, answers: [false] });
    assert.deepEqual([no.code, no.stdout], [130, ""]);
    assert.match(no.stderr, impact);
    assert.match(no.stderr, /Nothing was changed/);
    const interrupted = await aigw(home, argv, { terminal: 100 });
    assert.equal(interrupted.code, 130);
    assert.equal(await revision(home), before);

    const yes = await aigw(home, argv, { terminal: 100, answers: [true] });
    assert.equal(yes.code, 0, yes.stderr);
    assert.match(yes.stderr, impact);
    assert.ok((await revision(home)) > before);
  });

  test(`${argv.join(" ")} --yes does not ask`, async (t) => {
    const home = await prepared(t);
    const result = await aigw(home, [...argv, "--yes"]);
    assert.equal(result.code, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /\? /);
  });
}

test("what does not exist is not asked about", async (t) => {
  const home = await prepared(t);
  for (const argv of [
    ["client", "revoke", "nobody"],
    ["client", "remove", "nobody"],
    ["client", "passwd", "nobody"],
    ["service", "remove", "nope"],
  ]) {
    assert.equal((await aigw(home, argv, { terminal: 100 })).code, 3);
  }
});

test("nothing to do is said, asked of nobody, and is exit 0", async (t) => {
  const home = await prepared(t);
  await aigw(home, ["client", "revoke", "john", "--yes"]);
  const before = await revision(home);
  const again = await aigw(home, ["client", "revoke", "john"]);
  assert.equal(again.code, 0);
  assert.match(again.stdout, /revoked already; nothing to do/);
  assert.equal(json<{ changed: boolean }>(await aigw(home, ["client", "revoke", "john", "--json"])).changed, false);
  assert.equal((await aigw(home, ["client", "restore", "john"])).code, 0);
  assert.match((await aigw(home, ["client", "restore", "john"])).stdout, /not revoked; nothing to do/);
  assert.match((await aigw(home, ["config", "unset", "docs-url"])).stdout, /was not set/);
  assert.match((await aigw(home, ["client", "set", "john", "--limit", "60"])).stdout, /changed/);
  assert.match((await aigw(home, ["client", "set", "john", "--limit", "60"])).stdout, /already/);
  assert.equal(await revision(home), before + 2);
  const init = await aigw(home, ["init"]);
  assert.equal(init.code, 0);
  assert.match(init.stdout, /initialised already; nothing to do/);
});

test("a missing argument is asked for until it is right", async (t) => {
  const home = await prepared(t);
  const added = await aigw(home, ["client", "add"], { terminal: 100, answers: ["Not A Name", "anna"] });
  assert.equal(added.code, 0);
  assert.match(added.stderr, /> client name 'Not A Name' is not valid/);
  assert.match(added.stdout, /anna/);
  const service = await aigw(home, ["service", "add"], { terminal: 100, answers: ["chat", "http://127.0.0.1:2"] });
  assert.equal(service.code, 0);
  assert.equal((await aigw(home, ["client", "show"], { terminal: 100, answers: ["anna"] })).code, 0);
  for (const argv of [
    ["client", "add"],
    ["client", "show"],
    ["service", "add"],
    ["service", "add", "x"],
    ["config", "set"],
    ["config", "set", "docs-url"],
    ["config", "unset"],
    ["onboard"],
  ]) {
    const missing = await aigw(home, argv);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /Missing argument <\w+>\. Use: aigw /);
  }
});

test("init asks on a terminal, and Ctrl-C leaves nothing behind", async (t) => {
  const home = temporaryHome(t);
  assert.equal((await aigw(home, ["init"], { terminal: 100, answers: ["https://ai.example.com"] })).code, 130);
  assert.equal((await aigw(home, ["status"])).code, 1);
  const done = await aigw(home, ["init"], { terminal: 100, answers: ["nonsense", "http://ai.example.com", ""] });
  assert.equal(done.code, 0);
  assert.match(done.stderr, /plain http/);
  const { settings } = json<{ settings: { key: string; value: string | null; source: string }[] }>(
    await aigw(home, ["config", "list", "--json"]),
  );
  assert.deepEqual(
    settings
      .filter(({ key }) => key === "public-url" || key === "support-email")
      .map(({ key, value, source }) => [key, value, source]),
    [
      ["public-url", "http://ai.example.com", "stored"],
      ["support-email", null, "default"],
    ],
  );
});
