import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { NO_PTY } from "../support/pty.ts";
import { runOnTerminal } from "../support/run-on-terminal.ts";
import { linesOn } from "../support/screen.ts";
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
    const commands = SHOTS.map(([, line]) => ({ home, argv: line.split(" ") }));
    const shown = await runOnTerminal(folder, commands, { columns: COLUMNS, now: NOW });
    for (const [index, [file, line]] of SHOTS.entries()) {
      const lines = await linesOn(`$ aigw ${line}\r\n${shown[index]?.output ?? ""}`, COLUMNS);
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
