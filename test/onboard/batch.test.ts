import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { verifyPassword } from "@aigw/core";
import PostalMime from "postal-mime";
import { aigw as inProcess, json, opened, type RunOptions } from "../../packages/cli/test/support/harness.ts";
import { startTestGateway } from "../support/gateway.ts";
import { login, startEcho } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { startMailServer } from "../support/smtp.ts";

interface Row {
  readonly client: {
    readonly name: string;
    readonly email: string | null;
    readonly limit: number;
    readonly services: readonly string[] | null;
    readonly expiresAt: string | null;
    readonly provenAt: string | null;
    readonly displayName: string | null;
  };
  readonly password: string | null;
  readonly created: boolean;
  readonly eml: string | null;
  readonly sent: { readonly ok: boolean; readonly answer: string; readonly keptAt: string | null } | null;
  readonly quickStart: { readonly works: boolean } | null;
  readonly problem: string | null;
}

const aigw = (home: string, argv: readonly string[], options: RunOptions = {}): ReturnType<typeof inProcess> =>
  inProcess(home, argv, { ...options, env: { PATH: process.env["PATH"] ?? "", ...options.env } });

const setUp = async (t: TestContext, csv: string | Buffer): Promise<string> => {
  const { home } = await prepareHome(t, {
    services: { ocr: "http://127.0.0.1:1", chat: "http://127.0.0.1:1" },
    clients: { mary: {} },
  });
  await aigw(home, ["config", "set", "support-email", "help@example.com"]);
  await aigw(home, ["config", "set", "public-url", "http://127.0.0.1:1"]);
  writeFileSync(join(home, "people.csv"), csv);
  return home;
};

const FROM = ["onboard", "--from", "people.csv", "--create"];

