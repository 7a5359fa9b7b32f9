import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

/**
 * `node scripts/mutate.ts [--jobs N] [--check [--types]] [word …]`: puts each fault of test/mutations.md, or those whose
 * title has all the words, into a copy of the working tree, and runs the tests named there, which have to fail; N of them
 * at once, each in a copy of its own. Exits 1 when a fault went unnoticed. `--check` only looks whether each can be put
 * in, and whether its tests are there; with `--types` also whether it compiles, which takes a minute or two.
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

const finished = (
  copy: string,
  command: string,
  args: readonly string[],
): Promise<{ failed: boolean; output: string }> =>
  new Promise((settle, reject) => {
    const child = spawn(command, args, {
      cwd: copy,
      // What a file tells at full size alone counts as well.
      env: { ...process.env, AIGW_TEST_FULL: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      // A test that only hangs has noticed as well.
      timeout: 300_000,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (status) => settle({ failed: status !== 0, output }));
  });

const runTests = (copy: string, tests: readonly string[]): Promise<{ failed: boolean; output: string }> =>
  finished(copy, process.execPath, ["scripts/test.ts", ...tests]);

/** @returns puts back what was there */
const putIn = (copy: string, { file, before, after }: Mutation): (() => void) => {
  const path = join(copy, file);
  const source = readFileSync(path, "utf8");
  writeFileSync(
    path,
    source.replace(before, () => after),
  );
  return () => writeFileSync(path, source);
};

const typesOf = (copy: string): Promise<{ failed: boolean; output: string }> =>
  finished(copy, join(root, "node_modules/.bin/tsc"), ["-b"]);

/**
 * The faults that do not compile, with what the compiler says. One of each file is put in at once: where all of them
 * compile, each does, and else those are tried one by one whose files it names, or all of them if it names others.
 */
const brokenOf = async (copy: string, mutations: readonly Mutation[]): Promise<ReadonlyMap<Mutation, string>> => {
  const broken = new Map<Mutation, string>();
  const attempt = async (some: readonly Mutation[]): Promise<string | undefined> => {
    const restores = some.map((mutation) => putIn(copy, mutation));
    const { failed, output } = await typesOf(copy);
    for (const restore of restores) restore();
    return failed ? output : undefined;
  };
  const byFile = Object.values(Object.groupBy(mutations, ({ file }) => file)).map((of = []) => of);
  for (let round = 0; byFile.some((of) => of.length > round); round += 1) {
    const some = byFile.flatMap((of) => of.slice(round, round + 1));
    const output = await attempt(some);
    if (output === undefined) continue;
    const named = new Set([...output.matchAll(/^(\S+?)\(\d+,\d+\): error/gm)].map(([, file = ""]) => file));
    const blamed = some.filter(({ file }) => named.has(file));
    for (const one of blamed.length === named.size ? blamed : some) {
      const says = await attempt([one]);
      if (says !== undefined) broken.set(one, says);
    }
  }
  return broken;
};

/** Why it cannot be put in. */
const staleness = ({ file, before, tests }: Mutation, source: string): string | undefined => {
  const places = source.split(before).length - 1;
  if (places !== 1) return `its lines stand ${places} times in ${file}, and not once`;
  const gone = tests.find((test) => !existsSync(join(root, test)));
  return gone && `there is no ${gone}`;
};

const { values, positionals } = parseArgs({
  options: { check: { type: "boolean" }, types: { type: "boolean" }, jobs: { type: "string", default: "1" } },
  allowPositionals: true,
});
const words = positionals.map((word) => word.toLowerCase());
const chosen = read().filter(({ title }) => words.every((word) => title.toLowerCase().includes(word)));
const isStale = new Map(
  chosen.flatMap((mutation) => {
    const stale = staleness(mutation, readFileSync(join(root, mutation.file), "utf8"));
    return stale === undefined ? [] : [[mutation, stale] as const];
  }),
);
const wrong = [...isStale].map(([{ title }, why]) => `${title}: ${why}`);
const left = chosen.filter((mutation) => !isStale.has(mutation));

/** Each job with a copy of its own, so that none sees another's fault. */
const runAll = async (): Promise<void> => {
  const copy = copyTree();
  for (let mutation = left.shift(); mutation !== undefined; mutation = left.shift()) {
    const { title, tests } = mutation;
    const restore = putIn(copy, mutation);
    const { failed, output } = await runTests(copy, tests);
    restore();
    // A fault that does not compile shows nothing about the tests.
    const compiled = output.includes("types: ok");
    const verdict = !compiled ? "BROKEN   " : failed ? "noticed  " : "UNNOTICED";
    process.stdout.write(`${verdict} ${title}\n`);
    if (!compiled) wrong.push(`${title}: it does not compile\n${output.slice(0, 1_000)}`);
    else if (!failed) wrong.push(title);
  }
};

if (values.types) {
  for (const [{ title }, says] of await brokenOf(copyTree(), left)) {
    wrong.push(`${title}: it does not compile\n${says.slice(0, 1_000)}`);
  }
}
if (!values.check) await Promise.all(Array.from({ length: Number(values.jobs) }, runAll));
const done = values.check ? (values.types ? "can be put in and compile" : "can be put in") : "noticed";
process.stdout.write(`${chosen.length - wrong.length} of ${chosen.length} faults ${done}\n`);
for (const line of wrong) process.stderr.write(`${values.check ? "stale" : "not noticed"}: ${line}\n`);
if (wrong.length > 0 || chosen.length === 0) process.exitCode = 1;
