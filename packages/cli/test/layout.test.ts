import assert from "node:assert/strict";
import { test } from "node:test";
import { renderFields } from "../src/terminal/output/fields.ts";
import { READABLE } from "../src/terminal/output/style.ts";
import { type Column, renderTable } from "../src/terminal/output/table.ts";
import { PLAIN_STYLE, type View } from "../src/terminal/output/view.ts";
import { wrap } from "../src/terminal/output/wrap.ts";

const view = (width: number): View => ({ isTerminal: true, width, style: PLAIN_STYLE, now: 0 });

test("text breaks at words; a command stays whole, and alone where it is longer than the line", () => {
  const at = (text: string, width: number): readonly string[] => wrap(text, width);
  assert.deepEqual(at("There is no client 'jon'. List them: aigw client list", 45), [
    "There is no client 'jon'. List them:",
    "aigw client list",
  ]);
  assert.deepEqual(at("Then look at aigw usage tail -f, or at aigw top --once.", 30), [
    "Then look at",
    "aigw usage tail -f, or at",
    "aigw top --once.",
  ]);
  const long = "aigw client set reporting --services ocr,chat,transcription --limit 600";
  assert.deepEqual(at(`To name them: ${long}; the rest stays.`, 40), ["To name them:", `${long};`, "the rest stays."]);
  assert.deepEqual(at("It took 1.2 s, and 3.4 MB were sent", 10), ["It took", "1.2 s, and", "3.4 MB", "were sent"]);
  assert.deepEqual(at("start aigw with care", 11), ["start aigw", "with care"], "no command of ours");
  assert.deepEqual(at("a,b,c d", 3), ["a,b,c", "d"]);
  assert.deepEqual(wrap("aa,bb,cc", 5, true), ["aa,", "bb,cc"]);
});

test("a table's keys are whole whatever the width; the rest breaks, then leaves from the end", async () => {
  const columns: readonly Column[] = [
    { title: "Name" },
    { title: "URL", key: true },
    { title: "Calls", align: "right" },
    { title: "What" },
  ];
  const rows = [
    ["ocr", "http://10.0.0.1:9000", "12,345", "reads the text in a picture"],
    ["a-name-that-is-longer-than-its-share", "http://[2001:db8::1]:9000/v1/of/some/length", "7", "日本語"],
  ] as const;
  const shown = async (width: number): Promise<string> => renderTable(view(width), columns, rows);
  assert.equal(
    await shown(70),
    [
      "Name  URL                    Calls  What",
      "ocr   http://10.0.0.1:9000  12,345  reads the text in a picture",
      "a-name-that-is-longer-than-its-share",
      "                                 7  日本語",
      "  http://[2001:db8::1]:9000/v1/of/some/length",
    ].join("\n"),
  );
  assert.equal(
    (await shown(40)).split("\n")[1],
    "ocr   http://10.0.0.1:9000  12,345",
    "what it is for leaves, a number is not cut",
  );
});

test("a password is not broken, not even at a space; a value that is too long stands below its label", () => {
  const fields = [
    ["Note", "some words to be read"],
    ["Password", "two words and more", "whole"],
    ["URL", "http://127.0.0.1:9000/x"],
  ] as const;
  assert.equal(
    renderFields(view(24), fields),
    [
      "Note      some words to",
      "          be read",
      "Password",
      "  two words and more",
      "URL",
      "http://127.0.0.1:9000/x",
    ].join("\n"),
  );
});

const GROUNDS = {
  white: 0xffffff,
  black: 0,
  solarizedLight: 0xfdf6e3,
  solarizedDark: 0x002b36,
  ubuntu: 0x300a24,
  code: 0x1e1e1e,
};

/** WCAG 2.2: relative luminance. */
const luminance = (rgb: number): number => {
  const [r = 0, g = 0, b = 0] = [rgb >> 16, (rgb >> 8) & 255, rgb & 255].map((value) => {
    const channel = value / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

const cube = (n: number): number => {
  const level = (step: number): number => [0, 95, 135, 175, 215, 255][step] ?? 0;
  const at = n - 16;
  return (level(Math.floor(at / 36)) << 16) | (level(Math.floor(at / 6) % 6) << 8) | level(at % 6);
};

test("every colour can be told from a light ground and from a dark one", () => {
  for (const [tone, n] of Object.entries(READABLE)) {
    for (const [ground, rgb] of Object.entries(GROUNDS)) {
      const [light = 0, dark = 0] = [luminance(cube(n)), luminance(rgb)].sort((one, other) => other - one);
      const ratio = (light + 0.05) / (dark + 0.05);
      assert.ok(ratio >= 3, `${tone} on ${ground}: ${ratio.toFixed(2)}`);
    }
  }
});
