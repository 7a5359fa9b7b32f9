import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { displayWidth } from "../src/terminal/output/width.ts";
import { aigw, temporaryHome } from "./support/harness.ts";

const COMMANDS: readonly (readonly string[])[] = [
  [],
  ["client"],
  ["client", "add"],
  ["client", "list"],
  ["client", "set"],
  ["service", "add"],
  ["service", "set"],
  ["onboard"],
  ["onboard", "unsent"],
  ["config", "set"],
  ["usage", "report"],
  ["usage", "tail"],
  ["audit", "list"],
  ["serve"],
  ["help"],
];

test("help fits the terminal: prose wraps at words, what is there to be copied is whole", async (t) => {
  const home = temporaryHome(t);
  const exampleLines = (text: string): readonly string[] =>
    (/^Examples:\n([\s\S]*?)\n\n/.exec(text)?.[1] ?? "")
      .split("\n")
      .filter((line) => /^ {2}\S/.test(line))
      .map((line) => line.trim().split(/ {3,}/, 1)[0] ?? "");
  for (const command of COMMANDS) {
    const wide = (await aigw(home, [...command, "--help"], { terminal: 200, env: { NO_COLOR: "1" } })).stdout;
    for (const columns of [60, 80, 120]) {
      const { code, stdout } = await aigw(home, [...command, "--help"], { terminal: columns, env: { NO_COLOR: "1" } });
      assert.equal(code, 0);
      const copied = new Set(exampleLines(stdout).map((line) => `  ${line}`));
      for (const line of stdout.split("\n")) {
        if (copied.has(line)) continue;
        assert.ok(
          displayWidth(line) <= columns || !line.trim().includes(" "),
          `${command.join(" ")} at ${columns}: ${line}`,
        );
      }
      assert.deepEqual(exampleLines(stdout), exampleLines(wide), "each example is on a line");
      const words = (text: string): string => text.replace(/\s+/g, " ").trim();
      assert.equal(words(stdout), words(wide), "nothing is cut");
    }
    const unknown = await aigw(home, [...command, "--help"], { terminal: 0, env: { NO_COLOR: "1" } });
    const eighty = await aigw(home, [...command, "--help"], { terminal: 80, env: { NO_COLOR: "1" } });
    assert.equal(unknown.stdout, eighty.stdout, "a terminal that reports no width counts as 80");
  }
});

test("help ends with the global options, the topics and where the documentation is", async (t) => {
  const home = temporaryHome(t);
  for (const command of COMMANDS) {
    const { stdout } = await aigw(home, [...command, "--help"]);
    const end = stdout.trimEnd().split("\n").slice(-3);
    if (command.length > 0) {
      assert.equal(
        end[0],
        "Global options: --store, --home, --json, -q, -y, --no-input, --no-color, -h; in full: aigw --help",
      );
      assert.doesNotMatch(stdout, /the data folder/, "in one line");
    } else assert.match(stdout, /\n {2}--home <dir> +the data folder/);
    assert.equal(end[1], "Topics: environment, exit-codes, scripting, security; to read one: aigw help <topic>");
    const page = /^Documentation: (\S+)$/.exec(end[2] ?? "")?.[1] ?? "";
    assert.ok(existsSync(page), `${command.join(" ")}: ${end[2]}`);
  }
  for (const [command, file] of [
    ["client quota", "quotas"],
    ["client grant", "quotas"],
    ["client list", "usage"],
    ["service meter", "metering"],
    ["service list", "services"],
  ] as const) {
    const { stdout } = await aigw(home, [...command.split(" "), "--help"]);
    assert.match(stdout, new RegExp(`Documentation: \\S+/docs/${file}\\.md\n$`), command);
  }
  assert.match((await aigw(home, ["onboard", "--help"])).stdout, /Documentation: \S+\/docs\/onboarding\.md\n$/);
  const set = (await aigw(home, ["client", "set", "--help"])).stdout;
  assert.match(
    set,
    /\nWhat is known of a client:\n {2}--email [\s\S]*\n {2}--no-note [\s\S]*\nOptions:\n {2}--no-wait /,
  );
  assert.ok(!set.includes("\u001b"));
});

test("headings are bold on a terminal that has colour", async (t) => {
  const home = temporaryHome(t);
  const { stdout } = await aigw(home, ["client", "list", "--help"], { terminal: 80 });
  for (const heading of ["Examples:", "Usage:", "Which clients:", "Documentation:"])
    assert.ok(stdout.includes(`\u001b[1m${heading}\u001b[22m`), heading);
  const plain = await aigw(home, ["client", "list", "--help", "--no-color"], { terminal: 80 });
  assert.ok(!plain.stdout.includes("\u001b"));
});
