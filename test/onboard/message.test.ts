import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import PostalMime from "postal-mime";
import { commandsIn } from "../../packages/cli/src/delivery/quick-start/commands.ts";
import { aigw, json, jsonError, opened } from "../../packages/cli/test/support/harness.ts";
import { prepareHome } from "../support/prepared-home.ts";

const NAME = "Ünïcode “quoted”, <b>François</b> 陳大文";

const setUp = async (t: TestContext): Promise<string> => {
  const { home } = await prepareHome(t, { services: { ocr: "http://10.9.8.7:9000/secret-base" } });
  for (const [key, value] of [
    ["public-url", "https://ai.example.com"],
    ["support-email", "help@example.com"],
    ["sender-name", "Zoë, “AI” Team"],
  ] as const) {
    await aigw(home, ["config", "set", key, value]);
  }
  await aigw(home, ["client", "add", "john", "--email", "john@exämple.com", "--display-name", NAME]);
  return home;
};

const ONBOARD = ["onboard", "john", "--yes", "--no-verify"];

describe("onboard --eml", () => {
  test("writes a message that a foreign MIME parser reads back to the letter", async (t) => {
    const home = await setUp(t);
    const path = join(home, "john.eml");
    const { code, stdout, stderr } = await aigw(home, [...ONBOARD, "--eml", "john.eml", "--email"]);
    assert.equal(code, 0, stderr);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const raw = readFileSync(path);
    const source = raw.toString("latin1");
    assert.doesNotMatch(source, /[^\r]\n|\r[^\n]/, "every line ends in CRLF");
    assert.ok(
      raw.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d),
      "ASCII throughout",
    );
    assert.ok(
      source.split("\r\n").every((line) => line.length <= 998),
      "RFC 5322 §2.1.1",
    );
    assert.match(source, /^Message-ID: <[^>@\s]+@example\.com>\r$/im);
    assert.match(source, /^MIME-Version: 1\.0\r$/m);
    assert.match(source, /^Content-Type: multipart\/alternative;/m);
    assert.doesNotMatch(source, /format=flowed/);
    const mail = await PostalMime.parse(raw);
    assert.deepEqual(mail.from, { address: "help@example.com", name: "Zoë, “AI” Team" });
    assert.deepEqual(mail.to, [{ address: "john@xn--exmple-cua.com", name: NAME }]);
    assert.equal(mail.subject, "AI Gateway API Access");
    assert.ok(Math.abs(Date.parse(mail.date ?? "") - Date.now()) < 60_000);
    const [head = "", ...body] = stdout.split("\n\n");
    assert.equal(head, "Subject: AI Gateway API Access");
    assert.equal((mail.text ?? "").replaceAll("\r\n", "\n").trimEnd(), body.join("\n\n").trimEnd(), "as printed");
    const { html = "" } = mail;
    assert.ok(html.includes("<p>Hi Ünïcode “quoted”, &lt;b&gt;François&lt;/b&gt; 陳大文,</p>"), html);
    assert.doesNotMatch(html, /<(script|img|link|style|b)\b/);
    assert.ok(html.includes('<a href="https://ai.example.com/guide">'));
    const pasted = html.replaceAll("&quot;", '"').replaceAll("&amp;", "&");
    for (const command of commandsIn(mail.text ?? ""))
      assert.ok(pasted.includes(command.split("\n")[0] ?? "?"), command);
    assert.doesNotMatch(`${source}${mail.text}${html}`, /10\.9\.8\.7|secret-base/);
  });

  test("Python's parser agrees", async (t) => {
    const home = await setUp(t);
    await aigw(home, [...ONBOARD, "--eml", "john.eml"]);
    const script = `import sys,json,email,email.policy,email.header,email.utils
def name(f):
  raw=email.message_from_file(open(sys.argv[1],newline=""))[f]
  return str(email.header.make_header(email.header.decode_header(email.utils.parseaddr(raw)[0])))
m=email.message_from_file(open(sys.argv[1],newline=""),policy=email.policy.default)
print(json.dumps({"defects":[str(d) for p in m.walk() for d in p.defects],"to":name("to"),"from":str(m["from"].addresses[0].addr_spec),"parts":[p.get_content_type() for p in m.walk()],"text":m.get_body(("plain",)).get_content()}))`;
    const { status, stdout, error } = spawnSync("python3", ["-c", script, join(home, "john.eml")], {
      encoding: "utf8",
    });
    if (error !== undefined) return t.skip("there is no python3 on this machine");
    assert.equal(status, 0);
    const mail = JSON.parse(stdout) as { defects: string[]; to: string; from: string; parts: string[]; text: string };
    assert.deepEqual(mail.defects, []);
    assert.equal(mail.to, NAME);
    assert.equal(mail.from, "help@example.com");
    assert.deepEqual(mail.parts, ["multipart/alternative", "text/plain", "text/html"]);
    assert.match(mail.text, /^ {5}-d "username=john&password=\S+"$/m);
  });

  test("- is standard output, with nothing beside it", async (t) => {
    const home = await setUp(t);
    const { code, stdout } = await aigw(home, [...ONBOARD, "--eml", "-"]);
    assert.equal(code, 0);
    assert.match((await PostalMime.parse(stdout)).text ?? "", /^Password: \S+$/m);
    for (const other of ["--email", "--json"]) {
      const both = await aigw(home, [...ONBOARD, "--eml", "-", other]);
      assert.equal(both.code, 2);
      assert.match(both.stderr, /takes standard output/);
    }
  });

  test("never over a file that is there, and nothing is changed then; --force replaces it in one step", async (t) => {
    const home = await setUp(t);
    const path = join(home, "john.eml");
    writeFileSync(path, "precious", { mode: 0o644 });
    const { store } = await opened(t, home);
    const before = await store.control.head();
    const refused = await aigw(home, [...ONBOARD, "--eml", "john.eml", "--json"]);
    assert.equal(refused.code, 5);
    assert.match(jsonError(refused).message, /john\.eml is there already.*--force/);
    assert.equal(readFileSync(path, "utf8"), "precious");
    assert.equal(await store.control.head(), before);
    const forced = await aigw(home, [...ONBOARD, "--eml", "john.eml", "--force", "--json"]);
    assert.equal(forced.code, 0, forced.stderr);
    assert.deepEqual([json(forced)["eml"], json(forced)["password"], json(forced)["email"]], [path, null, null]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.match(readFileSync(path, "utf8"), /^MIME-Version/m);
  });

  test("a place that takes no file is refused before anything is changed, and nothing is left behind", async (t) => {
    const home = await setUp(t);
    mkdirSync(join(home, "folder"));
    symlinkSync("/nowhere/at/all", join(home, "dangling.eml"));
    const { store } = await opened(t, home);
    const before = await store.control.head();
    for (const path of ["nowhere/john.eml", "folder", "aigw.db/x.eml", "dangling.eml"]) {
      const { code, stderr } = await aigw(home, [...ONBOARD, "--eml", path]);
      assert.ok(code === 1 || code === 5, `${path}: ${stderr}`);
      // What only looks like a file gives way to one: see below.
      if (path === "dangling.eml") continue;
      const forced = await aigw(home, [...ONBOARD, "--eml", path, "--force"]);
      assert.equal(forced.code, 1, `${path}: ${forced.stderr}`);
      assert.match(forced.stderr, /cannot be written: (its folder is not there|it is a folder|its folder is a file)/);
    }
    // Refused for another reason once the place was taken: the place is given back.
    const declined = await aigw(home, ["onboard", "john", "--eml", "later.eml", "--no-verify"], {
      terminal: 80,
      answers: [false],
    });
    assert.equal(declined.code, 130);
    assert.equal(await store.control.head(), before);
    assert.deepEqual(
      readdirSync(home).filter((file) => /eml|tmp|^\./.test(file)),
      ["dangling.eml"],
    );
    const replaced = await aigw(home, [...ONBOARD, "--eml", "dangling.eml", "--force"]);
    assert.equal(replaced.code, 0, replaced.stderr);
    assert.ok(lstatSync(join(home, "dangling.eml")).isFile(), "the link is replaced, not followed");
  });

  test("needs an address, and asks for it on a terminal", async (t) => {
    const home = await setUp(t);
    const { code, stderr } = await aigw(home, ["onboard", "mary", "--create", "--eml", "m.eml", "--no-verify"]);
    assert.equal(code, 2);
    assert.match(stderr, /Missing argument --to <address>/);
    const asked = await aigw(home, ["onboard", "mary", "--create", "--eml", "m.eml", "--no-verify"], {
      terminal: 80,
      answers: ["not an address", "mary@example.com"],
    });
    assert.equal(asked.code, 0, asked.stderr);
    assert.deepEqual((await PostalMime.parse(readFileSync(join(home, "m.eml")))).to, [
      { address: "mary@example.com", name: "" },
    ]);
  });
});

