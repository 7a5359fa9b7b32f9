import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, openHeaders, verifyPassword } from "@aigw/core";
import { aigw, type Finished, spawnAigw, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { allChanges, assertSound, type Opened, prepareHome, withHome } from "../support/prepared-home.ts";
import { randomBetween, rounds } from "../support/rounds.ts";
import { within } from "../support/until.ts";

type Reached = "before" | "between" | "after";

/**
 * When to kill: random, around the moment at which the command has just about done its work, which is found by going
 * later after a kill that came too early and earlier after one that came too late. Most of the time goes to starting.
 */
class Aim {
  #ms: number;

  constructor(commandMs: number) {
    this.#ms = commandMs * 0.9;
  }

  next(): number {
    return this.#ms * randomBetween(0.7, 1.2);
  }

  learn(reached: Reached): void {
    if (reached === "before") this.#ms *= 1.1;
    if (reached === "after") this.#ms *= 0.9;
  }
}

describe("kill -9 of commands", { concurrency: true }, () => {
  const lanes = 3;
  const reached = { before: 0, between: 0, after: 0 };
  for (let lane = 0; lane < lanes; lane += 1) {
    it(`at any moment: before or after, never between (${lane + 1} of ${lanes})`, async (t) => {
      const { home } = await prepareHome(t, { clients: { john: {}, mary: {} } });
      // Then commands wait for its receipt, which is one more moment to be killed at.
      if (lane === 0) await startGatewayProcess(t, home);
      const aim = new Aim(await timeOf(home, ["client", "set", "john", "--note", "works"]));
      for (let round = 0; round < Math.ceil(rounds(18) / lanes); round += 1) {
        const attempt = ATTEMPTS[(round * lanes + lane) % ATTEMPTS.length] as Attempt;
        const end = await killOnce(home, attempt, `${lane}-${round}`, aim.next());
        aim.learn(end);
        reached[end] += 1;
      }
      const next = await aigw(home, ["client", "set", "john", "--note", "still works"]);
      assert.equal(next.code, 0, next.stderr);
      await withHome(home, assertSound);
      t.diagnostic(JSON.stringify(reached));
    });
  }

  it("init: there is a whole home or none, and the next init makes it", async (t) => {
    const aim = new Aim(await timeOf(temporaryHome(t), ["init"]));
    for (let round = 0; round < Math.ceil(rounds(18) / 6); round += 1) {
      const home = temporaryHome(t);
      const { code } = await killed(home, ["init", "--public-url", "https://ai.example.com"], aim.next());
      const there = existsSync(home);
      aim.learn(there ? "after" : "before");
      assert.ok(there || code !== 0, "acknowledged, but not there");
      if (there) await withHome(home, assertInitialised);
      const leftovers = readdirSync(dirname(home)).filter((name) => name !== basename(home));
      for (const name of leftovers) assert.match(name, /^(home\.init-|node-compile-cache)/);
      const again = await aigw(home, ["init", "--public-url", "https://ai.example.com"]);
      assert.equal(again.code, 0, again.stderr);
      await withHome(home, assertInitialised);
    }
  });
});

const assertInitialised = async (opened: Opened): Promise<void> => {
  await assertSound(opened);
  assert.equal((await opened.store.control.settings()).get("public-url"), "https://ai.example.com");
};

const KEY = "an-upstream-key-of-its-own";

const timeOf = async (home: string, args: readonly string[]): Promise<number> => {
  const start = performance.now();
  const { code, stderr } = await aigw(home, args);
  assert.equal(code, 0, stderr);
  return performance.now() - start;
};

/** Starts a command and kills it after `ms`; it may be done by then. */
const killed = async (home: string, args: readonly string[], ms: number): Promise<Finished> => {
  const { child, done } = spawnAigw(home, [...args, "--json"], { env: { UPSTREAM_KEY: KEY } });
  await delay(ms);
  child.kill("SIGKILL");
  return within(`aigw ${args.join(" ")}`, done);
};

/** A command that is killed, the actions it may append in this order, and what holds once it has appended all. */
interface Attempt {
  readonly args: (serial: string) => readonly string[];
  readonly actions: readonly string[];
  readonly after: (opened: Opened, serial: string, stdout: string) => Promise<void>;
}

const clientOf = async ({ store }: Opened, name: string): Promise<Client> => {
  const client = await store.control.client(name);
  assert.ok(client, name);
  return client;
};
const rotated = async (): Promise<void> => undefined;

const ATTEMPTS: readonly Attempt[] = [
  {
    args: (serial) => ["client", "add", `c-${serial}`, "--limit", "7", "--note", serial],
    actions: ["client.add"],
    after: async (opened, serial, stdout) => {
      const { limit, note, passwordHash } = await clientOf(opened, `c-${serial}`);
      assert.deepEqual([limit, note], [7, serial]);
      if (stdout !== "") assert.ok(await verifyPassword(passwordHash, JSON.parse(stdout).password), "its password");
    },
  },
  {
    args: () => ["secret", "rotate", "--yes"],
    actions: ["secret.rotate"],
    after: rotated,
  },
  {
    args: (serial) => ["client", "set", "john", "--limit", "9", "--note", serial, "--email", `${serial}@example.com`],
    actions: ["client.set"],
    after: async (opened, serial) => {
      const { limit, note, email } = await clientOf(opened, "john");
      assert.deepEqual([limit, note, email], [9, serial, `${serial}@example.com`]);
    },
  },
  {
    args: (serial) => ["service", "add", `s-${serial}`, "http://127.0.0.1:9", "--header-env", "X-Api-Key=UPSTREAM_KEY"],
    actions: ["service.add"],
    after: async ({ store, sealer }, serial) => {
      const service = await store.control.service(`s-${serial}`);
      assert.deepEqual(service && openHeaders(sealer, service), [["X-Api-Key", KEY]]);
    },
  },
  {
    args: () => ["client", "revoke", "mary", "--yes"],
    actions: ["client.revoke"],
    after: async (opened) => assert.equal((await clientOf(opened, "mary")).status, "revoked"),
  },
  {
    args: () => ["client", "restore", "mary"],
    actions: ["client.restore"],
    after: async (opened) => assert.equal((await clientOf(opened, "mary")).status, "active"),
  },
  {
    args: () => ["secret", "rotate", "--grace", "60m", "--yes"],
    actions: ["secret.publish", "secret.activate"],
    after: rotated,
  },
];

/** @returns how far it came; `between` only where there are two acts: the new key is published and does not sign yet */
const killOnce = async (
  home: string,
  { args, actions, after }: Attempt,
  serial: string,
  ms: number,
): Promise<Reached> => {
  const before = await withHome(home, ({ store }) => allChanges(store));
  const { code, stdout, stderr } = await killed(home, args(serial), ms);
  return withHome(home, async (opened) => {
    await assertSound(opened);
    const changes = await allChanges(opened.store);
    assert.deepEqual(changes.slice(0, before.length), before, "what was there stays");
    const added = changes.slice(before.length).map(({ action }) => action);
    assert.deepEqual(added, actions.slice(0, added.length), args(serial).join(" "));
    if (code === 0 && stdout.includes('"changed":false')) return "after";
    if (code === 0) assert.equal(added.length, actions.length, "acknowledged, but not there");
    else if (code !== null) assert.equal(code, 5, stderr);
    if (added.length === actions.length) await after(opened, serial, stdout);
    if (added.length === 0) return "before";
    return added.length === actions.length ? "after" : "between";
  });
};
