import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type AigwProcess, spawnAigw, startGatewayProcess } from "./aigw.ts";
import { login } from "./http.ts";
import { lockDatabase } from "./lock.ts";
import { allChanges, assertSound, prepareHome, withHome } from "./prepared-home.ts";
import { until, within } from "./until.ts";

/** Twenty commands, and what each appends when it does something. */
const COMMANDS: readonly (readonly [action: string, subject: string, ...args: string[]])[] = [
  ["client.add", "twin", "client", "add", "twin"],
  ["client.add", "twin", "client", "add", "twin"],
  ["client.add", "twin", "client", "add", "twin"],
  ["client.add", "anna", "client", "add", "anna"],
  ["client.add", "bert", "client", "add", "bert"],
  ["client.add", "carl", "client", "add", "carl"],
  ["client.set", "john", "client", "set", "john", "--limit", "77"],
  ["client.set", "john", "client", "set", "john", "--note", "a note"],
  ["client.set", "john", "client", "set", "john", "--email", "john@example.com"],
  ["client.set", "john", "client", "set", "john", "--display-name", "John Doe"],
  ["client.set", "john", "client", "set", "john", "--services", "echo"],
  ["secret.rotate", "", "secret", "rotate", "--yes"],
  ["secret.rotate", "", "secret", "rotate", "--yes"],
  ["secret.rotate", "", "secret", "rotate", "--yes"],
  ["secret.activate", "", "secret", "rotate", "--grace", "60m", "--yes"],
  ["secret.activate", "", "secret", "rotate", "--grace", "60m", "--yes"],
  ["client.revoke", "mary", "client", "revoke", "mary", "--yes"],
  ["client.restore", "mary", "client", "restore", "mary"],
  ["service.add", "chat", "service", "add", "chat", "http://127.0.0.1:9"],
  ["service.add", "chat", "service", "add", "chat", "http://127.0.0.1:9"],
];

/** Less than a command's patience with a lock. */
const LOCKED_MS = 2_500;

/** Whether the process has the database open, as far as the system tells. */
const hasOpened = ({ child }: AigwProcess): boolean => {
  if (child.exitCode !== null || process.platform !== "linux") return true;
  try {
    return readFileSync(`/proc/${child.pid}/maps`, "utf8").includes("aigw.db-shm");
  } catch {
    return true;
  }
};

/** Runs them all in one moment beside two gateways, and asserts that each is done with its record or reports a conflict. */
export const runTwentyCommands = async (
  t: Pick<TestContext, "after">,
): Promise<{ readonly commands: number; readonly changes: number; readonly conflicts: number }> => {
  const { home } = await prepareHome(t, {
    services: { echo: "http://127.0.0.1:9" },
    clients: { john: {}, mary: {} },
  });
  const gateways = await Promise.all([startGatewayProcess(t, home), startGatewayProcess(t, home)]);
  const before = await withHome(home, ({ store }) => allChanges(store));
  // All stand in front of the same lock, and run when it is let go.
  const release = await lockDatabase(t, join(home, "aigw.db"));
  const processes = COMMANDS.map(([, , ...args]) => spawnAigw(home, [...args, "--json"]));
  for (const { child } of processes) t.after(() => child.kill("SIGKILL"));
  let firstUp: number | undefined;
  await until(
    "the commands to be up",
    () => {
      const up = processes.filter(hasOpened).length;
      if (up > 0) firstUp ??= performance.now();
      return up === processes.length || performance.now() - (firstUp ?? Infinity) > LOCKED_MS;
    },
    30_000,
  );
  await release();
  const ends = await within("the commands", Promise.all(processes.map(({ done }) => done)), 30_000);

  return withHome(home, async (opened) => {
    await assertSound(opened);
    const { store } = opened;
    const changes = (await allChanges(store)).slice(before.length);
    const records = changes.map(({ action, subject }) => `${action} ${subject}`);
    let conflicts = 0;
    for (const [index, { code, stdout, stderr }] of ends.entries()) {
      const [action = "", subject, ...args] = COMMANDS[index] ?? [];
      if (code === 0) {
        const answer = JSON.parse(stdout) as { changed?: boolean; key?: { id: string } };
        if (answer.changed === false) continue;
        const record = records.indexOf(`${action} ${answer.key?.id ?? subject}`);
        assert.ok(record >= 0, `no record of ${args.join(" ")}`);
        records.splice(record, 1);
      } else {
        assert.equal(code, 5, `${args.join(" ")}: ${stderr}`);
        assert.match(JSON.parse(stderr.trim()).error.code, /^(already_exists|changed_meanwhile)$/);
        assert.equal(stdout, "");
        conflicts += 1;
      }
    }
    assert.ok(conflicts >= 3, "two twins and one service at least");
    const unclaimed = records.filter((record) => !/^secret\.(publish|withdraw) /.test(record));
    assert.deepEqual(unclaimed, [], "records of commands that did not report success");

    const john = await store.control.client("john");
    const { limit, note, email, displayName, services } = john ?? {};
    assert.deepEqual(
      { limit, note, email, displayName, services },
      { limit: 77, note: "a note", email: "john@example.com", displayName: "John Doe", services: ["echo"] },
    );
    const twins = ends.slice(0, 3).filter(({ code }) => code === 0);
    assert.equal(twins.length, 1, "one of three of the same name");
    const { password } = JSON.parse(twins[0]?.stdout ?? "") as { password: string };
    for (const { url } of gateways) assert.equal((await login(url, "twin", password)).status, 200);

    const last = changes.findLast(({ subject }) => subject === "mary")?.action;
    const { status } = (await store.control.client("mary")) ?? {};
    assert.equal(status, last === "client.revoke" ? "revoked" : "active");
    return { commands: COMMANDS.length, changes: changes.length, conflicts };
  });
};
