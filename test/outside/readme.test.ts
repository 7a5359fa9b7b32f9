import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { freePort } from "../../packages/cli/src/workers/free-port.ts";
import { blocksIn, freshClone } from "../support/documents.ts";
import { send } from "../support/http.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { until, within } from "../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "aigw-readme-"));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));

/** How a person starts the shell, but without files of their own; `-e`: the first line that fails ends it. */
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  bash: ["--norc", "--noprofile", "-i", "-e", "-s"],
  zsh: ["-f", "-i", "-e", "-s"],
};

class Shell {
  readonly #child: ReturnType<typeof spawn>;
  readonly #ended: Promise<string>;
  text = "";
  #blocks = 0;
  #code: number | null | undefined;

  constructor(name: string, cwd: string, home: string) {
    // Nothing of this run's gets in: no AIGW_…, no npm_…, and not its Node.
    const path = (process.env["PATH"] ?? "").split(delimiter).filter((part) => !/node_modules|node-gyp-bin/.test(part));
    const env = { PATH: path.join(delimiter), HOME: home, TMPDIR: tmpdir(), ...CACHES };
    this.#child = spawn(name, SHELLS[name] ?? [], { cwd, env, stdio: ["pipe", "pipe", "pipe"], detached: true });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.text += text;
      });
    }
    this.#child.stdin?.on("error", () => undefined);
    this.#ended = new Promise((done) => {
      this.#child.once("close", (code) => {
        this.#code = code;
        done(this.text);
      });
    });
  }

  /** Pastes lines and waits until the shell has done them all. @returns what they printed */
  async paste(lines: string, timeoutMs = 60_000): Promise<string> {
    this.#blocks += 1;
    const from = this.text.length;
    // In two halves, so that an echo of the line is not taken for what it prints.
    const mark = `done with ${this.#blocks}.`;
    this.#child.stdin?.write(`${lines}\nprintf 'done %s.\\n' 'with ${this.#blocks}'\n`);
    await until(
      lines,
      () => {
        if (this.#code !== undefined) assert.fail(`ended with ${this.#code} at:\n${lines}\n${this.text}`);
        return this.text.includes(mark);
      },
      timeoutMs,
    );
    return this.text.slice(from);
  }

  async end(): Promise<void> {
    this.#child.stdin?.end("exit 0\n");
    await within("the shell to end", this.#ended);
  }

  /** And all that it started. */
  kill(): void {
    if (this.#code !== undefined || this.#child.pid === undefined) return;
    process.kill(-this.#child.pid, "SIGKILL");
  }
}

const printed = (command: string, ...args: readonly string[]): string =>
  spawnSync(command, args, { encoding: "utf8" }).stdout.trim();

/** What has been fetched before by whoever runs this is not fetched anew. */
const CACHES: Readonly<Record<string, string>> = {
  npm_config_cache: printed("npm", "config", "get", "cache"),
  PNPM_CONFIG_STORE_DIR: dirname(printed("npx", "-y", "pnpm@12.21.0", "store", "path")),
};

describe("the README, pasted into a fresh clone", () => {
  const clone = join(folder, "clone");
  before(() => freshClone(clone));
  const blocks = blocksIn("README.md");
  const find = (start: string): string => {
    const found = blocks.find(({ language, text }) => language === "bash" && text.startsWith(start));
    assert.ok(found, `the README has a block that begins with ${start}`);
    return found.text;
  };

  const fiveMinutes = async (name: string): Promise<void> => {
    const [port, ocrPort] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
    const home = join(folder, name);
    mkdirSync(home);
    const shell = new Shell(name, clone, home);
    after(() => shell.kill());
    await shell.paste(find("npx -y pnpm@12.21.0 install"), 100_000);
    await shell.paste(find("PORT=").replace("=8080", `=${port}`).replace("=9000", `=${ocrPort}`));
    await shell.paste(find("node examples/ocr-service"));
    await shell.paste(find("aigw serve"));
    const answers = (at: number, path: string) => async (): Promise<boolean> =>
      (await send(`http://127.0.0.1:${at}${path}`).catch(() => undefined)) !== undefined;
    // A person goes on when it says so.
    await until("the service", answers(ocrPort, "/"), 30_000);
    await until("the gateway", answers(port, "/ready"), 30_000);
    const added = await shell.paste(find("aigw config set public-url"));
    assert.match(added, new RegExp(`ocr added: /api/ocr goes to http://127\\.0\\.0\\.1:${ocrPort}`));
    assert.doesNotMatch(added, /warning/);
    const mail = await shell.paste(find("aigw onboard jane"));
    assert.ok(mail.includes(`curl -X POST "http://127.0.0.1:${port}/auth/token"`), mail);
    assert.match(await shell.paste(find("TOKEN=")), /"text":/);
    const seen = await shell.paste(find("aigw usage tail"));
    assert.match(seen, /john\s+ocr\s+POST\s+200/);
    assert.match(seen, /john revoked\. 1 of 1 gateways applied it/);
    assert.match(seen, /client\.revoke|revoked/);
    assert.ok(existsSync(join(home, "aigw-trial/aigw.db")));
    await shell.paste(find("kill %1"));
    assert.ok(!existsSync(join(home, "aigw-trial")));
    assert.ok(!existsSync(join(home, ".local/share/aigw")), "nothing of the user's own is touched");
    for (const at of [port, ocrPort]) assert.equal(await answers(at, "/")(), false, "nothing is left running");
    await shell.end();
  };

  it("five minutes in bash", { timeout: 170_000 }, () => fiveMinutes("bash"));

  const noZsh = spawnSync("zsh", ["-c", "true"]).status !== 0;
  reportNeed(NEEDS.zsh, noZsh ? "zsh was not found" : undefined);
  it("five minutes in zsh", { skip: noZsh && "zsh was not found", timeout: 170_000 }, () => fiveMinutes("zsh"));

  it("the demo", { timeout: 100_000 }, async () => {
    const home = join(folder, "demo");
    mkdirSync(home);
    const shell = new Shell("bash", clone, home);
    after(() => shell.kill());
    assert.match(await shell.paste(find("npx -y pnpm@12.21.0 demo"), 90_000), /Done: every line above was the product/);
    await shell.end();
  });
});
