import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
  type ChangeDraft,
  type Client,
  type Effect,
  openHeaders,
  secretsOf,
  verifyPassword,
  withoutSecrets,
} from "@aigw/core";
import { aigw, type Finished, spawnAigw } from "./aigw.ts";
import { allChanges, assertSound, type Opened, withHome } from "./prepared-home.ts";
import { randomBetween } from "./rounds.ts";
import { within } from "./until.ts";

/** How far a killed command came. */
export type Reached = "before" | "between" | "after";

/**
 * When to kill: random, around the moment at which the command has just about done its work, which is found by going
 * later after a kill that came too early and earlier after one that came too late. Most of the time goes to starting.
 */
export class Aim {
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

const KEY = "an-upstream-key-of-its-own";
export const UPSTREAM_ENV: Readonly<Record<string, string>> = { UPSTREAM_KEY: KEY };

export const timeOf = async (home: string, args: readonly string[]): Promise<number> => {
  const start = performance.now();
  const { code, stderr } = await aigw(home, args);
  assert.equal(code, 0, stderr);
  return performance.now() - start;
};

/** Starts a command and kills it after `ms`; it may be done by then. */
export const killed = async (home: string, args: readonly string[], ms: number): Promise<Finished> => {
  const { child, done } = spawnAigw(home, [...args, "--json"], { env: UPSTREAM_ENV });
  await delay(ms);
  child.kill("SIGKILL");
  return within(`aigw ${args.join(" ")}`, done);
};

/** A command that is killed, the actions it may append in this order, and what holds once it has appended all. */
export interface Attempt {
  readonly args: (serial: string) => readonly string[];
  readonly actions: readonly string[];
  /** What it appends instead when it fails on the way and takes back what it has begun. */
  readonly undone?: readonly string[];
  readonly after: (opened: Opened, serial: string, stdout: string) => Promise<void>;
}

const clientOf = async ({ store }: Opened, name: string): Promise<Client> => {
  const client = await store.control.client(name);
  assert.ok(client, name);
  return client;
};
const rotated = async (): Promise<void> => undefined;

export const ATTEMPTS: readonly Attempt[] = [
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
    undone: ["secret.publish", "secret.withdraw"],
    after: rotated,
  },
];

/** But for secrets, which are in the newest effect on their subject alone. */
const told = (effects: readonly Effect[]): readonly Effect[] =>
  effects.map((effect) => (secretsOf(effect).length > 0 ? withoutSecrets(effect as ChangeDraft) : effect));

/** @returns how far it came; `between` only where there are two acts: the new key is published and does not sign yet */
export const killOnce = (home: string, attempt: Attempt, serial: string, ms: number): Promise<Reached> =>
  reachedBy(home, attempt, serial, (args) => killed(home, args, ms));

/**
 * Looks at how far a command came, and that it did nothing by half.
 * @param run runs it with these arguments; with `--json` and {@link UPSTREAM_ENV}
 * @param codes with which it may say that it failed
 */
export const reachedBy = async (
  home: string,
  { args, actions, undone, after }: Attempt,
  serial: string,
  run: (args: readonly string[]) => Promise<Finished>,
  codes: readonly number[] = [5],
): Promise<Reached> => {
  const before = await withHome(home, ({ store }) => allChanges(store));
  const { code, stdout, stderr } = await run(args(serial));
  return withHome(home, async (opened) => {
    await assertSound(opened);
    const changes = await allChanges(opened.store);
    assert.deepEqual(told(changes.slice(0, before.length)), told(before), "what was there stays");
    const added = changes.slice(before.length).map(({ action }) => action);
    if (code !== 0 && undone !== undefined && isDeepStrictEqual(added, undone)) return "before";
    assert.deepEqual(added, actions.slice(0, added.length), args(serial).join(" "));
    if (code === 0 && stdout.includes('"changed":false')) return "after";
    if (code === 0) assert.equal(added.length, actions.length, "acknowledged, but not there");
    else if (code !== null) assert.ok(codes.includes(code), `exit ${code}: ${stderr}`);
    if (added.length === actions.length) await after(opened, serial, stdout);
    if (added.length === 0) return "before";
    return added.length === actions.length ? "after" : "between";
  });
};
