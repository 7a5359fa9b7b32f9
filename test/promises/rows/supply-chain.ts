import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { atMost, never, type Row, type Seen } from "../row.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** What `npm install` of the product brings, ourselves not counted. */
const MOST_PACKAGES = 120;

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export const supplyChain: Row = {
  name: "supply-chain",
  promise: "Exact versions in the lockfile, no install scripts, few dependencies, each named with its reason",
  minutes: 3,
  run: async () => {
    const manifests = [
      "package.json",
      ...globSync("{packages,examples}/*/package.json", { cwd: ROOT }),
      "test/package.json",
    ];
    const direct = new Map<string, string>();
    for (const path of manifests) {
      const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read(path)) as Manifest;
      for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }))
        if (!version.startsWith("workspace:")) direct.set(name, version);
    }
    const catalog = new Map(
      [...(read("pnpm-workspace.yaml").split("\ncatalog:\n")[1] ?? "").matchAll(/^ {2}"?([^":\n]+)"?: (\S+)$/gm)].map(
        ([, name = "", version = ""]) => [name, version] as const,
      ),
    );
    const inexact = [...direct].filter(
      ([name, version]) => version !== "catalog:" || !/^\d+\.\d+\.\d+$/.test(catalog.get(name) ?? ""),
    );
    const documented = read("docs/dependencies.md");
    const unnamed = [...direct.keys()].filter((name) => !documented.includes(`\`${name}\``));

    const lock = read("pnpm-lock.yaml");
    const locked = [...lock.matchAll(/^ {4}resolution: \{(.*)\}$/gm)].map(([, resolution = ""]) => resolution);
    const withoutHash = locked.filter((resolution) => !/integrity: sha512-/.test(resolution));
    return [
      never("direct dependencies without one exact version from the catalog", inexact.length, direct.size),
      never("direct dependencies that docs/dependencies.md does not name", unnamed.length, direct.size),
      never("packages in the lockfile without a sha512", withoutHash.length, locked.length),
      ...installed(),
    ];
  },
};

/** Looks at what is really there, not at what is said of it. */
const installed = (): readonly Seen[] => {
  const { stdout } = spawnSync("find", ["node_modules/.pnpm", "-name", "package.json", "-path", "*/node_modules/*"], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  const packages = stdout
    .trim()
    .split("\n")
    .filter((path) => /\/node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path));
  const scripted = packages.filter((path) => {
    const { scripts = {} } = JSON.parse(read(path)) as Manifest;
    return ["preinstall", "install", "postinstall"].some((name) => scripts[name] !== undefined);
  });
  // Allowed scripts are named in pnpm-workspace.yaml; `false` there means that it is known and not run.
  const allowed = [...read("pnpm-workspace.yaml").matchAll(/^ {2}\S+: true$/gm)];
  const product = productPackages();
  return [
    never("install scripts that may run", allowed.length, packages.length),
    { what: "packages that have one, none of which is run", seen: String(scripted.length), promised: "-", kept: true },
    atMost("packages that the product brings", product, MOST_PACKAGES, "packages"),
  ];
};

/** Follows the links of node_modules from the command line on, as Node would. */
const productPackages = (): number => {
  const seen = new Set<string>();
  const visit = (folder: string, modules: string): void => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(folder, "package.json"), "utf8"),
    ) as Manifest;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const link = join(modules, name);
      // A build for another platform is not there.
      if (!existsSync(link)) continue;
      const real = realpathSync(link);
      if (seen.has(real)) continue;
      if (!name.startsWith("@aigw/")) seen.add(real);
      visit(real, name.startsWith("@aigw/") ? join(real, "node_modules") : resolve(real, ...up(name)));
    }
  };
  visit(join(ROOT, "packages/cli"), join(ROOT, "packages/cli/node_modules"));
  return seen.size;
};

/** From a package to the node_modules it lies in. */
const up = (name: string): readonly string[] => (name.includes("/") ? ["..", ".."] : [".."]);
