import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ControlStore } from "@aigw/core";
import { aigw, json, jsonError, opened, temporaryHome } from "./support/harness.ts";

interface Prepared {
  readonly home: string;
  readonly control: ControlStore;
  /** `ann active, bob active`. */
  readonly statuses: () => Promise<string>;
}

const prepared = async (t: TestContext): Promise<Prepared> => {
  const home = temporaryHome(t);
  for (const name of ["ocr", "chat"]) await aigw(home, ["service", "add", name, "http://127.0.0.1:1", "--no-check"]);
  for (const name of ["ann", "bob", "cat"]) await aigw(home, ["client", "add", name, "--services", "ocr"]);
  const { control } = (await opened(t, home)).store;
  const statuses = async (): Promise<string> =>
    (await control.clients()).map(({ name, status }) => `${name} ${status}`).join(", ");
  return { home, control, statuses };
};

test("several clients: all shown, one question, one change of the log, a receipt each", async (t) => {
  const { home, control, statuses } = await prepared(t);
  const before = await control.head();
  const refused = await aigw(home, ["client", "revoke", "ann", "bob"]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /^error: Not done: ann, bob will be refused everywhere/);
  assert.equal(await control.head(), before);

  const revoked = await aigw(home, ["client", "revoke", "ann", "bob", "ann"], { terminal: 100, answers: [true] });
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.equal(revoked.stderr.match(/^\? /gm)?.length, 1, "one question");
  assert.match(revoked.stderr, /ann, bob will be refused everywhere at once; open calls will be cut off\./);
  const receipt = "No gateway is running; the next one starts with it.";
  assert.equal(revoked.stdout, `ann revoked. ${receipt}\nbob revoked. ${receipt}\n`);
  assert.equal(await control.head(), before + 1, "one change");
  const [change] = await control.latestChanges({ limit: 1 });
  assert.deepEqual(
    change?.effects.map(({ action, subject }) => `${action} ${subject}`),
    ["client.revoke ann", "client.revoke bob"],
  );
  assert.equal(await statuses(), "ann revoked, bob revoked, cat active");

  const mixed = await aigw(home, ["client", "revoke", "bob", "cat", "--yes", "--json"]);
  const { clients } = json<{ clients: { client: { name: string }; changed: boolean; receipt: { rev: number } }[] }>(
    mixed,
  );
  assert.deepEqual(
    clients.map(({ client, changed, receipt: { rev } }) => [client.name, changed, rev]),
    [
      ["bob", false, before + 2],
      ["cat", true, before + 2],
    ],
  );
  assert.equal((await aigw(home, ["client", "restore", "ann", "bob", "cat", "-q"])).stdout, "ann\nbob\ncat\n");
  assert.equal(await control.head(), before + 3);
  assert.equal(await statuses(), "ann active, bob active, cat active");
  const one = json<{ client: { name: string }; receipt: unknown }>(
    await aigw(home, ["client", "revoke", "ann", "--yes", "--json"]),
  );
  assert.equal(one.client.name, "ann", "a single one stands alone, as ever");
});

test("an unknown one among several: nothing is done, exit 3, each named with a guess", async (t) => {
  const { home, control } = await prepared(t);
  const before = await control.head();
  for (const argv of [
    ["client", "revoke", "ann", "bbo", "caat", "--yes"],
    ["client", "remove", "ann", "bbo", "caat", "--yes"],
    ["client", "restore", "ann", "bbo", "caat"],
    ["client", "set", "ann", "bbo", "caat", "--limit", "5"],
  ]) {
    const result = await aigw(home, argv);
    assert.deepEqual([result.code, result.stdout], [3, ""], argv.join(" "));
    assert.match(result.stderr, /no client 'bbo'\. Did you mean bob\? .*no client 'caat'\. Did you mean cat\?/);
    assert.doesNotMatch(result.stderr, /'ann'|will be/, "nothing was asked either");
  }
  const service = await aigw(home, ["service", "remove", "ocr", "chta", "--yes", "--json"]);
  assert.equal(service.code, 3);
  assert.match(jsonError(service).message, /no service 'chta'\. Did you mean chat\?/);
  assert.equal((await aigw(home, ["config", "unset", "docs-url", "docs-ur"])).code, 2);
  const many = Array.from({ length: 1_001 }, (_, index) => `c${index}`);
  assert.match((await aigw(home, ["client", "revoke", ...many, "--yes"])).stderr, /too many at once: 1001/);
  assert.equal(await control.head(), before);
});

test("what can be no name may be a password typed in the wrong place: it is not repeated", async (t) => {
  const { home } = await prepared(t);
  const password = "vC~7tP@qLx:9mRz*wNd4";
  for (const argv of [
    ["client", "revoke", "ann", password, "--yes"],
    ["client", "remove", password, "--yes"],
    ["client", "set", "ann", password, "--limit", "5"],
    ["client", "show", password],
    ["client", "edit", password],
    ["service", "remove", "ocr", password, "--yes"],
    ["config", "unset", "docs-url", password],
    ["config", "get", password],
  ]) {
    for (const form of [[], ["--json"]]) {
      const { code, stdout, stderr } = await aigw(home, [...argv, ...form], { env: { EDITOR: "true" } });
      assert.equal(code, argv[0] === "config" ? 2 : 3, argv.join(" "));
      assert.equal(stdout, "");
      assert.ok(!stderr.includes(password), stderr);
    }
  }
  assert.match((await aigw(home, ["client", "show", "Ann"])).stderr, /no client 'Ann'\. Did you mean ann\?/);
});

