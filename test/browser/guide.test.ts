import assert from "node:assert/strict";
import { test } from "node:test";
import { addService, setSetting } from "@aigw/core";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "../support/chromium.ts";
import { startTestGateway } from "../support/gateway.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { until } from "../support/until.ts";

const executablePath = findChromium();
const WAIT_MS = 10_000;

interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Console errors, uncaught errors, violations of the policy. */
  readonly problems: string[];
  readonly requested: string[];
}

const skip = executablePath === undefined && "chromium was not found (install it, or set AIGW_CHROMIUM)";
if (skip) reportNeed(NEEDS.browser, skip);

test("the guide in a browser", { skip }, async (t) => {
  const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: [...CHROMIUM_FLAGS] });
  t.after(() => browser.close());
  const gateway = await startTestGateway(t);
  for (const name of ["chat", "ocr", "a-service-with-a-name-as-long-as"]) {
    await addService(gateway.deps, { name, url: "http://upstream.internal:9000" });
  }
  await setSetting(gateway.deps, "support-email", "help@example.com");
  await until("the services", async () => (await (await fetch(`${gateway.url}/guide`)).text()).includes("help@"));

  const open = async (options: BrowserContextOptions): Promise<Opened> => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    const problems: string[] = [];
    const requested: string[] = [];
    page.on("console", (message) => message.type() !== "log" && problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => requested.push(request.url()));
    await page.addInitScript(
      "addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective))",
    );
    await page.goto(`${gateway.url}/guide`);
    return { page, context, problems, requested };
  };

  const read = <T>(page: Page, expression: string): Promise<T> => page.evaluate(expression) as Promise<T>;

  await t.test("loads without an error, a violation of its policy or a request to anywhere else", async () => {
    const { page, problems, requested } = await open({ viewport: { width: 1200, height: 900 } });
    assert.equal(await page.title(), "AI Gateway client guide");
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    for (const landmark of ["banner", "navigation", "main"] as const) {
      assert.equal(await page.getByRole(landmark).count(), 1, landmark);
    }
    assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
    assert.equal(await page.getByRole("cell", { name: `${gateway.url}/api/ocr` }).count(), 1);
    for (const link of await page.getByRole("navigation").getByRole("link").all()) {
      const target = await link.getAttribute("href");
      assert.equal(await page.locator(String(target)).count(), 1, `${target} leads somewhere`);
    }
    assert.deepEqual(problems, []);
    assert.deepEqual(
      requested.filter((url) => !url.startsWith("data:")),
      [`${gateway.url}/guide`],
    );
    assert.doesNotMatch(await page.content(), /upstream\.internal/);
  });

  await t.test("runs nothing that is not its own", async () => {
    const { page, problems } = await open({});
    await read(
      page,
      "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.owned = 1' }))",
    );
    assert.equal(await read(page, "window.owned"), undefined);
    await read(
      page,
      "document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.1:1/x' }))",
    );
    await until("the violations", () => problems.some((problem) => problem.startsWith("policy: img-src")));
    assert.ok(problems.some((problem) => problem.startsWith("policy: script-src")));
  });

  await t.test("copies a sample, by mouse and by keyboard, also where the clipboard API is missing", async () => {
    const { page, context } = await open({});
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: gateway.url });
    const sample = page.locator("figure.bash").first();
    const button = sample.getByRole("button", { name: "Copy: Terminal" });
    const copied = (): Promise<string> => read(page, "navigator.clipboard.readText()");
    await button.click();
    await until("the button's answer", async () => (await button.textContent()) === "Copied");
    assert.equal(await copied(), await sample.locator("code").textContent());
    assert.match(await copied(), /^# 1\. Get a token\nTOKEN=\$\(curl -s -X POST "http:/);
    assert.equal(await page.getByRole("status").textContent(), "Copied.");

    const python = page.locator("figure.python").first();
    await python.getByRole("button").focus();
    await page.keyboard.press("Enter");
    await until("the other sample", async () => (await copied()) === (await python.locator("code").textContent()));

    // As on an address in plain http that is not this machine.
    await read(page, "Object.defineProperty(navigator, 'kept', { value: navigator.clipboard })");
    await read(page, "Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    const script = page.locator("figure.javascript").first();
    await script.getByRole("button").click();
    const expected = await script.locator("code").textContent();
    await until("the old way", async () => (await read<string>(page, "navigator.kept.readText()")) === expected);
  });

  await t.test("fits a phone of 360 pixels", async () => {
    const { page, problems } = await open({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
    assert.equal(await read(page, "innerWidth"), 360);
    assert.equal(await read(page, "document.documentElement.scrollWidth"), 360);
    const outside = await read<string[]>(
      page,
      `[...document.querySelectorAll("body *")]
        .filter((e) => !e.closest("pre, .skip, .unseen, thead") && e.getBoundingClientRect().right > 360)
        .map((e) => e.outerHTML.slice(0, 80))`,
    );
    assert.deepEqual(outside, []);
    const small = await read<number[]>(
      page,
      `[...document.querySelectorAll("button, nav a")].map((e) => e.getBoundingClientRect().height).filter((h) => h < 24)`,
    );
    assert.deepEqual(small, [], "what is touched is at least 24 pixels high (WCAG 2.5.8)");
    assert.deepEqual(problems, []);
  });

  await t.test("has enough contrast in light and dark", async () => {
    const brightness: number[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await open({ colorScheme });
      const pairs = await read<[string, number[], number[]][]>(page, COLOURS);
      assert.ok(pairs.length > 50);
      for (const [what, text, ground] of pairs) {
        const ratio = contrast(text, ground);
        assert.ok(ratio >= 4.5, `${colorScheme}: ${what}: ${ratio.toFixed(2)}`);
      }
      const [, , ground = [0, 0, 0]] = pairs[0] ?? [];
      brightness.push(luminance(ground));
    }
    assert.ok((brightness[0] ?? 0) > 0.9 && (brightness[1] ?? 1) < 0.05, "a light page and a dark one");
  });

  await t.test("prints without what is only for the screen, and nothing is cut off", async () => {
    const { page } = await open({ viewport: { width: 700, height: 900 }, colorScheme: "dark" });
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    assert.equal(await page.getByRole("navigation").isVisible(), false);
    assert.equal(await page.locator("button").first().isVisible(), false);
    assert.equal(await read(page, "getComputedStyle(document.body).color"), "rgb(0, 0, 0)");
    const cut = await read<number>(
      page,
      `[...document.querySelectorAll("pre")].filter((e) => e.scrollWidth > e.clientWidth).length`,
    );
    assert.equal(cut, 0);
    const pdf = await page.pdf({ format: "A4" });
    assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
  });

  reportNeed(NEEDS.browser, undefined);
});

/** Text elements with their colour and the ground behind them. */
const COLOURS = `[...document.querySelectorAll("h1, h2, p, li, a, th, td, dt, dd, code, figcaption, button, pre b")]
  .filter((e) => e.checkVisibility() && e.textContent.trim() !== "")
  .map((e) => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    let ground = e;
    while (ground && numbers(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
    return [
      e.tagName + " " + e.textContent.slice(0, 20),
      numbers(getComputedStyle(e).color).slice(0, 3),
      numbers(getComputedStyle(ground ?? document.body).backgroundColor).slice(0, 3),
    ];
  })`;

const luminance = (rgb: readonly number[]): number => {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const channel = value / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

/** WCAG 2.2, 1.4.3. */
const contrast = (a: readonly number[], b: readonly number[]): number => {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
};