describe("onboard --template", () => {
  const write = (home: string, text: string): string => {
    const path = join(home, "mail.txt");
    writeFileSync(path, text);
    return path;
  };

  test("fills in the admin's own text; a subject is optional", async (t) => {
    const home = await setUp(t);
    write(
      home,
      "\ufeffSubject: Willkommen, {{ name }}\r\n\r\nLogin {{username}} / {{password}}\r\n    {{token-command}}\r\n\r\n    {{call-commands}}\r\n{{services}} {{limit}} {{expires}} {{guide}} {{support}} {{sender}} {{endpoint}}\r\n",
    );
    const { code, stdout, stderr } = await aigw(home, [...ONBOARD, "--template", "mail.txt"]);
    assert.equal(code, 0, stderr);
    const password = /Login john \/ (\S+)/.exec(stdout)?.[1];
    assert.equal(
      stdout,
      `Subject: Willkommen, ${NAME}

Login john / ${password}
    curl -X POST "https://ai.example.com/auth/token" \\
      -d "username=john&password=${password}"

    curl "https://ai.example.com/api/ocr" \\
      -H "Authorization: Bearer YOUR_TOKEN"
/api/ocr 60 never https://ai.example.com/guide help@example.com Zoë, “AI” Team https://ai.example.com
`,
    );
    await aigw(home, ["config", "set", "template", join(home, "mail.txt")]);
    assert.match((await aigw(home, [...ONBOARD, "--email"])).stdout, /^Subject: Willkommen/);
    assert.equal((await aigw(home, ["config", "set", "template", "mail.txt"])).code, 2, "a relative path");
  });

  test("what is wrong with it is said before anything is changed", async (t) => {
    const home = await setUp(t);
    await aigw(home, ["client", "add", "mary-jones"]);
    await aigw(home, ["service", "add", "chat", "http://10.1.1.1", "--no-check", "--header-env", "X-Api-Key=KEY"], {
      env: { KEY: "upstream-key-77" },
    });
    const { store } = await opened(t, home);
    const before = await store.control.head();
    const cases: readonly (readonly [text: string, says: RegExp])[] = [
      [
        "{{password}}\n{{jwt-secret}}",
        /line 2 has the unknown placeholder \{\{jwt-secret\}\}\. Known are: \{\{name\}\}, \{\{username\}\}, \{\{password\}\}/,
      ],
      ["{{password}} {{__proto__}}", /unknown placeholder \{\{__proto__\}\}/],
      ["{{password}} {{constructor}}", /unknown placeholder/],
      ["{{password}} {{}}", /unknown placeholder/],
      ["{{password}} {{{name}}}", /do not make a placeholder/],
      ["{{password}} {{name", /do not make a placeholder/],
      ["Hello {{name}}", /neither \{\{password\}\} nor \{\{token-command\}\}/],
      ["Subject: {{password}}\n\n{{password}}", /subject may have neither/],
      ["Subject:\n\n{{password}}", /subject is empty/],
      ["{{password}}\u0007", /not plain text/],
      ["{{password}} see http://10.9.8.7:9000/secret-base", /holds the upstream URL of ocr/],
      ["{{password}} upstream-key-77", /holds the X-Api-Key that chat is called with/],
      [`{{password}} sqlite:${home}/aigw.db`, /holds the store's address/],
      ["Hi Mary-Jones, {{password}}", /names another client: mary-jones/],
    ];
    for (const [text, says] of cases) {
      write(home, text);
      const argv = ["onboard", "john", "--no-verify", "--template", "mail.txt"];
      const { code, stderr } = await aigw(home, text.includes("Mary") ? argv : [...argv, "--yes"]);
      assert.equal(code, 2, `${text}: ${stderr}`);
      assert.match(stderr, says);
    }
    for (const path of ["absent.txt", "."]) {
      assert.equal((await aigw(home, [...ONBOARD, "--template", path])).code, 2);
    }
    writeFileSync(join(home, "mail.txt"), Buffer.from([0x7b, 0xff, 0xfe]));
    assert.match((await aigw(home, [...ONBOARD, "--template", "mail.txt"])).stderr, /not UTF-8/);
    assert.equal(await store.control.head(), before);
  });

  test("a value that looks like a placeholder stays what it is", async (t) => {
    const home = await setUp(t);
    await aigw(home, ["client", "set", "john", "--display-name", "{{password}} $& $1"]);
    write(home, "Hi {{name}}\n{{password}}\n");
    const { stdout } = await aigw(home, [...ONBOARD, "--template", "mail.txt"]);
    assert.match(stdout, /^Hi \{\{password\}\} \$& \$1$/m);
  });
});
