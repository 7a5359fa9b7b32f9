import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { cleanEnv } from "../support/aigw.ts";
import { NO_PTY, onPty } from "../support/pty.ts";
import { linesOn } from "../support/screen.ts";
import { MARK, type SessionPlan } from "../support/terminal-session.ts";
import { shootPages } from "./pages.ts";
import { NOW, setScene } from "./scene.ts";
import { svgOf, THEMES } from "./svg.ts";

/**
 * Makes docs/screenshots: what the commands of a scene show on a real terminal, in light and dark, and the guide and the
 * e-mail in a browser. Run it after a change of what they show, look at the pictures, and commit them.
 */

const COLUMNS = 80;
const FOLDER = resolve(import.meta.dirname, "../../docs/screenshots");

/** In the order in which they are run: the last ones change the store. */
const SHOTS: readonly (readonly [file: string, line: string])[] = [
  ["client-list", "client list"],
  ["client-show", "client show mary"],
  ["status", "status"],
  ["usage-tail", "usage tail -n 14"],
  ["usage-report", "usage report"],
  ["top", "top --once"],
  ["doctor", "doctor"],
  ["why", "why mary"],
  ["review", "review"],
  ["client-add", "client add lena --email lena@example.com --limit 120 --expires 2027-12-31"],
  ["onboard", "onboard erik --yes --no-verify --no-wait"],
];

const shootTerminal = async (): Promise<void> => {
  if (NO_PTY !== false) throw new Error(NO_PTY);
  // The same path every time: it is in the pictures.
  const folder = join(tmpdir(), "aigw-screenshots");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  const home = join(folder, "home");
  const scene = await setScene(home);
  try {
    const plan: SessionPlan = { now: NOW, commands: SHOTS.map(([, line]) => ({ home, argv: line.split(" ") })) };
    writeFileSync(join(folder, "plan.json"), JSON.stringify(plan));
    const session = resolve(import.meta.dirname, "../support/terminal-session.ts");
    const argv = [process.execPath, "--conditions=aigw-built", session, join(folder, "plan.json")];
    const env = { ...cleanEnv(home), TERM: "xterm-256color" };
    const { output } = await onPty(argv, { columns: COLUMNS, env, cwd: folder });
    const parts = output.split(MARK.begin).slice(1);
    for (const [index, [file, line]] of SHOTS.entries()) {
      const [shown = ""] = (parts[index] ?? "").split(MARK.end);
      const lines = await linesOn(`$ aigw ${line}\r\n${shown}`, COLUMNS);
      for (const name of ["light", "dark"] as const) {
        writeFileSync(join(FOLDER, `${file}-${name}.svg`), svgOf(`aigw ${line}`, lines, COLUMNS, THEMES[name]));
      }
    }
  } finally {
    await scene.end();
    rmSync(folder, { recursive: true, force: true });
  }
};

await shootTerminal();
await shootPages(FOLDER);
process.stdout.write(`${FOLDER}: ${SHOTS.length} answers in light and dark, the guide and the e-mail\n`);
