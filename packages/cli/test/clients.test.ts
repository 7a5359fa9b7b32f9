import assert from "node:assert/strict";
import { test } from "node:test";
import { aigw, json, temporaryHome } from "./support/harness.ts";

interface ClientDocument {
  readonly client: Readonly<Record<string, unknown>>;
}

test("set changes what is given, clears what is negated, and refuses what is not valid", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1"]);
  await aigw(home, [
    "client",
    "add",
    "john",
    "--email",
    "j@example.com",
    "--display-name",
    "John",
    "--services",
    "ocr",
    "--limit",
    "5",
    "--expires",
    "30d",
    "--note",
    "n",
  ]);
  const client = async (): Promise<Readonly<Record<string, unknown>>> =>
    json<ClientDocument>(await aigw(home, ["client", "show", "john", "--json"])).client;
  assert.deepEqual(
    (({ email, displayName, services, limit, note }) => ({ email, displayName, services, limit, note }))(
      await client(),
    ),
    { email: "j@example.com", displayName: "John", services: ["ocr"], limit: 5, note: "n" },
  );
  await aigw(home, ["client", "set", "john", "--limit", "9"]);
  const { limit, email } = await client();
  assert.deepEqual([limit, email], [9, "j@example.com"]);
  const cleared = await aigw(home, [
    "client",
    "set",
    "john",
    "--no-email",
    "--no-display-name",
    "--no-limit",
    "--no-expires",
    "--no-note",
    "--services",
    "all",
  ]);
  assert.equal(cleared.code, 0, cleared.stderr);
  const { email: e, displayName, services, limit: l, expiresAt, note } = await client();
  assert.deepEqual([e, displayName, services, l, expiresAt, note], [null, null, null, 60, null, null]);

  for (const [flag, value, allowed] of [
    ["--email", "nonsense", /name@example\.com/],
    ["--display-name", "a\nb", /one line/],
    ["--services", "no such", /a-z/],
    ["--limit", "lots", /whole number/],
    ["--expires", "2020-01-01", /past/],
    ["--expires", "soon", /2027-01-31/],
    ["--note", "x".repeat(501), /500/],
  ] as const) {
    const bad = await aigw(home, ["client", "set", "john", flag, value]);
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, new RegExp(`^error: ${flag}: `));
    assert.match(bad.stderr, allowed);
  }
  const nothing = await aigw(home, ["client", "set", "john"]);
  assert.deepEqual([nothing.code, /nothing to change/.test(nothing.stderr)], [2, true]);
});

test("the audit trail tells what changed, by whom, without a secret", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init", "--public-url", "https://ai.example.com"]);
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1", "--header-env", "X-Key=K"], { env: { K: "k1" } });
  await aigw(home, ["client", "add", "ocr", "--limit", "5"]);
  await aigw(home, ["service", "set", "ocr", "--header-env", "X-Key=K", "--header-env", "X-New=K", "--timeout", "5s"], {
    env: { K: "k2" },
  });
  await aigw(home, ["client", "set", "ocr", "--limit", "7", "--email", "o@example.com"]);
  await aigw(home, ["client", "add", "mary", "--note", "private"]);
  await aigw(home, ["client", "remove", "mary", "--yes"]);
  const { changes } = json<{
    changes: { rev: number; at: string; actor: string; action: string; subject: string; summary: string }[];
  }>(await aigw(home, ["audit", "list", "--json"]));
  assert.deepEqual(
    changes.map(({ rev }) => rev),
    [8, 7, 6, 5, 4, 3, 2, 1],
  );
  for (const change of changes) {
    assert.deepEqual(Object.keys(change), ["rev", "at", "actor", "action", "subject", "summary"]);
    assert.match(change.actor, /^[^@]+@.+$/);
  }
  const summaries = Object.fromEntries(changes.map(({ rev, summary }) => [rev, summary]));
  assert.equal(summaries[2], "https://ai.example.com");
  assert.equal(summaries[5], "timeout 1m → 5s; header X-Key replaced; header X-New added");
  assert.equal(summaries[6], "limit 5 → 7; e-mail none → o@example.com");
  assert.match(summaries[7] ?? "", /purged/);
  assert.ok(!JSON.stringify(changes).includes("private"));
  const one = json<{ changes: { rev: number; summary: string }[] }>(
    await aigw(home, ["audit", "list", "--json", "--subject", "ocr", "-n", "1"]),
  );
  assert.deepEqual(
    one.changes.map(({ rev, summary }) => [rev, summary]),
    [[6, summaries[6]]],
  );
});

