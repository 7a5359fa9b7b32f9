import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AigwError } from "@aigw/core/errors";
import { Interrupted } from "../app/cli-error.ts";
import type { Context } from "../app/context.ts";
import { stepsIn, TOKEN_PLACE } from "../delivery/quick-start/commands.ts";
import { parsed } from "../delivery/quick-start/reply.ts";
import { findShell } from "../delivery/quick-start/shell.ts";
import { prose } from "../terminal/output/wrap.ts";
import { Processes } from "./processes.ts";

/** What the story proved. */
export interface StoryResults {
  /** What the OCR engine read from the picture. */
  readonly text: string;
  readonly confidence: number;
  /** What the service's meter counted, and what that costs. */
  readonly pages: number;
  readonly cost: number;
  /** Status of the call for which the client's quota of pages was used up: 429. */
  readonly overQuotaWith: number;
  /** Status of the client's call after it was revoked: 401. */
  readonly refusedWith: number;
  /** What the revocation printed: which gateways applied it, and how fast. */
  readonly receipt: string;
}

const MAIN = fileURLToPath(new URL(`../main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));
/** The example is part of the repository, not of the package. */
const EXAMPLE = fileURLToPath(new URL("../../../../examples/ocr-service/", import.meta.url));

/** @throws AigwError `failed` when any step does not do what it promises; Interrupted on Ctrl-C */
export const tellStory = async (ctx: Context): Promise<StoryResults> => {
  if (!existsSync(join(EXAMPLE, "src/main.ts"))) {
    throw new AigwError(
      "failed",
      "The demo needs the repository's examples folder: run it from a clone, with pnpm demo.",
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "aigw-demo-"));
  const processes = new Processes(environment(ctx, join(folder, "home")));
  let forget = (): void => undefined;
  const stopped = new Promise<never>((_, reject) => {
    forget = ctx.io.onStop(() => reject(new Interrupted("Interrupted. Everything the demo made is cleaned up.")));
  });
  try {
    return await Promise.race([story(ctx, processes), stopped]);
  } finally {
    forget();
    await processes.stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Nothing of the admin's own set-up gets into the demo, or is touched by it. */
const environment = ({ env }: Context, home: string): NodeJS.ProcessEnv => {
  const own = Object.entries(env).filter(([name]) => !name.startsWith("AIGW_") && !/_proxy$/i.test(name));
  return {
    ...Object.fromEntries(own),
    AIGW_HOME: home,
    PAGER: "cat",
    PATH: `${dirname(process.execPath)}:${env["PATH"] ?? ""}`,
  };
};

const story = async (ctx: Context, processes: Processes): Promise<StoryResults> => {
  const say = (text: string): Promise<void> => (ctx.out.mode === "text" ? ctx.out.line(text) : Promise.resolve());
  const view = await ctx.out.view();
  const step = (text: string): Promise<void> => say(`\n${prose(view, `── ${text}`)}`);
  const called = (args: readonly string[]): Promise<void> =>
    say(`$ aigw ${args.map((arg) => (/[\s"']/.test(arg) ? `'${arg}'` : arg)).join(" ")}`);
  /** Runs an aigw command and shows it as an admin would see it. */
  const aigw = async (...args: readonly string[]): Promise<string> => {
    await called(args);
    const { code, stdout, stderr } = await processes.run(process.execPath, [MAIN, ...args]);
    if (code !== 0) throw new AigwError("failed", `aigw ${args.join(" ")} failed (exit ${code}): ${stderr.trim()}`);
    const broken = (text: string): string => text.replace(/^.+$/gm, (line) => prose(view, line));
    // An e-mail is there to be pasted.
    await say(`${broken(stderr)}${args[0] === "onboard" ? stdout : broken(stdout)}`.trimEnd());
    return stdout;
  };
  /** The same of one whose answer is only looked at: on a terminal it is laid out for that. */
  const look = async (...args: readonly string[]): Promise<void> => {
    if (ctx.out.mode !== "text" || ctx.io.stdout !== process.stdout || !view.isTerminal) {
      await aigw(...args);
      return;
    }
    await called(args);
    const code = await processes.show(process.execPath, [MAIN, ...args]);
    if (code !== 0) throw new AigwError("failed", `aigw ${args.join(" ")} failed (exit ${code}).`);
  };

  await step("A real OCR service starts on this machine.");
  const announced = await processes.start(process.execPath, [join(EXAMPLE, "src/main.ts"), "--port", "0"]);
  await say(announced);
  const upstream = /http:\S+/.exec(announced)?.[0] ?? "";

  await step("The gateway goes in front of it.");
  await aigw("service", "add", "ocr", upstream, "--meter", "json:pages=/pages");
  await say("$ aigw serve --port 0 &");
  const { gateway } = JSON.parse(await processes.start(process.execPath, [MAIN, "serve", "--port", "0", "--json"]));
  await say(`Gateway ${gateway.id} listens on ${gateway.url}`);
  await aigw("config", "set", "public-url", gateway.url);
  await aigw("config", "set", "support-email", "support@example.com");

  await step("A page costs something, and who tries it may read two a month.");
  await aigw("config", "set", "currency", "EUR");
  await aigw("price", "set", "ocr", "pages=0.01");
  await aigw("plan", "add", "trial", "--services", "ocr", "--quota", "pages=2/month");

  await step("John gets access: this e-mail is all he needs.");
  const email = await aigw("onboard", "john", "--create", "--plan", "trial", "--email");

  const shell = await findShell(ctx.env);
  await step(`John pastes the quick start, with ${shell.name}.`);
  const { token: tokenCommand, calls } = stepsIn(email, gateway.url) ?? { token: "", calls: [] };
  const callCommand = calls[0] ?? "";
  const paste = async (command: string): Promise<string> => {
    const reply = await shell.paste(command);
    if (reply.kind !== "answer") throw new AigwError("failed", `The e-mail's command failed: ${reply.reason}`);
    return reply.body;
  };
  await say(`$ ${tokenCommand}`);
  const { access_token: token, ...rest } = parsed(await paste(tokenCommand));
  if (typeof token !== "string") throw new AigwError("failed", "The e-mail's first command gave no token.");
  await say(JSON.stringify({ access_token: `${token.slice(0, 24)}…`, ...rest }));
  await say(`$ ${callCommand}`);
  const call = callCommand.replace(TOKEN_PLACE, token);
  await say((await paste(call)).trimEnd());

  await step("John sends a real picture (examples/ocr-service/sample.png).");
  const picture = ` \\\n  -H "Content-Type: image/png" --data-binary "@${join(EXAMPLE, "sample.png")}"`;
  await say(`$ ${callCommand}${picture.replace(EXAMPLE, "examples/ocr-service/")}`);
  const { text, confidence } = JSON.parse(await paste(call + picture));
  if (typeof text !== "string" || text === "") throw new AigwError("failed", "No text was recognised in the picture.");
  await say(`Recognised with confidence ${confidence}:\n${text.replace(/^/gm, "  │ ")}`);

  await step("A second page, and his quota of the month is used up.");
  await paste(call + picture);
  const over = JSON.parse(await paste(call + picture));
  await say(JSON.stringify(over));
  if (over.status !== 429 || over.code !== "quota_exceeded") {
    throw new AigwError("failed", "A client was served beyond its quota.");
  }

  await step("Who called what, and what is it worth?");
  await look("usage", "tail");
  await look("usage", "report", "--unit", "pages,cost");
  const { total } = JSON.parse((await processes.run(process.execPath, [MAIN, "usage", "report", "--json"])).stdout);
  await step("What John is sent at the end of the month.");
  await look("usage", "bill", "--month", new Date(ctx.clock.now()).toISOString().slice(0, 7));

  await step("John is revoked. The command waits for the proof.");
  const receipt = (await aigw("client", "revoke", "john", "--yes")).trim();
  await say("$ the same call again");
  const refusal = JSON.parse(await paste(call));
  await say(JSON.stringify(refusal));
  if (refusal.status !== 401) throw new AigwError("failed", "A revoked client was served.");

  await step("Every act left its record.");
  await look("audit", "list");
  const worth = { pages: total.units.pages, cost: total.cost, overQuotaWith: over.status };
  return { text, confidence, ...worth, refusedWith: refusal.status, receipt };
};
