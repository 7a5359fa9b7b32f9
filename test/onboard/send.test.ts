import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { verifyPassword } from "@aigw/core";
import PostalMime from "postal-mime";
import { aigw as inProcess, json, jsonError, opened } from "../../packages/cli/test/support/harness.ts";
import { aigw, temporaryHome } from "../support/aigw.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { LOGIN, type MailServer, startMailServer, startTalker } from "../support/smtp.ts";

interface Sent {
  readonly to: string;
  readonly ok: boolean;
  readonly answer: string;
  readonly keptAt: string | null;
}

const setUp = async (t: TestContext, settings: Record<string, string>): Promise<string> => {
  const { home } = await prepareHome(t, { clients: { john: {} } });
  await inProcess(home, ["client", "set", "john", "--email", "john@example.com", "--display-name", "Jöhn Dœ"]);
  for (const [key, value] of Object.entries({ "support-email": "help@example.com", ...settings })) {
    const { code, stderr } = await inProcess(home, ["config", "set", key, value]);
    assert.equal(code, 0, stderr);
  }
  return home;
};

const SEND = ["onboard", "john", "--send", "--no-verify", "--yes"];

/** The new password is the one in the message, and it stands. */
const assertStands = async (t: TestContext, home: string, message: Buffer): Promise<string> => {
  const { text = "" } = await PostalMime.parse(message);
  const password = /^Password: (\S+)$/m.exec(text)?.[1] ?? "";
  assert.notEqual(password, "");
  const { store } = await opened(t, home);
  const client = await store.control.client("john");
  assert.ok(
    await verifyPassword(client?.passwordHash ?? "", password),
    "the password in the message is the one that works",
  );
  return password;
};

describe("onboard --send", { concurrency: 4 }, () => {
  test("hands the message to the server and says what that answered", async (t) => {
    const server = await startMailServer(t, { disabledCommands: ["STARTTLS"] });
    const home = await setUp(t, { "smtp-url": `smtp://127.0.0.1:${server.port}` });
    const { code, stdout, stderr } = await inProcess(home, SEND);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "Sent to john@example.com: 250 queued as TEST-1\n");
    const [mail] = server.received;
    assert.equal(mail?.from, "help@example.com");
    assert.deepEqual(mail?.to, ["john@example.com"]);
    const password = await assertStands(t, home, mail?.raw ?? Buffer.alloc(0));
    assert.ok(!`${stdout}${stderr}`.includes(password), "the password is in the message alone");
    assert.deepEqual(readdirSync(join(home, "unsent")), []);
  });

  test("logs in with the sealed password, over STARTTLS or TLS from the first byte", async (t) => {
    for (const secure of [false, true]) {
      const server = await startMailServer(t, { secure });
      const home = await setUp(t, { "smtp-url": `smtp${secure ? "s" : ""}://${LOGIN.user}@127.0.0.1:${server.port}` });
      const ca = join(home, "ca.pem");
      writeFileSync(ca, server.cert);
      await inProcess(home, ["config", "set", "smtp-password", "--value-stdin"], { stdin: `${LOGIN.password}\n` });
      // A process, because Node reads the authority when it starts.
      const sent = await aigw(home, [...SEND, "--json"], { env: { NODE_EXTRA_CA_CERTS: ca } });
      assert.equal(sent.code, 0, sent.stderr);
      const document = json<{ sent: Sent; password: string | null }>(sent);
      assert.equal(document.sent.ok, true);
      assert.equal(document.password, null);
      assert.equal(server.received[0]?.encrypted, true);
      assert.equal(server.received[0]?.user, LOGIN.user);
    }
  });

  test("--to comes before the client's own address, and mail-from before support-email", async (t) => {
    const server = await startMailServer(t, { disabledCommands: ["STARTTLS"] });
    const home = await setUp(t, { "mail-from": "noreply@example.com", "sender-name": "Zoë" });
    const env = { AIGW_SMTP_URL: `smtp://127.0.0.1:${server.port}` };
    await inProcess(home, [...SEND, "--to", "boss@example.com"], { env });
    const [mail] = server.received;
    assert.deepEqual([mail?.from, mail?.to], ["noreply@example.com", ["boss@example.com"]]);
    const { from, replyTo, to } = await PostalMime.parse(mail?.raw ?? "");
    assert.deepEqual(from, { address: "noreply@example.com", name: "Zoë" });
    assert.deepEqual(replyTo, [{ address: "help@example.com", name: "Zoë" }]);
    assert.deepEqual(to, [{ address: "boss@example.com", name: "Jöhn Dœ" }]);
  });

  test("takes the login from the environment, and shows the password nowhere", async (t) => {
    const server = await startMailServer(t);
    const home = await setUp(t, { "smtp-tls": "unverified" });
    const url = `smtp://${LOGIN.user}:${encodeURIComponent(LOGIN.password)}@127.0.0.1:${server.port}`;
    const env = { AIGW_SMTP_URL: url };
    const { code, stderr } = await inProcess(home, SEND, { env });
    assert.equal(code, 0, stderr);
    assert.equal(server.received[0]?.encrypted, true);
    const listed = await inProcess(home, ["config", "list", "--json"], {
      env: { ...env, AIGW_SMTP_PASSWORD: "Other-secret-1!" },
    });
    assert.match(listed.stdout, /"value":"smtp:\/\/mailer@127\.0\.0\.1:\d+"/);
    for (const secret of [LOGIN.password, "Other-secret-1!"]) assert.ok(!listed.stdout.includes(secret));
  });

  test("the stored password is not given to a server that the environment names", async (t) => {
    const server = await startMailServer(t);
    const home = await setUp(t, { "smtp-url": "smtp://mailer@mail.example.com", "smtp-tls": "unverified" });
    await inProcess(home, ["config", "set", "smtp-password", "--value-stdin"], { stdin: LOGIN.password });
    const env = { AIGW_SMTP_URL: `smtp://mailer@127.0.0.1:${server.port}` };
    const { code, stderr } = await inProcess(home, SEND, { env });
    assert.equal(code, 2);
    assert.match(stderr, /no password/);
    assert.deepEqual(server.tried, []);
  });
});

