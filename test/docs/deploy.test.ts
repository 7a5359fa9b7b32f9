import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { ENVIRONMENT } from "../../packages/cli/src/app/environment.ts";
import { aigw, aigwJson, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { blocksIn } from "../support/documents.ts";
import { mongodbMissing, mongodbRan, newDatabase } from "../support/mongodb.ts";
import { reportNeed } from "../support/needs.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** Without the comment that the file begins with. */
const lines = (file: string): string => read(file).replace(/^(#.*\n)+\n/, "");

test("the files for nginx and Caddy are the lines of docs/serving.md, which the tests run", () => {
  for (const [language, file] of [
    ["nginx", "deploy/nginx.conf"],
    ["caddy", "deploy/Caddyfile"],
  ]) {
    const documented = blocksIn("docs/serving.md").filter((block) => block.language === language);
    assert.deepEqual(
      [lines(file ?? "")],
      documented.map(({ text }) => text),
      file,
    );
  }
});

test("what is said twice is said alike: the unit, the image, the compose file, the documents", () => {
  const unit = read("deploy/aigw.service");
  const files = /^LimitNOFILE=(\d+)$/m.exec(unit)?.[0] ?? "none";
  assert.ok(read("docs/serving.md").includes(`\`${files}\``), files);
  const [dockerfile, compose] = [read("deploy/Dockerfile"), read("deploy/compose.yaml")];
  const pnpm = /pnpm@[\d.]+/.exec(read("README.md"))?.[0];
  for (const [used] of dockerfile.matchAll(/pnpm@[\d.]+/g)) assert.equal(used, pnpm);
  const page = blocksIn("docs/install.md")
    .map(({ text }) => text)
    .join("\n");
  for (const [, file = ""] of `${page}\n${compose}`.matchAll(/(?:-f |dockerfile: )(deploy\/\S+)/g)) {
    assert.ok(existsSync(join(ROOT, file)), file);
  }
  const known = new Set(ENVIRONMENT.map(({ name }) => name));
  for (const [name] of `${unit}${dockerfile}${compose}${read("deploy/mongodb.environment")}`.matchAll(
    /\bAIGW_[A-Z_]+/g,
  ))
    assert.ok(known.has(name), name);
  // Longer than calls under way have, which is 30 s.
  assert.match(unit, /^TimeoutStopSec=45$/m);
  assert.match(compose, /^ +stop_grace_period: 45s$/m);
  assert.equal([...page.matchAll(/--stop-timeout 45 /g)].length, 2);
});

test("every line to paste of docs/install.md is one that a check of the installations pastes", () => {
  const checks = globSync("test/installs/*.check.ts", { cwd: ROOT }).map(read).join("\n");
  // What makes the packages is what `pnpm installs` begins with.
  const before = "Install, upgrade, uninstall";
  const pasted = [...checks.matchAll(/const \[([^\]]*)\] = installing\("([^"]+)"\)/g)].map(
    ([, blocks = "", heading = ""]) =>
      [heading, blocks.split(",").map((block) => block.split("=")[0]?.trim() ?? "")] as const,
  );
  for (const [, blocks] of pasted)
    for (const block of blocks)
      assert.ok(checks.match(new RegExp(`\\b${block}\\b`, "g"))?.length !== 1, `${block} is pasted`);
  const counted = Map.groupBy(
    blocksIn("docs/install.md").filter(({ language, heading }) => language === "bash" && heading !== before),
    ({ heading }) => heading,
  );
  assert.deepEqual(
    Object.fromEntries(pasted.map(([heading, blocks]) => [heading, blocks.length])),
    Object.fromEntries([...counted].map(([heading, blocks]) => [heading, blocks.length])),
  );
});

const noSystemd =
  spawnSync("systemd-analyze", ["--version"]).status === 0 ? undefined : "systemd-analyze was not found";
reportNeed("The systemd unit's check", noSystemd);

test("the unit is valid, and lets the gateway do little", { skip: noSystemd }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-unit-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "aigw.service");
  // The program need not be installed here.
  writeFileSync(file, read("deploy/aigw.service").replace("/usr/local/bin/aigw serve", "/bin/true serve"));
  const verified = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
  assert.deepEqual([verified.status, verified.stderr], [0, ""]);
  const exposed = spawnSync("systemd-analyze", ["security", "--offline=yes", "--threshold=20", file], {
    encoding: "utf8",
  });
  assert.equal(exposed.status, 0, exposed.stdout);
});

test("the environment for MongoDB serves two machines from one store", { skip: mongodbMissing }, async (t) => {
  const database = newDatabase("set");
  t.after(database.drop);
  const file = read("deploy/mongodb.environment");
  const [, command = ""] = /Made by: (.+)$/m.exec(file) ?? [];
  const key = spawnSync("sh", ["-c", command], { encoding: "utf8" }).stdout.trim();
  const env = Object.fromEntries(
    file
      .split("\n")
      .filter((line) => /^AIGW/.test(line))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  assert.match(env["AIGW_STORE"] ?? "", /^'mongodb:\/\/aigw:PASSWORD@[^/]+\/aigw\?.*'$/);
  assert.equal(env["AIGW_MASTER_KEY"], "");
  Object.assign(env, { AIGW_STORE: database.url, AIGW_MASTER_KEY: key });
  const homes = [temporaryHome(t), temporaryHome(t)] as const;
  const first = await aigw(homes[0], ["init"], { env });
  assert.equal(first.code, 0, first.stderr);
  const gateways = await Promise.all(homes.map((home) => startGatewayProcess(t, home, [], env)));
  const { gateways: seen } = await aigwJson<{ gateways: { id: string }[] }>(homes[1], ["status"], { env });
  assert.deepEqual(new Set(seen.map(({ id }) => id)), new Set(gateways.map(({ id }) => id)));
  mongodbRan();
});
