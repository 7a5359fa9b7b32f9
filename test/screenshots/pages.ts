import { join } from "node:path";
import { addService, htmlOf, type OnboardingFacts, renderOnboardingEmail, setSetting } from "@aigw/core";
import { type Browser, chromium, type Page } from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "../support/chromium.ts";
import { startTestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";

const PUBLIC_URL = "https://ai.example.com";
const SUPPORT = "ai-support@example.com";

const FACTS: OnboardingFacts = {
  greetingName: "Mary",
  username: "mary",
  password: "Kx4-wq9Rt.lI1O0:ubZv",
  publicUrl: PUBLIC_URL,
  guideUrl: `${PUBLIC_URL}/guide`,
  services: ["chat", "ocr"],
  limitPerMinute: 60,
  expiresAt: undefined,
  supportEmail: SUPPORT,
  senderName: undefined,
};

const SIZES = [
  ["", { width: 1280, height: 900 }],
  ["-phone", { width: 360, height: 740 }],
] as const;

/** The guide as a gateway serves it, and the e-mail as a mail program shows it: at 1280 and 360 pixels, light and dark. */
export const shootPages = async (folder: string): Promise<void> => {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("chromium was not found (install it, or set AIGW_CHROMIUM)");
  const undo: (() => unknown)[] = [];
  const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS] });
  try {
    const { url, deps } = await startTestGateway({ after: (fn) => void undo.push(fn as () => unknown) });
    await setSetting(deps, "public-url", PUBLIC_URL);
    await setSetting(deps, "support-email", SUPPORT);
    await addService(deps, { name: "chat", url: "http://10.0.0.12:8000/v1", description: "Chat models" });
    await addService(deps, { name: "ocr", url: "http://10.0.0.11:9000", description: "Reads the text in a picture" });
    await until("the services", async () => (await (await fetch(`${url}/guide`)).text()).includes("/api/ocr"));
    await shoot(browser, join(folder, "guide"), (page) => page.goto(`${url}/guide`));
    await shoot(browser, join(folder, "mail"), (page) => page.setContent(htmlOf(renderOnboardingEmail(FACTS))));
  } finally {
    await browser.close();
    for (const step of undo.reverse()) await step();
  }
};

const shoot = async (browser: Browser, file: string, open: (page: Page) => Promise<unknown>): Promise<void> => {
  for (const [size, viewport] of SIZES) {
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ viewport, colorScheme });
      await open(page);
      await page.screenshot({ path: `${file}${size}${colorScheme === "dark" ? "-dark" : ""}.png` });
      await page.close();
    }
  }
};