/**
 * What shows before a message is there leaves the old password in force. What shows only then leaves the message on disk
 * and the new password in force, and says how to send it.
 */
describe("a message that cannot be sent", { concurrency: 4 }, () => {
  interface Failure {
    readonly what: string;
    /** The server takes everything but the message. */
    readonly waits?: true;
    readonly server?: (t: TestContext) => Promise<MailServer>;
    readonly url?: (t: TestContext, server: MailServer | undefined) => Promise<string> | string;
    readonly settings?: Record<string, string>;
    readonly password?: string;
    readonly says: RegExp;
  }
  const plain = (t: TestContext) => startMailServer(t, { disabledCommands: ["STARTTLS"] });
  const failures: readonly Failure[] = [
    {
      what: "a certificate that nobody trusts, STARTTLS",
      server: (t) => startMailServer(t),
      says: /certificate of 127\.0\.0\.1:\d+ is not one that this machine trusts.*NODE_EXTRA_CA_CERTS.*smtp-tls unverified/,
    },
    {
      what: "a certificate that nobody trusts, implicit TLS",
      server: (t) => startMailServer(t, { secure: true }),
      url: (_, server) => `smtps://127.0.0.1:${server?.port}`,
      says: /certificate of 127\.0\.0\.1:\d+ is not one that this machine trusts/,
    },
    {
      what: "TLS from the first byte where the server begins in the clear",
      server: plain,
      url: (_, server) => `smtps://127.0.0.1:${server?.port}`,
      says: /does not speak TLS in this way.*is it smtp:/,
    },
    {
      what: "a wrong login",
      server: (t) => startMailServer(t),
      url: (_, server) => `smtp://mailer@127.0.0.1:${server?.port}`,
      settings: { "smtp-tls": "unverified" },
      password: "Wrong-secret-9!",
      says: /refused the login: 535 .*you sent ….*aigw config set smtp-password/,
    },
    {
      what: "a refused recipient",
      waits: true,
      server: (t) =>
        startMailServer(t, {
          disabledCommands: ["STARTTLS"],
          onRcptTo: (_address, _session, done) =>
            done(Object.assign(new Error("no such user here"), { responseCode: 550 })),
        }),
      says: /refused the recipient: 550 no such user here/,
    },
    {
      what: "a refused sender",
      waits: true,
      server: (t) =>
        startMailServer(t, {
          disabledCommands: ["STARTTLS"],
          onMailFrom: (_address, _session, done) => done(Object.assign(new Error("not yours"), { responseCode: 553 })),
        }),
      says: /refused the sender: 553 not yours; .*aigw config set mail-from/,
    },
    {
      what: "a message refused at its end",
      waits: true,
      server: (t) =>
        startMailServer(t, {
          disabledCommands: ["STARTTLS"],
          onData: (stream, _session, done) =>
            stream.resume().on("end", () => done(Object.assign(new Error("looks like spam"), { responseCode: 554 }))),
        }),
      says: /did not take it: 554 looks like spam/,
    },
    { what: "nobody there", url: () => "smtp://127.0.0.1:1", says: /nobody listens at 127\.0\.0\.1:1; check smtp-url/ },
    { what: "no such host", url: () => "smtp://mail.invalid", says: /mail\.invalid/ },
    {
      what: "a server that says nothing",
      url: async (t) => `smtp://127.0.0.1:${await startTalker(t, () => undefined)}`,
      settings: { "smtp-timeout": "700ms" },
      says: /took longer than 0\.7 s.*smtp-timeout/,
    },
    {
      what: "a server that drips",
      url: async (t) =>
        `smtp://127.0.0.1:${await startTalker(t, (socket) => {
          const timer = setInterval(() => socket.write("220-wait\r\n"), 100);
          socket.on("close", () => clearInterval(timer));
        })}`,
      settings: { "smtp-timeout": "700ms" },
      says: /took longer than 0\.7 s/,
    },
    {
      what: "a server that never says whether it has taken it",
      waits: true,
      server: (t) => startMailServer(t, { disabledCommands: ["STARTTLS"], onData: (stream) => void stream.resume() }),
      settings: { "smtp-timeout": "2500ms" },
      says: /took longer than 2\.5 s/,
    },
    {
      what: "a server that hangs up",
      url: async (t) => `smtp://127.0.0.1:${await startTalker(t, (socket) => socket.end("220 hello\r\n"))}`,
      says: /connection to 127\.0\.0\.1:\d+ was lost/,
    },
    {
      what: "a server that answers nonsense",
      url: async (t) => `smtp://127.0.0.1:${await startTalker(t, (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"))}`,
      says: /127\.0\.0\.1:\d+/,
    },
  ];
  for (const { what, waits, server: start, url, settings = {}, password, says } of failures) {
    test(what, async (t) => {
      const server = await start?.(t);
      const smtpUrl = (await url?.(t, server)) ?? `smtp://127.0.0.1:${server?.port}`;
      const home = await setUp(t, { "smtp-timeout": "5s", ...settings, "smtp-url": smtpUrl });
      if (password !== undefined)
        await inProcess(home, ["config", "set", "smtp-password", "--value-stdin"], { stdin: password });
      const { store } = await opened(t, home);
      const head = await store.control.head();
      const started = performance.now();
      const { code, stdout, stderr } = await inProcess(home, SEND);
      assert.equal(code, 1, stderr);
      assert.ok(performance.now() - started < 8_000, "bounded");
      assert.match(stderr, says);
      if (password !== undefined) assert.ok(!`${stdout}${stderr}`.includes(password));
      if (waits === undefined) {
        assert.match(stderr, /^error: The mail server cannot be used: .* Nothing was changed\.$/m);
        assert.deepEqual([await store.control.head(), existsSync(join(home, "unsent"))], [head, false]);
        return;
      }
      assert.match(
        stderr,
        /The new password of john stands, and the e-mail waits in \S+\.eml\. .*onboard unsent send john/,
      );
      const [file = ""] = readdirSync(join(home, "unsent"));
      const path = join(home, "unsent", file);
      assert.ok(stderr.includes(path));
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(statSync(join(home, "unsent")).mode & 0o777, 0o700);
      const clientPassword = await assertStands(t, home, readFileSync(path));
      assert.ok(!`${stdout}${stderr}`.includes(clientPassword));
    });
  }

  test("TLS is required beyond this machine", async (t) => {
    // The name is another machine's; nothing is sent there, because the loopback is where it leads.
    const server = await startMailServer(t, { disabledCommands: ["STARTTLS"] });
    const { deliverMessage } = await import("../../packages/cli/src/delivery/mail/nodemailer.ts");
    const refused = await deliverMessage(
      Buffer.from("Subject: x\r\n\r\nx"),
      { from: "a@example.com", to: "b@example.com" },
      {
        host: "127.0.0.1",
        port: server.port,
        implicitTls: false,
        user: undefined,
        password: undefined,
        tls: { required: true, verified: true },
        timeoutMs: 5_000,
      },
    );
    assert.ok(
      refused.kind === "refused" && /offers no TLS.*smtp-tls optional/.test(refused.why),
      JSON.stringify(refused),
    );
    assert.deepEqual(server.received, []);
  });

  const refusing = (t: TestContext) =>
    startMailServer(t, {
      disabledCommands: ["STARTTLS"],
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error("no such user"), { responseCode: 550 })),
    });

  test("is in the file of --eml, too", async (t) => {
    const home = await setUp(t, { "smtp-url": `smtp://127.0.0.1:${(await refusing(t)).port}` });
    const path = join(home, "john.eml");
    const { code, stdout, stderr } = await inProcess(home, [...SEND, "--eml", path, "--json"]);
    assert.equal(code, 1);
    const { sent, eml } = json<{ sent: Sent; eml: string }>({ code, stdout, stderr });
    assert.deepEqual([sent.ok, eml], [false, path]);
    assert.match(jsonError({ code, stdout, stderr }).message, /no such user/);
    await assertStands(t, home, readFileSync(path));
    await assertStands(t, home, readFileSync(sent.keptAt ?? ""));
  });

  test("has its place on disk before the password changes", async (t) => {
    const home = await setUp(t, { "smtp-url": `smtp://127.0.0.1:${(await refusing(t)).port}` });
    writeFileSync(join(home, "unsent"), "in the way");
    const { store } = await opened(t, home);
    const head = await store.control.head();
    const { code, stdout, stderr } = await inProcess(home, SEND);
    assert.deepEqual([code, stdout, await store.control.head()], [1, "", head]);
    assert.match(stderr, /unsent cannot be written/);
  });
});

