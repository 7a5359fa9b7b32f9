import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { describe, it } from "node:test";
import { aigw, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { Aim, ATTEMPTS, type Attempt, killed, killOnce, timeOf } from "../support/killed-command.ts";
import { assertSound, type Opened, prepareHome, withHome } from "../support/prepared-home.ts";
import { rounds } from "../support/rounds.ts";

const ROUNDS = rounds(18);

describe("kill -9 of commands", { concurrency: true }, () => {
  const lanes = 3;
  const reached = { before: 0, between: 0, after: 0 };
  for (let lane = 0; lane < lanes; lane += 1) {
    it(`at any moment: before or after, never between (${lane + 1} of ${lanes})`, async (t) => {
      const { home } = await prepareHome(t, { clients: { john: {}, mary: {} } });
      // Then commands wait for its receipt, which is one more moment to be killed at.
      if (lane === 0) await startGatewayProcess(t, home);
      const aim = new Aim(await timeOf(home, ["client", "set", "john", "--note", "works"]));
      for (let round = 0; round < Math.ceil(ROUNDS / lanes); round += 1) {
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
    for (let round = 0; round < Math.ceil(ROUNDS / 6); round += 1) {
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
