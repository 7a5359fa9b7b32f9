import assert from "node:assert/strict";
import { test } from "node:test";
import { htmlOf, type OnboardingFacts, parseTemplate, renderOnboardingEmail, renderTemplate } from "@aigw/core";
import { chromium } from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "../support/chromium.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";

const executablePath = findChromium();
const skip = executablePath === undefined && "chromium was not found (install it, or set AIGW_CHROMIUM)";
if (skip) reportNeed(NEEDS.browser, skip);

const FACTS: OnboardingFacts = {
  greetingName: "Ünïcode “quoted” <b>François</b> with a name that is as long as a name may well be in some places",
  username: `client.${"l1Il".repeat(14)}`,
  password: `aB3-${"lI1O0".repeat(24)}x`,
  publicUrl: "https://ai-gateway.internal.example-company.com/team/artificial-intelligence",
  guideUrl: "https://ai-gateway.internal.example-company.com/team/artificial-intelligence/guide",
  services: ["chat", "transcription-of-long-audio-file"],
  limitPerMinute: 60,
  expiresAt: undefined,
  supportEmail: "a-very-long-address-of-support@internal.example-company.com",
  senderName: undefined,
};

test("the mail fits a phone, in both schemes, and tells l from I", { skip }, async (t) => {
  const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: [...CHROMIUM_FLAGS] });
  t.after(() => browser.close());
  const own = parseTemplate(
    "{{name}}\n{{username}}\n{{password}}\n\n\t{{token-command}}\n\t{{powershell}}\n{{endpoint}}\n",
  );
  for (const email of [renderOnboardingEmail(FACTS), renderTemplate(own, FACTS)]) {
    for (const [width, colorScheme] of [
      [320, "light"],
      [360, "dark"],
      [1280, "dark"],
    ] as const) {
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
      const requested: string[] = [];
      page.on("request", (request) => requested.push(request.url()));
      await page.setContent(htmlOf(email));
      const read = <T>(expression: string): Promise<T> => page.evaluate(expression) as Promise<T>;
      assert.ok((await read<number>("document.documentElement.scrollWidth")) <= width, `${width}`);
      const [text, panel] = await read<readonly [string, string]>(
        "['body', 'pre'].map((name) => getComputedStyle(document.querySelector(name))[name === 'body' ? 'color' : 'backgroundColor'])",
      );
      assert.equal(text, colorScheme === "dark" ? "rgb(255, 255, 255)" : "rgb(0, 0, 0)");
      assert.match(panel, /^rgba\(/, "bears both");
      // A typeface in which every letter is as wide as every other has a serif or a hook on the l.
      const widths = await read<readonly number[]>(
        `[..."lI1O0"].map((letter) => { const code = document.querySelector("code"); code.textContent = letter; return code.getBoundingClientRect().width; })`,
      );
      assert.equal(new Set(widths).size, 1, String(widths));
      assert.deepEqual(requested, [], "nothing is loaded");
      await page.close();
    }
  }
});
