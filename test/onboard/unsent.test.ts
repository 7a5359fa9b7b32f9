import assert from "node:assert/strict";
import { chmodSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import PostalMime from "postal-mime";
import { aigw as inProcess, json, type RunOptions } from "../../packages/cli/test/support/harness.ts";
import { doctor } from "../support/doctor.ts";
import { startTestGateway } from "../support/gateway.ts";
import { login, startEcho } from "../support/http.ts";
import { type MailServer, startMailServer } from "../support/smtp.ts";

interface Unsent {
  readonly client: string;
  readonly to: string;
  readonly at: string;
  readonly worth: string;
  readonly path: string;
}

interface Prepared {
  readonly home: string;
  readonly url: string;
  readonly server: MailServer & { refuses: boolean };
  run(argv: readonly string[], options?: RunOptions): ReturnType<typeof inProcess>;
  listed(): Promise<readonly Unsent[]>;
}

/** john and mary, whose e-mails were not taken. */
const setUp = async (t: TestContext): Promise<Prepared> => {
  const echo = await startEcho(t);
  const { home, url } = await startTestGateway(t, { services: { ocr: echo.url } });
  const server: Prepared["server"] = Object.assign(
    await startMailServer(t, {
      disabledCommands: ["STARTTLS"],
      onRcptTo: (_address, _session, done) =>
        done(server.refuses ? Object.assign(new Error("mailbox full"), { responseCode: 452 }) : null),
    }),
    { refuses: true },
  );
  const env = { PATH: process.env["PATH"] ?? "", AIGW_SMTP_URL: `smtp://127.0.0.1:${server.port}` };
  const run: Prepared["run"] = (argv, options = {}) => inProcess(home, argv, { ...options, env });
  await run(["config", "set", "public-url", url]);
  await run(["config", "set", "support-email", "help@example.com"]);
  for (const name of ["john", "mary"]) {
    const { code, stderr } = await run(["onboard", name, "--create", "--email", `${name}@example.com`, "--send"]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`452 mailbox full.*aigw onboard unsent send ${name};`));
  }
  const listed = async (): Promise<readonly Unsent[]> =>
    json<{ unsent: Unsent[] }>(await run(["onboard", "unsent", "list", "--json"])).unsent;
  return { home, url, server, run, listed };
};

describe("what could not be sent", { concurrency: 3 }, () => {
  test("is listed, sent as it is, and gone then", async (t) => {
    const { home, url, server, run, listed } = await setUp(t);
    assert.deepEqual(
      (await listed()).map(({ client, to, worth, path }) => [client, to, worth, statSync(path).mode & 0o777]),
      [
        ["john", "john@example.com", "counts", 0o600],
        ["mary", "mary@example.com", "counts", 0o600],
      ],
    );
    assert.match(
      (await run(["onboard", "unsent", "list"])).stdout,
      /^john +john@example\.com +\S+ +can be sent +\S+\.eml$/m,
    );
    const still = await run(["onboard", "unsent", "send"]);
    assert.equal(still.code, 1);
    assert.match(still.stderr, /Not sent: john and mary\. They go on waiting\./);
    assert.equal((await listed()).length, 2);
    server.refuses = false;
    const sent = await run(["onboard", "unsent", "send", "john"]);
    assert.deepEqual(
      [sent.code, sent.stdout],
      [0, "Sent to john@example.com (john): 250 queued as TEST-1\n"],
      sent.stderr,
    );
    const [mail] = server.received;
    assert.deepEqual([mail?.from, mail?.to], ["help@example.com", ["john@example.com"]]);
    assert.doesNotMatch(mail?.raw.toString() ?? "", /X-Aigw/i, "our own lines stay here");
    const password = /^Password: (\S+)$/m.exec((await PostalMime.parse(mail?.raw ?? "")).text ?? "")?.[1] ?? "";
    assert.equal((await login(url, "john", password)).status, 200);
    assert.deepEqual(
      (await listed()).map(({ client }) => client),
      ["mary"],
    );
    const asJson = json<{ unsent: { client: string; sent: { ok: boolean } }[] }>(
      await run(["onboard", "unsent", "send", "--json"]),
    );
    assert.deepEqual(
      asJson.unsent.map(({ client, sent: { ok } }) => [client, ok]),
      [["mary", true]],
    );
    assert.deepEqual(readdirSync(join(home, "unsent")), []);
    assert.match((await run(["onboard", "unsent", "send"])).stderr, /No e-mail waits/);
    assert.equal((await run(["onboard", "unsent", "send", "john"])).code, 3);
  });

  test("is of no use once another password counts, or the client is gone, and goes by itself with the next", async (t) => {
    const { server, run, listed } = await setUp(t);
    server.refuses = false;
    await run(["client", "passwd", "john", "--yes", "--no-wait"]);
    await run(["client", "revoke", "mary", "--yes", "--no-wait"]);
    assert.deepEqual(
      (await listed()).map(({ client, worth }) => [client, worth]),
      [
        ["john", "void"],
        ["mary", "refused"],
      ],
    );
    const sent = await run(["onboard", "unsent", "send"]);
    assert.equal(sent.code, 1);
    assert.match(sent.stderr, /john: not sent: another password counts by now[\s\S]*mary: not sent: mary is revoked/);
    assert.deepEqual(server.received, []);
    const cleared = await run(["onboard", "unsent", "clear"]);
    assert.deepEqual([cleared.code, cleared.stdout], [0, "1 e-mail deleted.\n"]);
    assert.deepEqual(
      (await listed()).map(({ client }) => client),
      ["mary"],
    );
    await run(["client", "restore", "mary", "--no-wait"]);
    assert.equal((await listed())[0]?.worth, "counts", "a revocation is no other password");
    const again = await run(["onboard", "mary", "--send", "--yes"]);
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(await listed(), []);
  });

  test("is deleted only when asked for, while it counts", async (t) => {
    const { run, listed } = await setUp(t);
    const nothing = await run(["onboard", "unsent", "clear"]);
    assert.match(nothing.stderr, /2 e-mails can still be sent, and stay\./);
    for (const argv of [["john"], ["--all"]]) {
      const refused = await run(["onboard", "unsent", "clear", ...argv]);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /stands nowhere but in there, and will be gone: nobody will ever see it\..*--yes/);
    }
    assert.equal((await listed()).length, 2);
    assert.equal((await run(["onboard", "unsent", "clear", "john"], { terminal: 80, answers: [true] })).code, 0);
    assert.equal((await run(["onboard", "unsent", "clear", "--all", "--yes"])).code, 0);
    assert.deepEqual(await listed(), []);
  });

  test("is known to doctor: how old it is, and who can read it", async (t) => {
    const { home, listed } = await setUp(t);
    assert.match((await doctor(home)).find("unsent_waiting").message, /e-mails wait: john and mary/);
    const [john] = await listed();
    const path = john?.path ?? "";
    const threeDaysAgo = Date.now() / 1000 - 3 * 86_400 - 60;
    utimesSync(path, threeDaysAgo, threeDaysAgo);
    chmodSync(path, 0o640);
    const found = await doctor(home);
    assert.match(found.find("unsent_old").message, /wait since 3 days ago: john\./);
    assert.ok(found.find("unsent_loose").message.includes(path));
    writeFileSync(join(home, "unsent", "john-20261125T171501473Z.eml"), "To: john@example.com\r\n\r\nold", {
      mode: 0o600,
    });
    assert.deepEqual(
      (await listed()).filter(({ worth }) => worth === "void").map(({ client, to }) => [client, to]),
      [["john", "john@example.com"]],
      "of an earlier aigw",
    );
  });
});
