import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { aigw, cleanEnv, spawnAigw } from "../support/aigw.ts";
import { runHere, SecretHunt } from "../support/secret-hunt.ts";
import { within } from "../support/until.ts";

describe("secrets", () => {
  it("come out nowhere: not in any command, answer, log, e-mail, audit record or file", async (t) => {
    const hunt = await SecretHunt.start(t);
    const { secrets, masterKey, admin } = hunt;
    const { home } = secrets;
    const env = { ...hunt.env };
    const statuses = await hunt.askGateway();
    for (const status of [200, 400, 401, 403, 404, 405, 429, 502, 504]) assert.ok(statuses.has(status), `${status}`);

    // Commands in every form; then what people do wrong. `pnpm promises secrets` has all of them.
    const every = [
      ["client", "list"],
      ["client", "show", "john"],
      ["client", "set", "john", "--note", "n"],
      ["client", "revoke", "few", "--yes"],
      ["client", "restore", "few"],
      ["service", "list"],
      ["service", "show", "live"],
      ["service", "set", "away", "--timeout", "2s"],
      ["secret", "list"],
      ["secret", "rotate", "--yes", "--grace", "60m"],
      ["usage", "tail", "-n", "100"],
      ["audit", "list", "-n", "1000"],
      ["config", "list"],
      ["status"],
      ["init"],
      ["help", "exit-codes"],
      ["client", "--help"],
      ["serve", "--help"],
      ["client", "add", "john"],
      ["client", "show", "nobody"],
      ["client", "sho", "john"],
      ["client", "set", "john", "--limit", "x"],
      ["serve", "--port", "x"],
      ["service", "add", "bad", "http://u:p@a/"],
    ];
    for (const args of every) await hunt.forms(args);
    for (const name of ["weak", "john"]) {
      await hunt.cli(["client", "add", name, "--password-stdin"], `${secrets.password}\u0001\n`);
      await hunt.cli(["client", "passwd", name, "--password-stdin", "--yes", "--json"], `${secrets.password}\n`);
      await hunt.cli(["client", "add", name, "--password-stdin", "--json"], `${secrets.password}\n`);
    }
    const wrong = { ...cleanEnv(home, { ...env, AIGW_MASTER_KEY: `${masterKey}x`, AIGW_DEBUG: "1" }) };
    for (const form of [[], ["--json"]]) {
      const { code, stdout, stderr } = await runHere(wrong, ["client", "list", ...form]);
      assert.equal(code, 4);
      admin.add("a wrong master key", stdout + stderr);
    }
    for (const given of [`X-Key=${secrets.otherKey}`, secrets.otherKey, `${secrets.otherKey}=`]) {
      await hunt.forms(["service", "set", "live", "--header-env", given]);
    }
    await hunt.issueLetters();
    const real = await aigw(home, ["client", "show", "john"], { env });
    admin.add("client show as a process", real.stdout + real.stderr);
    const lost = spawnAigw(home, ["serve", "--port", new URL(hunt.gateway.url).port], { env });
    const { code, stdout, stderr } = await within("a port in use", lost.done);
    assert.equal(code, 1);
    admin.add("serve on a port in use", stdout + stderr);

    const { leaks, unfound, bytes } = await hunt.end();
    assert.deepEqual(leaks, []);
    assert.deepEqual(unfound, []);
    t.diagnostic(`${bytes} bytes searched`);
  });
});
