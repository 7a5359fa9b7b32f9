import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/**
 * The rules of who may import whom. A rule is changed only together with a note in docs/decisions/.
 * Exits 1 and names every import that breaks one.
 */

const root = resolve(import.meta.dirname, "..");

interface Import {
  /** Path from the root, such as `packages/cli/src/main.ts`. */
  readonly from: string;
  /** A path from the root, or a package's name. */
  readonly to: string;
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

/** Packages that only one place may load: `importer` must match the importing file. */
const KEEPERS: readonly (readonly [name: string, importer: RegExp])[] = [
  ["jose", /^packages\/core\/src\/tokens\//],
  ["@node-rs/argon2", /^packages\/core\/src\/clients\/password\.ts$/],
  ["generate-password", /^packages\/core\/src\/clients\/password\.ts$/],
  ["mongodb", /^packages\/core\/src\/store\/mongodb\//],
  ["node:sqlite", /^packages\/core\/src\/(store\/sqlite\/|files\/process-lock\.ts$)/],
  ["inquirer", /^packages\/cli\/src\/terminal\/prompter\.ts$/],
  ["chalk", /^packages\/cli\/src\/terminal\/output\//],
  ["cli-table3", /^packages\/cli\/src\/terminal\/output\//],
  ["nodemailer", /^packages\/cli\/src\/delivery\/mail\/nodemailer\.ts$/],
  ["csv-parse", /^packages\/core\/src\/onboarding\/people\.ts$/],
  ["commander", /^packages\/cli\/src\//],
  ["pino", /^packages\/runtime\/src\/log\.ts$/],
  // An import of these loads Node's fetch, or the system's certificates.
  ["node:http", /^packages\/(cli\/src\/doctor\/|runtime\/src\/node-http\.ts$)/],
  ["node:https", /^packages\/(cli\/src\/doctor\/|runtime\/src\/node-http\.ts$)/],
  ["node:tls", /^packages\/(cli\/src\/doctor\/|runtime\/src\/node-http\.ts$)/],
  ["hono", /^packages\/runtime\/src\/(pages|hono-handler|gateway-env)\.ts$/],
  ["@hono/node-server", /^packages\/runtime\/src\/(pages|hono-handler|gateway-env)\.ts$/],
  ["prom-client", /^packages\/runtime\/src\/metrics\//],
  [
    "@aigw/runtime",
    /^packages\/cli\/src\/(commands\/(serve|demo)(\.ts|\/)|workers\/|commands\/service\/meter\.ts$|doctor\/(checks\/services|try-target)\.ts$)/,
  ],
  ["@aigw/core/tokens", /^packages\/runtime\/src\//],
];

const problems: string[] = [];
const complain = ({ from, to }: Import, why: string): void => {
  problems.push(`${from} imports ${to}: ${why}`);
};

const checkOne = (entry: Import): void => {
  const { from, to } = entry;
  const packageOf = (path: string): string => /^packages\/([a-z]+)\//.exec(path)?.[1] ?? "";
  for (const [name, importer] of KEEPERS) {
    if (
      (to === name || to.startsWith(`${name}/`)) &&
      !entry.typeOnly &&
      !importer.test(from) &&
      !/\/testing\//.test(from)
    ) {
      // `@aigw/core/tokens` has a rule of its own; `@aigw/core` has none.
      complain(entry, `only ${importer.source} may`);
    }
  }
  if (to.startsWith("packages/") && packageOf(to) !== packageOf(from))
    complain(entry, "go through the package's exports");
  if (packageOf(from) === "core" && /^(@aigw\/|node:(http|https|net|tls|readline|child_process)$|hono)/.test(to)) {
    complain(entry, "core knows no HTTP, no terminal and no other package");
  }
  if (to === "@aigw/core" && /^(cli|runtime)$/.test(packageOf(from)) && !entry.typeOnly) {
    complain(entry, "take the part that is needed, such as @aigw/core/errors: loading all of it takes 70 ms");
  }
  if (packageOf(from) === "runtime" && to === "@aigw/cli")
    complain(entry, "the runtime does not know the command line");
  if (/^packages\/runtime\/src\/proxy\//.test(from)) {
    if (/hono/.test(to)) complain(entry, "proxy/ knows no Hono");
    if (/^packages\/runtime\/src\/(gate|follow|login|metering|routes)\//.test(to))
      complain(entry, "proxy/ is below the gate");
  }
  const noun = /^packages\/cli\/src\/commands\/([a-z]+)\//;
  const [fromNoun, toNoun] = [noun.exec(from)?.[1], noun.exec(to)?.[1]];
  if (fromNoun !== undefined && toNoun !== undefined && fromNoun !== toNoun) {
    complain(entry, "one noun's commands never import another's");
  }
  const engine = /^packages\/core\/src\/store\/[a-z]+\//.exec(to)?.[0];
  if (engine !== undefined && !from.startsWith(engine) && from !== "packages/core/src/store/engines.ts") {
    complain(entry, "an engine is known to its own folder and to store/engines.ts, which chooses it");
  }
  if (/^packages\/core\/src\//.test(from) && !/\/testing\//.test(from) && /\/testing\//.test(to)) {
    complain(entry, "testing/ is for tests");
  }
};

const sourceFiles = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\/(node_modules|dist)\//.test(path));

const STATIC = /^\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;
const DYNAMIC = /(typeof\s+)?\bimport\(\s*"([^"]+)"\s*\)/g;

const importsOf = (path: string): Import[] => {
  const text = readFileSync(path, "utf8");
  const from = relative(root, path);
  const target = (to: string): string => (to.startsWith(".") ? relative(root, resolve(dirname(path), to)) : to);
  const list = (pattern: RegExp, dynamic: boolean): Import[] =>
    [...text.matchAll(pattern)].map(([, type, to = ""]) => ({
      from,
      to: target(to),
      typeOnly: type !== undefined,
      dynamic,
    }));
  return [...list(STATIC, false), ...list(DYNAMIC, true)];
};

const checkConsole = (path: string): void => {
  const from = relative(root, path);
  if (!/^packages\/core\/src\//.test(from) || /\/testing\//.test(from)) return;
  // Text is not code: the client guide shows programs.
  const code = readFileSync(path, "utf8").replace(/`(?:\\.|[^`\\])*`/gs, "``");
  const found = /\bconsole\.|\bprocess\.(env|exit|argv)\b/.exec(code);
  if (found) problems.push(`${from} uses ${found[0]}: core knows no console and no process`);
};

const checkCycles = (imports: readonly Import[]): void => {
  const graph = Map.groupBy(
    imports.filter((entry) => entry.to.startsWith("packages/") && !entry.typeOnly && !entry.dynamic),
    (entry) => entry.from,
  );
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(file);
    if (seenAt !== -1) {
      problems.push(`cycle: ${[...trail.slice(seenAt), file].join(" → ")}`);
      return;
    }
    if (done.has(file)) return;
    for (const { to } of graph.get(file) ?? []) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
};

/** Starting the gateway must not load what only the command line needs. */
const checkRuntimeClosure = (imports: readonly Import[]): void => {
  const entry = imports.find(
    ({ from, to }) =>
      /^packages\/(runtime|core)\/src\//.test(from) && /^(commander|inquirer|chalk|cli-table3)$/.test(to),
  );
  if (entry) complain(entry, "the runtime's import closure has no command-line packages");
};

const files = ["core", "runtime", "cli"].flatMap((name) => sourceFiles(join(root, "packages", name, "src")));
const imports = files.flatMap(importsOf);
for (const entry of imports) checkOne(entry);
for (const file of files) checkConsole(file);
checkCycles(imports);
checkRuntimeClosure(imports);

if (files.length === 0) problems.push("no source files found: is this run from the repository?");
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
else process.stdout.write(`imports: ${imports.length} in ${files.length} files keep the rules\n`);
