import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { checkNodeVersion } from "../packages/cli/src/doctor/checks/node-version.ts";

const USAGE = `usage: pnpm bundle [--node FILE] [--out release]
       pnpm bundle --folder DIR [--node FILE | --without-node]

Makes what is handed out, for machines like this one: the three npm packages, a tarball with everything in it that is
needed to run, and the checksums of all. With --folder only the tarball's content, as a folder.

  --node FILE      the Node to put in, such as one from nodejs.org; else the one that the workspace has
  --without-node   none: the machine has its own
`;

const root = resolve(import.meta.dirname, "..");
const PACKAGES = ["core", "runtime", "cli"];
/** Of the repository, beside what runs. */
const READING = ["README.md", "LICENSE", "CHANGELOG.md", "docs", "deploy"];

/** Runs to its end. @returns what it printed */
const run = (command: string, args: readonly string[], cwd: string = root): string => {
  const { status, stdout, error } = spawnSync(command, args, {
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} exited ${status}\n${stdout}`);
  return stdout;
};

/** The pnpm that runs this, or the one the README names. */
const pnpm = (args: readonly string[], cwd?: string): string => {
  const own = process.env["npm_execpath"];
  return own !== undefined && /pnpm$/.test(own)
    ? run(own, args, cwd)
    : run("npx", ["-y", "pnpm@12.21.0", ...args], cwd);
};

const versionOf = (): string => {
  const manifest = JSON.parse(readFileSync(join(root, "packages/cli/package.json"), "utf8")) as { version: string };
  return manifest.version;
};

const packageFile = (name: string): string => `aigw-${name}-${versionOf()}.tgz`;

/** The npm packages, as `pnpm publish` would send them. */
const pack = (to: string): void => {
  for (const name of PACKAGES) pnpm(["pack", "--pack-destination", to], join(root, "packages", name));
};

/** Finds its folder through whatever links lead to it; its own Node before the machine's. */
const LAUNCHER = `#!/bin/sh
self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=$(dirname "$self")/$link ;;
  esac
done
lib=$(cd "$(dirname "$self")/../lib" && pwd -P) || exit 1
node=$lib/node
[ -x "$node" ] || node=node
exec "$node" "$lib/node_modules/@aigw/cli/dist/main.js" "$@"
`;

/**
 * @param packed where the npm packages are
 * @param node the program to put in
 */
const makeFolder = (folder: string, packed: string, node: string | undefined): void => {
  const lib = join(folder, "lib");
  const modules = join(lib, "node_modules");
  const scratch = mkdtempSync(join(tmpdir(), "aigw-bundle-"));
  try {
    // What the lockfile names and nothing else, in plain folders without links.
    const deploy = ["--filter", "@aigw/cli", "--config.node-linker=hoisted", "deploy", "--prod", join(scratch, "cli")];
    pnpm(deploy);
    mkdirSync(lib, { recursive: true });
    cpSync(join(scratch, "cli/node_modules"), modules, { recursive: true, dereference: true });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  for (const made of [".modules.yaml", ".pnpm-workspace-state-v1.json", ".pnpm", ".bin"]) {
    rmSync(join(modules, made), { recursive: true, force: true });
  }
  for (const name of PACKAGES) {
    // The packages themselves are those that are published.
    const its = join(modules, "@aigw", name);
    rmSync(its, { recursive: true, force: true });
    mkdirSync(its, { recursive: true });
    run("tar", ["-xzf", join(packed, packageFile(name)), "-C", its, "--strip-components=1"]);
  }
  if (node !== undefined) {
    copyFileSync(node, join(lib, "node"));
    chmodSync(join(lib, "node"), 0o755);
    const terms = resolve(node, "../../LICENSE");
    if (existsSync(terms)) copyFileSync(terms, join(lib, "node.LICENSE"));
  }
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin/aigw"), LAUNCHER, { mode: 0o755 });
  chmodSync(join(folder, "bin/aigw"), 0o755);
  for (const path of READING) cpSync(join(root, path), join(folder, path), { recursive: true });
};

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** @returns the program to put in */
const chosenNode = (given: string | undefined): string => {
  const node = realpathSync(given === undefined ? join(root, "node_modules/.bin/node") : resolve(given));
  const version = run(node, ["-p", "process.versions.node"]).trim();
  const { message, command } = checkNodeVersion(version);
  say(
    `Node in it: ${message}${command === undefined ? "" : ` For production ${command}, and: pnpm bundle --node <file>`}`,
  );
  return node;
};

const main = (argv: readonly string[]): void => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      node: { type: "string" },
      "without-node": { type: "boolean", default: false },
      folder: { type: "string" },
      out: { type: "string", default: "release" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    say(USAGE.trimEnd());
    return;
  }
  const node = values["without-node"] ? undefined : chosenNode(values.node);
  const scratch = mkdtempSync(join(tmpdir(), "aigw-packed-"));
  try {
    pack(scratch);
    if (values.folder !== undefined) {
      const folder = resolve(values.folder);
      if (existsSync(folder)) throw new Error(`${folder} is there already: it is not written over.`);
      makeFolder(folder, scratch, node);
      say(folder);
      return;
    }
    const out = resolve(root, values.out);
    mkdirSync(out, { recursive: true });
    const name = `aigw-${versionOf()}-${process.platform}-${process.arch}`;
    makeFolder(join(scratch, name), scratch, node);
    const files = [...PACKAGES.map(packageFile), `${name}.tar.gz`];
    // Whoever unpacks it as root must not give it to a user who happens to have the number of its maker.
    const owner = process.platform === "linux" ? ["--owner=0", "--group=0", "--numeric-owner"] : ["--uid=0", "--gid=0"];
    run("tar", [...owner, "-czf", `${name}.tar.gz`, name], scratch);
    const sums = files.map((file) => {
      // In place at once: nobody finds half a file. A rename does not cross file systems.
      copyFileSync(join(scratch, file), join(out, `.${file}`));
      renameSync(join(out, `.${file}`), join(out, file));
      return `${createHash("sha256")
        .update(readFileSync(join(out, file)))
        .digest("hex")}  ${file}\n`;
    });
    writeFileSync(join(out, "SHA256SUMS"), sums.join(""));
    for (const file of [...files, "SHA256SUMS"]) say(join(out, file));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};

try {
  main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