test("remove takes several of clients and of services, and purges each of them", async (t) => {
  const { home, control } = await prepared(t);
  await aigw(home, ["client", "set", "ann", "bob", "--note", "kestrel"]);
  const before = await control.head();
  const removed = await aigw(home, ["client", "remove", "ann", "bob", "--yes"]);
  assert.match(removed.stderr, /ann, bob will be removed for good: .* their e-mail addresses/);
  assert.match(removed.stdout, /^ann removed\. .*\nbob removed\. .*\n$/);
  assert.equal(await control.head(), before + 1);
  assert.doesNotMatch(JSON.stringify(await control.changesAfter(0, 100)), /kestrel/);
  const services = await aigw(home, ["service", "remove", "ocr", "chat", "--yes"]);
  assert.match(
    services.stderr,
    /\/api\/ocr will be gone at once, for the 1 client that may call it\. \/api\/chat .* 0 clients/,
  );
  assert.match(services.stdout, /^ocr removed\. .*\nchat removed\. /);
  assert.equal(await control.head(), before + 2);
  const listed = (await aigw(home, ["audit", "list", "-n", "2"])).stdout;
  assert.match(listed, /service\.remove +ocr/);
});

test("set changes all or none, and adds and takes away single services", async (t) => {
  const { home, control } = await prepared(t);
  const services = async (): Promise<unknown> =>
    Object.fromEntries((await control.clients()).map((client) => [client.name, client.services]));
  const set = (...argv: string[]): ReturnType<typeof aigw> => aigw(home, ["client", "set", ...argv]);
  const before = await control.head();
  assert.match(
    (await set("ann", "bob", "--add-service", "chat", "--limit", "5")).stdout,
    /^ann changed\. .*\nbob changed/,
  );
  assert.equal(await control.head(), before + 1);
  assert.deepEqual(await services(), { ann: ["chat", "ocr"], bob: ["chat", "ocr"], cat: ["ocr"] });
  assert.match(
    (await set("ann", "cat", "--add-service", "chat")).stdout,
    /^ann is like that already\. .*\ncat changed/,
  );
  assert.equal((await set("ann", "--remove-service", "ocr")).code, 0);
  assert.deepEqual(await services(), { ann: ["chat"], bob: ["chat", "ocr"], cat: ["chat", "ocr"] });

  const head = await control.head();
  await aigw(home, ["client", "add", "dan"]);
  for (const [argv, says] of [
    [["ann", "--add-service", "cha"], /no service 'cha'; services are: chat, ocr\. Did you mean chat\?/],
    [["bob", "ann", "--remove-service", "ocr"], /ann may not call 'ocr' anyway, but chat\./],
    [["bob", "--remove-service", "orc"], /bob may not call 'orc' anyway, but chat, ocr\. Did you mean ocr\?/],
    [["ann", "--remove-service", "chat"], /left without a service\. .*aigw client revoke ann/],
    [["dan", "--add-service", "chat"], /every service, also those to come\. .*aigw client set dan --services chat,ocr/],
    [["bob", "--services", "ocr", "--add-service", "chat"], /--services names them all/],
    [["bob", "--add-service", "chat", "--remove-service", "chat"], /'chat' is to be added and removed/],
    [["bob", "--add-service", "No"], /--add-service: service name 'No' is not valid/],
    [["bob"], /nothing to change/],
  ] as const) {
    const refused = await set(...argv);
    assert.deepEqual([refused.code, refused.stdout], [2, ""], argv.join(" "));
    assert.match(refused.stderr, says);
  }
  assert.equal(await control.head(), head + 1);
});

test("without names they are picked from a list, which holds what there is something to do for", async (t) => {
  const { home, statuses } = await prepared(t);
  const on = (argv: readonly string[], ...answers: (string | boolean | string[])[]): ReturnType<typeof aigw> =>
    aigw(home, argv, { terminal: 100, answers });
  const revoked = await on(["client", "revoke"], ["ann", "cat"], true);
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.match(revoked.stderr, /\? Which clients\?\n- ann: active\n- bob: active\n- cat: active\n/);
  assert.equal(await statuses(), "ann revoked, bob active, cat revoked");
  const restored = await on(["client", "restore"], ["cat"]);
  assert.match(restored.stderr, /\? Which clients\?\n- ann: revoked\n- cat: revoked\n$/);
  assert.match((await on(["client", "show"], "bob")).stdout, /bob/);
  assert.match((await on(["service", "remove"], ["ocr"], true)).stdout, /^ocr removed/);
  assert.match((await on(["config", "get"], "usage-days")).stdout, /^90\n$/);
  assert.match((await on(["config", "unset"])).stderr, /No setting is stored/);
  await aigw(home, ["config", "set", "sender-name", "Ann"]);
  assert.match((await on(["config", "unset"], ["sender-name"])).stdout, /^sender-name is unset\.\n$/);
  assert.match((await on(["completion"], "fish")).stdout, /^# fish completion/);
  assert.equal((await on(["why"], "bob")).code, 0);
  const tls = await on(["config", "set", "smtp-tls"], "optional");
  assert.match(tls.stderr, /\n- required: \n- unverified: \n- optional: \n/);
  await aigw(home, ["config", "unset", "smtp-tls"]);
  const onboarded = await on(["onboard", "--no-verify"], "No Name", "dan", true);
  assert.match(onboarded.stderr, /who is to be one\?\n- ann: \n[\s\S]*> client name 'No Name' is not valid/);
  assert.equal((await aigw(home, ["client", "show", "dan"])).code, 0);
  await aigw(home, ["client", "restore", "ann"]);
  const none = await on(["client", "restore"]);
  assert.deepEqual([none.code, none.stderr.includes("No client is revoked.")], [3, true]);
  const missing = await aigw(home, ["client", "revoke"]);
  assert.deepEqual(
    [missing.code, missing.stderr],
    [2, "error: Missing argument <name>. Use: aigw client revoke <name>…\n"],
  );
});
