import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { blocksIn, documents } from "../support/documents.ts";

describe("lines to paste", () => {
  const lines = documents().flatMap((file) => blocksIn(file).filter(({ language }) => /^(ba|z)?sh$/.test(language)));

  it("have no comments: zsh takes them for arguments", () => {
    const commented = lines.flatMap(({ file, text }) =>
      text
        .split("\n")
        .filter((line) => /(^|\s)#(\s|$)/.test(line.replaceAll(/'[^']*'|"[^"]*"/g, "")))
        .map((line) => `${file}: ${line}`),
    );
    assert.deepEqual(commented, []);
  });

  it("are valid for the shell", () => {
    for (const { file, text } of lines) {
      const { status, stderr } = spawnSync("bash", ["-n"], { input: text, encoding: "utf8" });
      assert.equal(status, 0, `${file}: ${text}${stderr}`);
    }
  });
});
