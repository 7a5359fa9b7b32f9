import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { aigw, temporaryHome } from "./support/harness.ts";

/** Commands that read a file which is named behind a flag; FILE is its place. */
const READING: readonly (readonly [flag: string, argv: readonly string[]])[] = [
  ["--data", ["service", "test", "ocr", "--data", "FILE"]],
  ["--ca", ["service", "set", "ocr", "--ca", "FILE"]],
  ["--example", ["service", "set", "ocr", "--example", "FILE"]],
  ["--try", ["service", "meter", "ocr", "--try", "FILE", "--meter", "openai"]],
  ["--from", ["onboard", "--from", "FILE", "--create", "--yes"]],
  ["--template", ["onboard", "john", "--template", "FILE", "--yes"]],
];

test("whatever file cannot be read is named with what named it, why, and what to do; exit 2", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init"]);
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1", "--no-check"]);
  await aigw(home, ["client", "add", "john"]);
  for (const [flag, argv] of READING) {
    for (const [file, why] of [
      [join(home, "gone"), "there is no such file. Check its name."],
      [home, "it is a folder. Name a file in it."],
      [join(home, "aigw.db", "in"), "what stands before its name is no folder. Check its name."],
    ] as const) {
      const { code, stderr } = await aigw(
        home,
        argv.map((word) => (word === "FILE" ? file : word)),
      );
      assert.equal(code, 2, stderr);
      assert.ok(stderr.startsWith(`error: ${flag}: ${file} cannot be read: ${why}`), `${flag}: ${stderr}`);
    }
  }
});
