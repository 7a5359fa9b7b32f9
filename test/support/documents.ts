import { cpSync, globSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

export interface Block {
  /** Path from the root. */
  readonly file: string;
  /** What stands behind the opening fence, such as `bash`. */
  readonly language: string;
  readonly text: string;
  /** The heading or paragraph before it: where it is found. */
  readonly under: string;
}

/** The fenced blocks of a document, in their order. */
export const blocksIn = (file: string): readonly Block[] => {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/^( *)```(\w+)\n(.*?)^\1```$/gms)].map(
    ([whole, indent = "", language = "", body = ""], i) => ({
      file,
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      under: text.slice(0, text.indexOf(whole)).trimEnd().split("\n").at(-1) ?? `block ${i}`,
    }),
  );
};

/** Every document of the repository, as a path from the root. */
export const documents = (): readonly string[] =>
  globSync(["*.md", "docs/**/*.md", "bench/*.md", "deploy/**/*.md", "examples/*/*.md", "packages/*/*.md"], {
    cwd: ROOT,
  });

const MADE = /(^|\/)(node_modules|dist|\.git|[^/]*\.?tsbuildinfo)$/;

/** The repository as a fresh clone has it: nothing installed, nothing built. */
export const freshClone = (to: string): void =>
  cpSync(ROOT, to, { recursive: true, verbatimSymlinks: true, filter: (path) => !MADE.test(relative(ROOT, path)) });