describe("what is missing is said before anything is changed", () => {
  const cases: readonly (readonly [
    what: string,
    settings: Record<string, string>,
    env: Record<string, string>,
    says: RegExp,
  ])[] = [
    ["no server", {}, {}, /smtp-url is not set/],
    ["no password", { "smtp-url": "smtp://u@127.0.0.1" }, {}, /smtp-url names the user u, but there is no password/],
    ["no user", { "smtp-url": "smtp://127.0.0.1" }, { AIGW_SMTP_PASSWORD: "x" }, /smtp-url names no user/],
    [
      "a bad variable",
      {},
      { AIGW_SMTP_URL: "http://u:pw-secret@h" },
      /AIGW_SMTP_URL: smtp-url 'http:\/\/…@h' is not valid/,
    ],
  ];
  for (const [what, settings, env, says] of cases) {
    test(what, async (t) => {
      const home = await setUp(t, settings);
      const { store } = await opened(t, home);
      const before = await store.control.head();
      const { code, stderr } = await inProcess(home, SEND, { env });
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
      assert.ok(!stderr.includes("pw-secret"));
      assert.equal(await store.control.head(), before);
    });
  }

  test("no address to send to, none to send from", async (t) => {
    const home = temporaryHome(t);
    await inProcess(home, ["init"]);
    const env = { AIGW_SMTP_URL: "smtp://127.0.0.1:1" };
    const noTo = await inProcess(home, ["onboard", "mary", "--create", "--send"], { env });
    assert.equal(noTo.code, 2);
    assert.match(noTo.stderr, /Missing argument --to <address>/);
    const noFrom = await inProcess(home, ["onboard", "mary", "--create", "--send", "--to", "m@example.com"], { env });
    assert.equal(noFrom.code, 2);
    assert.match(noFrom.stderr, /aigw config set support-email/);
    assert.equal((await inProcess(home, ["client", "show", "mary"])).code, 3, "mary was not added");
  });
});

