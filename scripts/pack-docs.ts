import { cpSync, globSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

/**
 * The documents that `--help` leads to, put into the folder of a package before it is packed, and taken away again
 * afterwards. Why it is as it is (docs/decisions) stays in the repository.
 */
const docs = resolve(import.meta.dirname, "../docs");
const packed = join(process.cwd(), "docs");

rmSync(packed, { recursive: true, force: true });
if (!process.argv.includes("--away")) {
  mkdirSync(packed);
  for (const file of globSync("*.md", { cwd: docs })) cpSync(join(docs, file), join(packed, file));
}
