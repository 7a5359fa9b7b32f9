import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { aigw as inProcess, json, opened, type RunOptions } from "../../packages/cli/test/support/harness.ts";
import { prepareHome } from "../support/prepared-home.ts";

interface Document {
  readonly client: Readonly<Record<string, unknown>>;
  readonly created: boolean;
}

const setUp = async (t: TestContext) => {
  const { home } = await prepareHome(t, {
    services: { ocr: "http://127.0.0.1:1", chat: "http://127.0.0.1:1" },
    clients: { john: {}, mary: { limit: 5 } },
  });
  const run = (argv: readonly string[], options: RunOptions = {}): ReturnType<typeof inProcess> =>
    inProcess(home, argv, options);
  await run(["config", "set", "public-url", "http://127.0.0.1:1"]);
  const { store } = await opened(t, home);
  return {
    home,
    run,
    head: async () => store.control.head(),
    client: async (name: string) => store.control.client(name),
  };
};

describe("a name that nobody has", { concurrency: 3 }, () => {
  test("is not added unasked, and the one that was meant is named", async (t) => {
    const { home, run, head, client } = await setUp(t);
    const before = await head();
    for (const [name, hint] of [
      ["jonh", / Did you mean john\?/],
      ["maryy", / Did you mean mary\?/],
      ["zacharias", /'zacharias'\. Nothing/],
    ] as const) {
      const { code, stdout, stderr } = await run(["onboard", name]);
      assert.deepEqual([code, stdout], [3, ""], stderr);
      assert.match(stderr, hint);
      assert.match(stderr, new RegExp(`Nothing was changed\\. To add ${name}: --create$`, "m"));
    }
    writeFileSync(join(home, "people.csv"), "name\njonh\nanna\n");
    const many = await run(["onboard", "--from", "people.csv"]);
    assert.equal(many.code, 3);
    assert.match(
      many.stderr,
      /people\.csv has 2 problems\. Nothing was changed\.\n {2}line 2: jonh is unknown; with --create it is added/,
    );
    const no = await run(["onboard", "jonh"], { terminal: 200, answers: [false], env: { NO_COLOR: "1" } });
    assert.equal(no.code, 130);
    assert.match(no.stderr, /^There is no client 'jonh'\. Did you mean john\? jonh will be added\.\n\? Add jonh\?$/m);
    assert.equal(await head(), before);
    const yes = await run(["onboard", "jonh"], { terminal: 200, answers: [true] });
    assert.equal(yes.code, 0, yes.stderr);
    assert.notEqual(await client("jonh"), undefined);
    assert.equal((await run(["onboard", "anna", "--create"])).code, 0);
    assert.equal((await run(["onboard", "bob", "--yes"])).code, 0);
  });

  test("in a batch on a terminal: one question for all", async (t) => {
    const { home, run, head, client } = await setUp(t);
    writeFileSync(join(home, "people.csv"), "name\njohn\nanna\n");
    const before = await head();
    const options = { terminal: 200, env: { NO_COLOR: "1" } };
    const no = await run(["onboard", "--from", "people.csv"], { ...options, answers: [false] });
    assert.equal(no.code, 130);
    assert.match(
      no.stderr,
      /^Unknown, and to be added: anna\. Their old passwords and tokens will stop working at once: john\.\n\? Credentials for 2\?$/m,
    );
    assert.equal(await head(), before);
    const yes = await run(["onboard", "--from", "people.csv"], { ...options, answers: [true] });
    assert.equal(yes.code, 0, yes.stderr);
    assert.equal(await head(), before + 1, "one change");
    assert.notEqual(await client("anna"), undefined);
  });
});

