import { spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/**
 * `node scripts/mutate.ts [--check] [word …]`: puts each fault of test/mutations.md, or those whose title has all the
 * words, into a copy of the working tree, and runs the tests named there, which have to fail. Exits 1 when a fault went
 * unnoticed. `--check` only looks whether each can be put in, and whether its tests are there.
 */

const root = resolve(import.meta.dirname, "..");

interface Mutation {
  readonly title: string;
  /** From the root. */
  readonly file: string;
  readonly before: string;
  readonly after: string;
  readonly tests: readonly string[];
}

const ENTRY = /^## (.+)\n\n`(.+?)`, noticed by (.+?)\n\n```diff\n([\s\S]+?)```$/gm;

const read = (): readonly Mutation[] => {
  const text = readFileSync(join(root, "test/mutations.md"), "utf8");
  const all = [...text.matchAll(ENTRY)].map(([, title = "", file = "", tests = "", diff = ""]): Mutation => {
    const lines = diff.trimEnd().split("\n");
    const side = (sign: string): string =>
      lines
        .filter((line) => line.startsWith(sign) || line.startsWith(" "))
        .map((line) => line.slice(1))
        .join("\n");
    return {
      title,
      file,
      before: side("-"),
      after: side("+"),
      tests: [...tests.matchAll(/`(.+?)`/g)].map(([, test = ""]) => test),
    };
  });
  const headings = [...text.matchAll(/^## /gm)].length;
  if (all.length !== headings) throw new Error(`${headings - all.length} entries of test/mutations.md cannot be read`);
  return all;
};

/** What git tracks and what is new, with node_modules whose links lead to the copy's own packages. */
const copyTree = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "aigw-mutations-"));
  process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
  const { stdout } = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  for (const file of stdout.split("\0").filter((name) => name !== "")) {
    cpSync(join(root, file), join(copy, file), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  for (const folder of globSync("{packages/*,examples/*,test}/node_modules", { cwd: root })) {
    cpSync(join(root, folder), join(copy, folder), { recursive: true, verbatimSymlinks: true });
  }
  return copy;
};

const runTests = (copy: string, tests: readonly string[]): { failed: boolean; output: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/test.ts", ...tests], {
    cwd: copy,
    encoding: "utf8",
    maxBuffer: 1 << 26,
    // What a file tells at full size alone counts as well.
    env: { ...process.env, AIGW_TEST_FULL: "1" },
    // A test that only hangs has noticed as well.
    timeout: 300_000,
  });
  return { failed: status !== 0, output: `${stdout}${stderr}` };
};

/** Why it cannot be put in. */
const staleness = ({ file, before, tests }: Mutation, source: string): string | undefined => {
  const places = source.split(before).length - 1;
  if (places !== 1) return `its lines stand ${places} times in ${file}, and not once`;
  const gone = tests.find((test) => !existsSync(join(root, test)));
  return gone && `there is no ${gone}`;
};

const args = process.argv.slice(2);
const only = args.includes("--check") ? "check" : "run";
const words = args.filter((arg) => arg !== "--check").map((word) => word.toLowerCase());
const chosen = read().filter(({ title }) => words.every((word) => title.toLowerCase().includes(word)));
const copy = only === "run" ? copyTree() : root;
const unnoticed: string[] = [];
for (const mutation of chosen) {
  const { title, file, before, after, tests } = mutation;
  const path = join(copy, file);
  const source = readFileSync(path, "utf8");
  const stale = staleness(mutation, source);
  if (stale !== undefined) unnoticed.push(`${title}: ${stale}`);
  if (stale !== undefined || only === "check") continue;
  writeFileSync(
    path,
    source.replace(before, () => after),
  );
  const { failed, output } = runTests(copy, tests);
  writeFileSync(path, source);
  // A fault that does not compile shows nothing about the tests.
  const compiled = output.includes("types: ok");
  const verdict = !compiled ? "BROKEN   " : failed ? "noticed  " : "UNNOTICED";
  process.stdout.write(`${verdict} ${title}\n`);
  if (!compiled) unnoticed.push(`${title}: it does not compile\n${output.slice(0, 1_000)}`);
  else if (!failed) unnoticed.push(title);
}
const done = only === "run" ? "noticed" : "can be put in";
process.stdout.write(`${chosen.length - unnoticed.length} of ${chosen.length} faults ${done}\n`);
for (const line of unnoticed) process.stderr.write(`${only === "run" ? "not noticed" : "stale"}: ${line}\n`);
if (unnoticed.length > 0 || chosen.length === 0) process.exitCode = 1;