test("onboard prints the table or the e-mail, and says what stands in its way", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["service", "add", "ocr", "http://10.9.8.7:9000", "--no-check"]);
  await aigw(home, ["service", "add", "chat", "http://10.9.8.7:9001", "--no-check"]);
  const table = await aigw(home, ["onboard", "john", "--create"]);
  assert.equal(table.code, 0);
  const password = /^Password +(\S{16,})$/m.exec(table.stdout)?.[1] ?? "?";
  assert.match(table.stdout, /^API URL +http:\/\/127\.0\.0\.1:8080$/m);
  assert.match(table.stderr, /john was unknown and is added/);
  assert.match(table.stderr, /public-url is not set/);
  assert.ok(!table.stdout.includes("10.9.8.7"));

  await aigw(home, ["config", "set", "public-url", "http://ai.example.com"]);
  await aigw(home, ["client", "set", "john", "--services", "ocr", "--display-name", "John Doe"]);
  const email = await aigw(home, ["onboard", "john", "--email", "--yes"]);
  assert.equal(email.code, 0);
  assert.match(email.stdout, /^Subject: AI Gateway API Access\n\nHi John Doe,\n/);
  assert.match(email.stdout, /curl "http:\/\/ai\.example\.com\/api\/ocr"/);
  assert.ok(!email.stdout.includes(password) && !email.stdout.includes("chat") && !email.stdout.includes("10.9.8.7"));
  assert.match(email.stderr, /plain http/);
  const asJson = json<Record<string, unknown>>(await aigw(home, ["onboard", "john", "--email", "--yes", "--json"]));
  assert.deepEqual(Object.keys(asJson).slice(0, 8), [
    "client",
    "password",
    "created",
    "publicUrl",
    "guideUrl",
    "services",
    "supportEmail",
    "email",
  ]);
  assert.match((await aigw(home, ["onboard", "john", "-q", "-y"])).stdout, /^\S{16,}\n$/);
  await aigw(home, ["client", "revoke", "john", "-y"]);
  assert.match((await aigw(home, ["onboard", "john", "-y"])).stderr, /john is revoked: .*aigw client restore john/);
  const badEnvironment = await aigw(home, ["onboard", "new", "--create"], { env: { AIGW_PUBLIC_URL: "nonsense" } });
  assert.equal(badEnvironment.code, 2);
  assert.match(badEnvironment.stderr, /AIGW_PUBLIC_URL: /);
  assert.equal((await aigw(home, ["client", "show", "new"])).code, 3);
  for (const columns of [20, 40, 300]) {
    const { stdout } = await aigw(home, ["onboard", "john", "-y"], { terminal: columns, env: { NO_COLOR: "1" } });
    assert.match(stdout, /[\w.~*@:,-]{20}/);
    assert.doesNotMatch(stdout, /…/);
  }
});

test("settings: environment before stored before default, and each says where it is from", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const env = { AIGW_SENDER_NAME: "Env" };
  const source = async (options = {}): Promise<unknown[]> => {
    const { settings } = json<{ settings: { key: string; value: unknown; source: string }[] }>(
      await aigw(home, ["config", "list", "--json"], options),
    );
    const { value, source: from } = settings.find(({ key }) => key === "sender-name") ?? {};
    return [value, from];
  };
  assert.deepEqual(await source(), ["Your AI Gateway team", "default"]);
  const set = await aigw(home, ["config", "set", "sender-name", "Stored"], { env });
  assert.match(set.stderr, /AIGW_SENDER_NAME is set/);
  assert.deepEqual(await source(), ["Stored", "stored"]);
  assert.deepEqual(await source({ env }), ["Env", "environment"]);
  await aigw(home, ["config", "unset", "sender-name"]);
  assert.deepEqual(await source(), ["Your AI Gateway team", "default"]);
  const unknown = await aigw(home, ["config", "set", "no-such", "x"]);
  assert.deepEqual([unknown.code, /Settings are: public-url/.test(unknown.stderr)], [2, true]);
});