describe("onboard --from", { concurrency: 3 }, () => {
  test("one message each, through a real gateway, proven, in a folder of their owner's", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { services: { ocr: echo.url, chat: echo.url } });
    const { home } = gateway;
    await aigw(home, ["config", "set", "public-url", gateway.url]);
    await aigw(home, ["config", "set", "support-email", "help@example.com"]);
    // As a spreadsheet writes it: BOM, CRLF, quoted cells, columns in any order, an empty row at the end.
    const csv =
      "\ufeffE-Mail,Display Name,name,Limit,services,expires\r\n" +
      'anna@example.com,"Anna ""A."" Ångström, PhD",anna,600,"ocr, chat",2099-01-31\r\n' +
      "bob@example.com,,bob,,,\r\n" +
      ",,,,,\r\n";
    writeFileSync(join(home, "people.csv"), csv);
    const result = await aigw(home, [...FROM, "--out", "mails", "--json"]);
    assert.equal(result.code, 0, result.stderr);
    const { clients } = json<{ clients: Row[] }>(result);
    const [anna, bob] = clients;
    assert.deepEqual(
      [
        anna?.client.displayName,
        anna?.client.limit,
        anna?.client.services,
        anna?.client.expiresAt,
        anna?.created,
        anna?.password,
      ],
      ['Anna "A." Ångström, PhD', 600, ["chat", "ocr"], "2099-02-01T00:00:00.000Z", true, null],
    );
    assert.deepEqual([bob?.client.limit, bob?.client.services, bob?.client.displayName], [60, null, null]);
    for (const { client, quickStart } of clients) {
      assert.equal(quickStart?.works, true);
      assert.notEqual(client.provenAt, null);
      const path = join(home, "mails", `${client.name}.eml`);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      const { text = "", to } = await PostalMime.parse(readFileSync(path));
      assert.deepEqual(
        to?.map(({ address }) => address),
        [client.email],
      );
      const password = /^Password: (\S+)$/m.exec(text)?.[1] ?? "";
      assert.equal((await login(gateway.url, client.name, password)).status, 200);
      assert.ok(!`${result.stdout}${result.stderr}`.includes(password));
      for (const other of clients) if (other.client.name !== client.name) assert.ok(!text.includes(other.client.name));
    }
    assert.equal(statSync(join(home, "mails")).mode & 0o777, 0o700);
    assert.equal(echo.seen.filter(({ method }) => method === "GET").length, 4);
  });

  test("without --out and --send the table hands out the passwords", async (t) => {
    const home = await setUp(t, "name;services;limit\nanna;ocr,chat;5\nbob;;\n");
    const { code, stdout, stderr } = await aigw(home, FROM);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^NAME +PASSWORD +DONE +QUICK START\nanna +\S{20} +added +not tried\nbob /);
    const password = /^anna +(\S+)/m.exec(stdout)?.[1] ?? "";
    const { store } = await opened(t, home);
    const anna = await store.control.client("anna");
    assert.ok(await verifyPassword(anna?.passwordHash ?? "", password));
    assert.deepEqual(anna?.services, ["chat", "ocr"]);
    const quiet = await aigw(home, [...FROM, "--yes", "-q"]);
    assert.match(quiet.stdout, /^anna \S{20}\nbob \S{20}\n$/);
    assert.ok(!quiet.stdout.includes(password), "new ones");
  });

  test("every problem of every row is told with its line, and nothing is changed", async (t) => {
    const rows = [
      "name,email,limit,services,expires",
      "ok,ok@example.com,10,ocr,2099-01-01",
      "UPPER,not-an-address,many,ocr,2099-01-01",
      "",
      "ok,twice@example.com,,,",
      ',x@example.com,,,""',
      "mary,mary@example.com,,,",
      "late,late@example.com,,tts,2001-01-01",
      "wide,wide@example.com,1,ocr,2099-01-01,surplus",
      "nomail,,,,",
    ];
    const home = await setUp(t, `${rows.join("\n")}\n`);
    const { store } = await opened(t, home);
    const before = await store.control.head();
    const { code, stdout, stderr } = await aigw(home, [...FROM, "--out", "mails"]);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    const lines = stderr.trim().split("\n  ");
    assert.equal(lines[0], "error: people.csv has 11 problems. Nothing was changed.");
    for (const wanted of [
      /^line 3: client name 'UPPER' is not valid/,
      /^line 3: e-mail address 'not-an-address' is not valid/,
      /^line 3: limit 'many' is not valid/,
      /^line 5: ok stands on line 2 already$/,
      /^line 6: the name is missing$/,
      /^line 7: mary exists; with --yes the old password stops working$/,
      /^line 7: mary exists with other facts \(e-mail\); change them first: aigw client set mary$/,
      /^line 8: expiry '2001-01-01' is not valid: it lies in the past/,
      /^line 8: there is no service 'tts'; services are: chat, ocr$/,
      /^line 9: it has 6 cells, and the header 5/,
      /^line 10: nomail has no e-mail address$/,
    ]) {
      assert.ok(
        lines.some((line) => wanted.test(line)),
        `${wanted} in\n${stderr}`,
      );
    }
    assert.equal(await store.control.head(), before);
    assert.ok(!readdirSync(home).includes("mails"));
    const asJson = await aigw(home, [...FROM, "--out", "mails", "--json"]);
    const { error } = JSON.parse(asJson.stderr) as { error: { code: string; problems: string[] } };
    assert.deepEqual([error.code, error.problems.length], ["invalid_value", 11]);
  });

  test("a file that is no such list is refused", async (t) => {
    const home = await setUp(t, "");
    const cases: readonly (readonly [content: string | Buffer, says: RegExp])[] = [
      ["", /it is empty/],
      ["\n\n", /it is empty/],
      ["name,email\n", /nobody in it but the header row/],
      ["anna,anna@example.com\n", /there is no column 'anna'; columns are: name, email/],
      ["email\na@example.com\n", /there is no column 'name'/],
      ["name,Name\na,b\n", /stands there twice/],
      ['name,email\n"anna,a@example.com\nbob,b@example.com\n', /quotation mark is out of place/],
      [Buffer.from("name\nj\xf6rg\n", "latin1"), /not UTF-8.*save it as CSV UTF-8/],
      [Buffer.from("\ufeffname\njohn\n", "utf16le"), /not UTF-8|there is no column/],
    ];
    for (const [content, says] of cases) {
      writeFileSync(join(home, "people.csv"), content);
      const { code, stderr } = await aigw(home, FROM);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    }
    assert.equal((await aigw(home, ["onboard", "--from", "absent.csv"])).code, 2);
    for (const more of [["john"], ["--email"], ["--eml", "x"], ["--to", "a@example.com"], ["--password-stdin"]]) {
      assert.equal((await aigw(home, [...FROM, ...more])).code, 2, more.join(" "));
    }
    assert.equal((await aigw(home, ["onboard", "john", "--out", "x"])).code, 2);
  });

  test("who exists gets a new password with --yes, and a file that is there stays", async (t) => {
    const home = await setUp(t, "name,email\nmary,mary@example.com\n");
    await aigw(home, ["client", "set", "mary", "--email", "mary@example.com"]);
    const refused = await aigw(home, [...FROM, "--out", "mails"]);
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /line 2: mary exists; with --yes the old password stops working/);
    assert.equal((await aigw(home, [...FROM, "--out", "mails", "--yes"])).code, 0);
    const first = readFileSync(join(home, "mails", "mary.eml"));
    const again = await aigw(home, [...FROM, "--out", "mails", "--yes"]);
    assert.equal(again.code, 5);
    assert.match(again.stderr, /has mary\.eml already\. Nothing was changed/);
    assert.deepEqual(readFileSync(join(home, "mails", "mary.eml")), first);
    assert.equal((await aigw(home, [...FROM, "--out", "mails", "--yes", "--force"])).code, 0);
    assert.notDeepEqual(readFileSync(join(home, "mails", "mary.eml")), first);
  });

  test("--send sends each; one that is refused is kept, the others are sent", async (t) => {
    const server = await startMailServer(t, {
      disabledCommands: ["STARTTLS"],
      onRcptTo: ({ address }, _session, done) =>
        done(address.startsWith("bob") ? Object.assign(new Error("no such user"), { responseCode: 550 }) : null),
    });
    const home = await setUp(t, "name,email\nanna,anna@example.com\nbob,bob@example.com\ncarl,carl@example.com\n");
    const env = { AIGW_SMTP_URL: `smtp://127.0.0.1:${server.port}` };
    const { code, stdout, stderr } = await aigw(home, [...FROM, "--send", "--json"], { env });
    assert.equal(code, 1);
    assert.match(stderr, /1 of 3 did not get their credentials: bob; the table says why/);
    const { clients } = json<{ clients: Row[] }>({ code, stdout, stderr });
    assert.deepEqual(
      clients.map(({ sent }) => sent?.ok),
      [true, false, true],
    );
    assert.deepEqual(
      server.received.map(({ to }) => to),
      [["anna@example.com"], ["carl@example.com"]],
    );
    const kept = clients[1]?.sent?.keptAt ?? "";
    assert.match(kept, /\/unsent\/bob-\S+\.eml$/);
    assert.match((await PostalMime.parse(readFileSync(kept))).text ?? "", /^Username: bob$/m);
  });

  test("a server that goes away is tried once; every message waits, and the same file sends it", async (t) => {
    let isGone = false;
    const server = await startMailServer(t, {
      disabledCommands: ["STARTTLS"],
      onMailFrom: (_address, _session, done) =>
        done(isGone ? Object.assign(new Error("closing down"), { responseCode: 421 }) : null),
    });
    const home = await setUp(t, "name,email\nanna,anna@example.com\nbob,bob@example.com\n");
    const env = { AIGW_SMTP_URL: `smtp://127.0.0.1:${server.port}` };
    isGone = true;
    const { code, stderr } = await aigw(home, [...FROM, "--send", "--out", "mails"], { env });
    assert.equal(code, 1);
    assert.equal(stderr.match(/closing down/g)?.length, 2);
    assert.match(stderr, /their e-mails wait: when it is put right, run the same again, or: aigw onboard unsent send/);
    assert.deepEqual(readdirSync(join(home, "mails")), ["anna.eml", "bob.eml"]);
    assert.equal(readdirSync(join(home, "unsent")).length, 2);
    isGone = false;
    const { store } = await opened(t, home);
    const head = await store.control.head();
    const again = await aigw(home, [...FROM, "--send", "--out", "mails"], { env });
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /This file was run before\. What waits goes out now: anna and bob\./);
    assert.equal(await store.control.head(), head, "no second password");
    assert.deepEqual(
      server.received.map(({ to }) => to),
      [["anna@example.com"], ["bob@example.com"]],
    );
    assert.deepEqual(readdirSync(join(home, "unsent")), []);
  });

  test("Ctrl-C: before all have credentials everything is taken back, after that no e-mail is lost", async (t) => {
    const server = await startMailServer(t, { disabledCommands: ["STARTTLS"] });
    const csv = "name,email\nanna,anna@example.com\nbob,bob@example.com\ncarl,carl@example.com\n";
    const env = { AIGW_SMTP_URL: `smtp://127.0.0.1:${server.port}` };
    for (const at of ["1/3 credentials", "1/3 anna"]) {
      const home = await setUp(t, csv);
      const listeners = new Set<(signal: "SIGINT") => void>();
      const { code, stderr } = await aigw(home, [...FROM, "--send"], {
        terminal: 120,
        env: { ...env, NO_COLOR: "1" },
        onStderr: (text) => {
          if (text.includes(at)) for (const listener of listeners) listener("SIGINT");
        },
        onStop: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      });
      assert.equal(code, 130, stderr);
      const { store } = await opened(t, home);
      const names = (await store.control.clients()).map(({ name }) => name);
      if (at.endsWith("credentials")) {
        assert.match(stderr, /Interrupted\. Nothing was changed/);
        assert.ok(!existsSync(join(home, "unsent")));
        assert.deepEqual(names, ["mary"]);
        assert.equal(server.received.length, 0);
      } else {
        assert.match(stderr, /the rest was neither tried nor sent/);
        assert.deepEqual(names, ["anna", "bob", "carl", "mary"]);
        const kept = readdirSync(join(home, "unsent"));
        assert.equal(server.received.length + kept.length, 3, "each is sent or kept");
        assert.ok(kept.some((file) => file.startsWith("carl-")));
      }
    }
  });

  test("a terminal sees a bar, a pipe sees none", async (t) => {
    const home = await setUp(t, "name\nanna\nbob\n");
    const piped = await aigw(home, FROM);
    assert.doesNotMatch(piped.stderr, /\[#|\r/);
    const { stderr, code } = await aigw(home, [...FROM, "--yes"], { terminal: 100, env: { NO_COLOR: "1" } });
    assert.equal(code, 0);
    assert.ok(stderr.includes("\r\x1b[K[##########..........] 1/2 credentials"));
    assert.ok(stderr.includes("[####################] 2/2 bob\r\x1b[K"), "and is taken away");
  });
});
