import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { type OnboardingFacts, quickStart } from "@aigw/core";
import { hasBashAndCurl, pasteIntoBash } from "../../packages/cli/src/delivery/quick-start/bash.ts";
import { sendByNode } from "../../packages/cli/src/delivery/quick-start/by-node.ts";
import { curlCallOf } from "../../packages/cli/src/delivery/quick-start/curl-call.ts";
import { wordsOf } from "../../packages/cli/src/delivery/quick-start/words.ts";
import { generatePassword } from "../../packages/core/src/clients/password.ts";
import { startUpstream } from "../support/http.ts";
import { AT_FULL_SIZE } from "../support/rounds.ts";

const NASTY = [
  `it's $5 & "more"`,
  "$(touch /tmp/owned) `id` $HOME",
  "a+b%20c=d&e=f;g#h?i/j",
  "\\back\\\\slash\\",
  "'''''''''''''",
  '""""!!!!????',
  "-@--file~*",
  "@/etc/passwd-Aa1",
  " leading and trailing ",
  "ünïcödé – 密码 🔑",
  "<b>&amp;</b>|>/dev/null",
  "!! !$ !* ^a^b",
  "{{password}}\\n\\t",
];

const factsFor = (publicUrl: string, password: string): OnboardingFacts => ({
  greetingName: "John",
  username: "john.d_o-e",
  password,
  publicUrl,
  guideUrl: `${publicUrl}/guide`,
  services: ["ocr"],
  limitPerMinute: 60,
  expiresAt: undefined,
  supportEmail: undefined,
  senderName: undefined,
});

/** A server that keeps the passwords it is sent. */
const startKeeper = async (t: TestContext): Promise<{ url: string; forms: URLSearchParams[] }> => {
  const forms: URLSearchParams[] = [];
  const { url } = await startUpstream(t, (request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      assert.equal(request.headers["content-type"], "application/x-www-form-urlencoded");
      forms.push(new URLSearchParams(body));
      response.end("ok\n");
    });
  });
  return { url, forms };
};

const runInteractive = async (input: string): Promise<{ stdout: string; stderr: string }> => {
  const child = spawn("bash", ["--norc", "-i"], {
    env: { PATH: process.env["PATH"], HISTFILE: "/dev/null" },
    timeout: 60_000,
    stdio: "pipe",
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  }
  child.stdin.end(input);
  await once(child, "close");
  return said;
};

const passwordsIn = (forms: readonly URLSearchParams[]): readonly (string | null)[] =>
  forms.map((form) =>
    form.get("username") === "john.d_o-e" && [...form.keys()].length === 2 ? form.get("password") : null,
  );

test("step 1, pasted into bash as printed, sends every password as it is", async (t) => {
  if (!(await hasBashAndCurl(process.env))) return t.skip("there is no bash with curl on this machine");
  const { url, forms } = await startKeeper(t);
  const generated = Array.from({ length: 200 }, generatePassword);
  assert.deepEqual(
    [...new Set(generated.join(""))]
      .filter((character) => /[^A-Za-z0-9]/.test(character))
      .sort()
      .join(""),
    "*,-.:@_~",
  );
  const passwords = [...generated.slice(0, AT_FULL_SIZE ? undefined : 50), ...NASTY];
  const script = passwords.map((password) => `${quickStart(factsFor(url, password)).token}\n`).join("");
  // Interactive, as a terminal is: history expansion is on, and comes before everything else.
  const bash = await runInteractive(`set -o history -H\necho once\n!!\n${script}`);
  assert.match(bash.stdout, /^once\nonce\n/, "history expansion is on");
  assert.doesNotMatch(bash.stderr, /event not found|curl: \(|command not found/);
  assert.deepEqual(passwordsIn(forms), passwords);
});

test("the proof sends the same, by bash and by Node, and takes every such command for what it is", async (t) => {
  const { url, forms } = await startKeeper(t);
  const passwords = [generatePassword(), ...NASTY];
  const commands = passwords.map((password) => quickStart(factsFor(url, password)).token);
  const bash = await hasBashAndCurl(process.env);
  for (const command of commands) {
    assert.notEqual(curlCallOf(command), undefined, command);
    const replies = [await sendByNode(command), ...(bash ? [await pasteIntoBash(command, process.env)] : [])];
    for (const reply of replies) assert.ok(reply.kind === "answer" && reply.body === "ok\n", JSON.stringify(reply));
  }
  assert.deepEqual(
    passwordsIn(forms),
    passwords.flatMap((password) => (bash ? [password, password] : [password])),
  );
});

test("a command that bash would do more with is not understood", () => {
  for (const command of [
    "curl http://x; id",
    "curl http://x | sh",
    "curl http://x && id",
    "curl $(id)",
    "curl `id`",
    'curl "$HOME"',
    'curl "`id`"',
    'curl "a\\`id`"',
    "curl http://x > /tmp/f",
    "curl http://x\nid",
    "curl <(id)",
    "curl ~/x",
    "curl http://x*",
    "curl 'unclosed",
    'curl "unclosed',
    "curl http://x # comment",
    "curl \\$HOME",
  ]) {
    assert.equal(wordsOf(command), undefined, command);
  }
  for (const command of [
    "wget http://x",
    "curl",
    "curl http://x http://y",
    "curl file:///etc/passwd",
    "curl -o /etc/x http://x",
    "curl http://x -d @/etc/passwd",
    "curl http://x --data-urlencode @/etc/passwd",
    "curl http://x --data-urlencode p@/etc/passwd",
    "curl -K /x http://x",
    "curl http://x -H",
  ]) {
    assert.equal(curlCallOf(command), undefined, command);
  }
});