describe("the facts of a client", { concurrency: 3 }, () => {
  const FACTS = ["--services", "ocr", "--limit", "600", "--display-name", "Ann A.", "--note", "of sales"];

  test("are those that client add takes", async (t) => {
    const { run, head } = await setUp(t);
    const argv = ["onboard", "ann", "--create", "--email", "ann@example.com", "--expires", "2099-01-31", ...FACTS];
    const result = await run([...argv, "--json"]);
    assert.equal(result.code, 0, result.stderr);
    const { client, created } = json<Document>(result);
    assert.equal(created, true);
    const { email, services, limit, displayName, note, expiresAt } = client;
    assert.deepEqual(
      [email, services, limit, displayName, note, expiresAt],
      ["ann@example.com", ["ocr"], 600, "Ann A.", "of sales", "2099-02-01T00:00:00.000Z"],
    );
    // With what is known of her it may be said again; a password is no way to change her.
    assert.equal((await run([...argv, "--yes"])).code, 0);
    const before = await head();
    const other = await run(["onboard", "ann", "--yes", "--limit", "5", "--services", "chat"]);
    assert.equal(other.code, 5);
    assert.match(
      other.stderr,
      /ann exists with other facts \(services, limit\); change them first: aigw client set ann/,
    );
    assert.equal(await head(), before);
    assert.equal((await run(["onboard", "eve", "--create", "--services", "tts"])).code, 2);
    assert.equal(await head(), before);
  });

  test("--email is the e-mail, the address, and no trap for a name", async (t) => {
    const { run, client } = await setUp(t);
    const named = await run(["onboard", "--email", "john", "--yes"]);
    assert.equal(named.code, 0, named.stderr);
    assert.match(named.stdout, /^Subject: /);
    const printed = await run(["onboard", "ann", "--create", "--email", "ann@example.com"]);
    assert.match(printed.stdout, /^Subject: /);
    assert.equal((await client("ann"))?.email, "ann@example.com");
    await run(["config", "set", "support-email", "help@example.com"]);
    const written = await run(["onboard", "bob", "--create", "--email", "bob@example.com", "--eml", "bob.eml"]);
    assert.equal(written.code, 0, written.stderr);
    assert.match(written.stdout, /^The e-mail is in \S+bob\.eml\./);
    const wrong = await run(["onboard", "john", "--email", "mary", "--yes"]);
    assert.deepEqual([wrong.code, wrong.stderr.includes("--email: e-mail address 'mary' is not valid")], [2, true]);
  });

  test("a file with 30d can be run again; a shorter time is another", async (t) => {
    const { home, run } = await setUp(t);
    const write = (text: string): void => writeFileSync(join(home, "people.csv"), text);
    write("name,expires\nanna,30d\n");
    assert.equal((await run(["onboard", "--from", "people.csv", "--create"])).code, 0);
    const again = await run(["onboard", "--from", "people.csv", "--yes"]);
    assert.equal(again.code, 0, again.stderr);
    assert.equal((await run(["onboard", "anna", "--expires", "30d", "--yes"])).code, 0);
    write("name,expires\nanna,29d\n");
    assert.match(
      (await run(["onboard", "--from", "people.csv", "--yes"])).stderr,
      /anna exists with other facts \(expires\)/,
    );
    write("name,expires\njohn,29d\n");
    assert.match(
      (await run(["onboard", "--from", "people.csv", "--yes"])).stderr,
      /john exists with other facts \(expires\)/,
    );
  });

  test("a row is named by its first line", async (t) => {
    const { home, run } = await setUp(t);
    const rows = ["name,display name,limit", "", 'anna,"Anna', 'of two lines",x', "", "BOB,,", 'carl,"C ""C"" C",y'];
    for (const end of ["\n", "\r\n", "\r"]) {
      writeFileSync(join(home, "people.csv"), rows.join(end));
      const { stderr } = await run(["onboard", "--from", "people.csv", "--create"]);
      const lines = stderr.trim().split("\n").slice(1);
      assert.deepEqual(
        lines.map((line) => /line (\d+)/.exec(line)?.[1]),
        ["3", "3", "6", "7"],
        stderr,
      );
    }
    writeFileSync(join(home, "people.csv"), 'name,note\nanna,x\n\nbob,"two\nlines"x\ncarl,y\n');
    const { stderr } = await run(["onboard", "--from", "people.csv", "--create"]);
    assert.match(stderr, /line 4: a quotation mark is out of place; what follows could not be read/);
  });
});
