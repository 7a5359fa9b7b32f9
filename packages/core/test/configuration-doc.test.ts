import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { PLACEHOLDERS, SETTING_DEFAULTS, SETTING_KEYS, SETTINGS } from "@aigw/core";

const doc = (name: string): string => readFileSync(resolve(import.meta.dirname, "../../../docs", name), "utf8");

/** The cells of the table rows under a heading. */
const rowsUnder = (text: string, heading: string): readonly (readonly string[])[] => {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  return [...section.matchAll(/^\| (.*) \|$/gm)]
    .map(([, row = ""]) => row.split(" | ").map((cell) => cell.trim()))
    .filter(([first = ""]) => first.startsWith("`"));
};

test("docs/configuration.md has every setting as the code has it", () => {
  const text = doc("configuration.md");
  const settings = rowsUnder(text, "Settings");
  assert.deepEqual(
    settings.map(([key, about]) => [key, about]),
    SETTING_KEYS.map((key) => [`\`${key}\``, SETTINGS[key].about]),
  );
  for (const [key = "", , byDefault] of settings) {
    const known = SETTING_DEFAULTS[key.replaceAll("`", "") as keyof typeof SETTING_DEFAULTS];
    if (known !== undefined) assert.equal(byDefault, `\`${known}\``, key);
  }
  const variables = new Map(rowsUnder(text, "Environment").map(([name = "", meaning = ""]) => [name, meaning]));
  for (const key of SETTING_KEYS) {
    assert.match(
      variables.get(`\`${SETTINGS[key].env}\``) ?? "missing",
      new RegExp(`^the setting \`${key}\``),
      SETTINGS[key].env,
    );
  }
});

test("docs/onboarding.md has every placeholder as the code has it", () => {
  assert.deepEqual(
    rowsUnder(doc("onboarding.md"), "A text of your own"),
    Object.entries(PLACEHOLDERS).map(([name, { about }]) => [`\`{{${name}}}\``, about]),
  );
});
