import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SETTING_KEYS } from "@aigw/core/config";
import { aigw, json, jsonError, temporaryHome } from "./support/harness.ts";

interface Setting {
  readonly key: string;
  readonly value: string | null;
  readonly source: string;
  readonly flag: string | null;
}

test("config get: the value alone in a pipe and with -q, whatever it is from; on a terminal also where from", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const get = async (
    key: string,
    options = {},
    ...flags: string[]
  ): Promise<readonly [number | null, string, string]> => {
    const { code, stdout, stderr } = await aigw(home, ["config", "get", key, ...flags], options);
    return [code, stdout, stderr];
  };
  const FORMS = [[], ["-q"]];
  for (const flags of FORMS) {
    assert.deepEqual(await get("public-url", {}, ...flags), [0, "http://127.0.0.1:8080\n", ""]);
    assert.deepEqual(await get("docs-url", {}, ...flags), [0, "http://127.0.0.1:8080/guide\n", ""], "what it comes to");
    assert.deepEqual(await get("support-email", {}, ...flags), [0, "", ""], "there is none");
  }
  await aigw(home, ["config", "set", "support-email", "help@example.com"]);
  const env = { AIGW_PUBLIC_URL: "https://ai.example.com" };
  assert.deepEqual(await get("mail-from"), [0, "help@example.com\n", ""]);
  assert.deepEqual(await get("docs-url", { env }), [0, "https://ai.example.com/guide\n", ""]);

  const noColour = { terminal: 80, env: { ...env, NO_COLOR: "1" } };
  assert.deepEqual(await get("public-url", noColour), [
    0,
    "https://ai.example.com\n",
    "From the environment: AIGW_PUBLIC_URL.\n",
  ]);
  assert.match((await get("support-email", noColour))[2], /^Stored: aigw config set support-email\.\n$/);
  assert.match((await get("usage-days", noColour))[2], /^The default\.\n$/);
  assert.match((await get("smtp-url", noColour))[2], /^smtp-url is not set: none\.\n$/);
  assert.match((await get("trust-proxy", noColour))[2], /aigw serve --trust-proxy comes before it/);
  const { setting } = json<{ setting: Setting }>(await aigw(home, ["config", "get", "trust-proxy", "--json"]));
  assert.deepEqual([setting.value, setting.source, setting.flag], ["off", "default", "aigw serve --trust-proxy"]);
});

test("config get: what there is not, and what is never shown", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  await aigw(home, ["config", "set", "smtp-password", "--value-stdin"], { stdin: "Kestrel-9-Lantern!" });
  const unknown = await aigw(home, ["config", "get", "public-ur", "--json"]);
  assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
  assert.match(jsonError(unknown).message, /no setting 'public-ur'\. Did you mean public-url\? Settings are: /);
  const secret = await aigw(home, ["config", "get", "smtp-password"]);
  assert.deepEqual([secret.code, secret.stdout], [2, ""]);
  assert.match(secret.stderr, /smtp-password is never shown/);
  const asJson = await aigw(home, ["config", "get", "smtp-password", "--json"]);
  assert.equal(json<{ setting: Setting }>(asJson).setting.value, null);
  for (const form of [[], ["--json"], ["-q"]]) {
    const { stdout, stderr } = await aigw(home, ["config", "list", ...form]);
    assert.doesNotMatch(stdout + stderr, /Kestrel/);
  }
  const missing = await aigw(home, ["config", "get"]);
  assert.deepEqual([missing.code, missing.stderr], [2, "error: Missing argument <key>. Use: aigw config get <key>\n"]);
});

test("config list: the default in force, marked as one, never a dash", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  const { stdout } = await aigw(home, ["config", "list"]);
  const lines = stdout.trim().split("\n").slice(1);
  assert.equal(lines.length, SETTING_KEYS.length);
  for (const line of lines) assert.match(line, /^[a-z-]+ +[^-\s].* {2}default +AIGW_/);
  assert.match(stdout, /sender-name +Your AI Gateway team +default/);
  assert.match(stdout, /docs-url +http:\/\/127\.0\.0\.1:8080\/guide +default/);
  assert.match(stdout, /cors-origins +none +default/);
  const narrow = await aigw(home, ["config", "list"], { terminal: 60, env: { NO_COLOR: "1" } });
  for (const key of SETTING_KEYS) assert.match(narrow.stdout, new RegExp(`${key} .*default`), "at 60 columns too");
  assert.equal(narrow.stdout.trimEnd().split("\n").length, SETTING_KEYS.length + 1, "a line each");
  assert.match(narrow.stderr, /What each is for, and its variable: aigw help environment/);
  const wide = await aigw(home, ["config", "list"], { terminal: 200, env: { NO_COLOR: "1" } });
  assert.match(wide.stdout, /AIGW_USAGE_DAYS +how many days single calls are kept/);
});

test("version is --version", async (t) => {
  const home = temporaryHome(t);
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  for (const argv of [["version"], ["--version"], ["version", "-q"]]) {
    assert.deepEqual(await aigw(home, argv), { code: 0, stdout: `${version}\n`, stderr: "" });
  }
  assert.deepEqual(json(await aigw(home, ["version", "--json"])), { version });
});

test("ls and rm mean list and remove, and stand in no help", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1"]);
  for (const noun of ["client", "service", "secret", "audit", "config"]) {
    const listed = await aigw(home, [noun, "list"]);
    assert.deepEqual(await aigw(home, [noun, "ls"]), listed, noun);
    assert.doesNotMatch((await aigw(home, [noun, "--help"])).stdout, /\b(ls|rm)\b/);
    assert.match((await aigw(home, [noun, "ls", "--help"])).stdout, new RegExp(`^Usage: aigw ${noun} list\\b`, "m"));
  }
  assert.deepEqual(await aigw(home, ["onboard", "unsent", "ls"]), await aigw(home, ["onboard", "unsent", "list"]));
  assert.deepEqual(await aigw(home, ["help", "client", "rm"]), await aigw(home, ["client", "remove", "--help"]));
  assert.equal((await aigw(home, ["service", "rm", "ocr", "--yes"])).stdout.startsWith("ocr removed."), true);
  assert.equal((await aigw(home, ["client", "rm", "john", "--yes"])).stdout.startsWith("john removed."), true);
});