describe("the mail server's password", () => {
  const SECRET = "Smtp-pass-55!";
  test("never comes in as an argument, and is not repeated", async (t) => {
    const home = temporaryHome(t);
    await inProcess(home, ["init"]);
    for (const argv of [
      ["smtp-password", SECRET],
      ["smtp-url", `smtp://user:${SECRET}@mail.example.com`],
    ]) {
      const { code, stdout, stderr } = await inProcess(home, ["config", "set", ...argv]);
      assert.equal(code, 2);
      assert.match(stderr, /smtp-password/);
      assert.ok(!`${stdout}${stderr}`.includes(SECRET));
    }
    assert.equal((await inProcess(home, ["config", "set", "smtp-password"])).code, 2, "nobody to ask");
    assert.equal((await inProcess(home, ["config", "set", "sender-name", "--value-stdin"], { stdin: "x" })).code, 2);
  });

  test("is sealed in the store, shown nowhere, and set again without a change when it is the same", async (t) => {
    const home = temporaryHome(t);
    await inProcess(home, ["init"]);
    const asked = await inProcess(home, ["config", "set", "smtp-password"], { terminal: 100, answers: [SECRET] });
    assert.equal(asked.stdout, "smtp-password is sealed in the store now.\n");
    const again = await inProcess(home, ["config", "set", "smtp-password", "--value-stdin", "--json"], {
      stdin: SECRET,
    });
    assert.deepEqual(json(again)["setting"], { key: "smtp-password", value: null });
    assert.equal(json(again)["changed"], false);
    const outputs = [asked, again];
    for (const argv of [
      ["config", "list"],
      ["config", "list", "--json"],
      ["config", "list", "-q"],
      ["audit", "list"],
      ["init", "--json"],
    ]) {
      outputs.push(await inProcess(home, argv));
    }
    const everything = outputs.map(({ stdout, stderr }) => stdout + stderr).join("\n");
    assert.ok(!everything.includes(SECRET));
    assert.doesNotMatch(everything, /v1\.[\w-]{20}/);
    assert.match(everything, /set, not shown/);
    for (const file of readdirSync(home)) assert.ok(!readFileSync(join(home, file)).includes(SECRET), file);
    const { store, sealer } = await opened(t, home);
    const sealed = (await store.control.settings()).get("smtp-password") ?? "";
    assert.equal(Buffer.from(sealer.open("setting", sealed)).toString(), SECRET);
  });
});
