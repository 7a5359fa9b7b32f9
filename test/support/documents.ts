import { cpSync, globSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

export interface Block {
  /** Path from the root. */
  readonly file: string;
  /** What stands behind the opening fence, such as `bash`. */
  readonly language: string;
  readonly text: string;
  /** The heading above it. */
  readonly heading: string;
}

/** The fenced blocks of a document, in their order. */
export const blocksIn = (file: string): readonly Block[] => {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/^( *)```(\w+)\n(.*?)^\1```$/gms)].map(
    ({ 1: indent = "", 2: language = "", 3: body = "", index }) => ({
      file,
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      heading: [...text.slice(0, index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? "",
    }),
  );
};

/** Every document of the repository, as a path from the root. */
export const documents = (): readonly string[] =>
  globSync(["*.md", "docs/**/*.md", "bench/*.md", "deploy/**/*.md", "examples/*/*.md", "packages/*/*.md"], {
    cwd: ROOT,
  });

/** The lines to paste under a heading of docs/install.md, block by block. */
export const installing = (heading: string): readonly string[] => {
  const found = blocksIn("docs/install.md").filter((block) => block.heading === heading && block.language === "bash");
  if (found.length === 0) throw new Error(`docs/install.md has nothing to paste under ${heading}`);
  return found.map(({ text }) => text);
};

const MADE = /(^|\/)(node_modules|dist|release|\.git|[^/]*\.?tsbuildinfo)$/;

/** The repository as a fresh clone has it: nothing installed, nothing built. */
export const freshClone = (to: string): void =>
  cpSync(ROOT, to, { recursive: true, verbatimSymlinks: true, filter: (path) => !MADE.test(relative(ROOT, path)) });
