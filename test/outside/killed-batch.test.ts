import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { verifyPassword } from "@aigw/core";
import PostalMime from "postal-mime";
import { aigw as inProcess, opened } from "../../packages/cli/test/support/harness.ts";
import { aigw, spawnAigw } from "../support/aigw.ts";
import { assertSound, prepareHome } from "../support/prepared-home.ts";
import { type MailServer, startMailServer } from "../support/smtp.ts";
import { until, within } from "../support/until.ts";

const PEOPLE = Array.from({ length: 12 }, (_, index) => `client-${String(index).padStart(2, "0")}`);
const RUN = ["onboard", "--from", "people.csv", "--send", "--create"];

interface Batch {
  readonly home: string;
  readonly server: MailServer;
  readonly argv: readonly string[];
  readonly env: Record<string, string>;
  /** Called with the number of mails taken, before the server says so. */
  onMail: (count: number) => void;
}

const setUp = async (t: TestContext): Promise<Batch> => {
  const { home } = await prepareHome(t);
  const batch: Pick<Batch, "onMail"> = { onMail: () => undefined };
  let count = 0;
  const server = await startMailServer(t, {
    disabledCommands: ["STARTTLS"],
    onRcptTo: (_address, _session, done) => {
      count += 1;
      batch.onMail(count);
      done(null);
    },
  });
  for (const [key, value] of [
    ["support-email", "help@example.com"],
    ["public-url", "http://127.0.0.1:1"],
  ] as const) {
    assert.equal((await inProcess(home, ["config", "set", key, value])).code, 0);
  }
  const file = join(home, "people.csv");
  // `30d` is another moment with every run.
  writeFileSync(file, `name,email,expires\n${PEOPLE.map((name) => `${name},${name}@example.com,30d`).join("\n")}\n`);
  const argv = RUN.map((word) => (word === "people.csv" ? file : word));
  return Object.assign(batch, { home, server, argv, env: { AIGW_SMTP_URL: `smtp://127.0.0.1:${server.port}` } });
};

const unsentIn = (home: string): readonly string[] => {
  const folder = join(home, "unsent");
  return existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [];
};

const passwordIn = async (raw: Buffer): Promise<readonly [name: string, password: string]> => {
  const { text = "" } = await PostalMime.parse(raw);
  return [/^Username: (\S+)$/m.exec(text)?.[1] ?? "", /^Password: (\S+)$/m.exec(text)?.[1] ?? ""];
};

/** @returns those whose password in force is in one of the messages, in the order of their names */
const served = async (t: TestContext, home: string, messages: readonly Buffer[]): Promise<readonly string[]> => {
  const passwords = Map.groupBy(await Promise.all(messages.map(passwordIn)), ([name]) => name);
  const { store, sealer } = await opened(t, home);
  await assertSound({ store, sealer });
  const found: string[] = [];
  for (const { name, passwordHash } of await store.control.clients()) {
    const works = await Promise.all(
      (passwords.get(name) ?? []).map(([, password]) => verifyPassword(passwordHash, password)),
    );
    if (works.includes(true)) found.push(name);
  }
  return found;
};

describe("a batch that is killed", { concurrency: 2 }, () => {
  const MOMENTS: Readonly<Record<string, (batch: Batch, kill: () => void) => unknown>> = {
    "while its messages are written": (batch, kill) =>
      until("messages", () => unsentIn(batch.home).length >= 3, 20_000).then(kill),
    "with its first mail": (batch, kill) => {
      batch.onMail = (count) => count === 1 && kill();
    },
    "in the middle of its mails": (batch, kill) => {
      batch.onMail = (count) => count === 6 && kill();
    },
    "with its last mail": (batch, kill) => {
      batch.onMail = (count) => count === PEOPLE.length && kill();
    },
  };
  for (const [when, arrange] of Object.entries(MOMENTS)) {
    test(`${when}: nobody's password is lost, and the same line ends it`, async (t) => {
      const batch = await setUp(t);
      const { home, server, argv, env } = batch;
      const { child, done } = spawnAigw(home, argv, { env });
      const killing = arrange(batch, () => child.kill("SIGKILL"));
      assert.equal((await within("the batch", done, 40_000)).signal, "SIGKILL");
      await killing;
      batch.onMail = () => undefined;
      const { store } = await opened(t, home);
      const names = (await store.control.clients()).map(({ name }) => name);
      assert.ok(names.length === 0 || names.length === PEOPLE.length, `all or nobody, not ${names.length}`);
      if (!when.startsWith("while")) assert.equal(names.length, PEOPLE.length);
      const messages = [...server.received.map(({ raw }) => raw), ...unsentIn(home).map((path) => readFileSync(path))];
      assert.deepEqual(await served(t, home, messages), names, "each password is in a mail or in a message that waits");
      const before = server.received.length;

      const again = await aigw(home, argv, { env });
      assert.equal(again.code, 0, again.stderr);
      assert.deepEqual(unsentIn(home), []);
      const mails = server.received.map(({ raw }) => raw);
      assert.deepEqual(await served(t, home, mails), PEOPLE, "everybody has a mail with a password that counts");
      // One may have been taken by the server in the moment of the kill.
      assert.ok(mails.length <= PEOPLE.length + 1, `${mails.length} mails, ${before} of them before`);

      const third = await aigw(home, argv, { env });
      assert.equal(third.code, 5, "there is nothing left to do, and nobody gets a second password unasked");
      assert.equal(server.received.length, mails.length);
    });
  }
});
