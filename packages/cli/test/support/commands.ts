import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, sep } from "node:path";

const COMMANDS = join(import.meta.dirname, "../../src/commands");

/** Every command there is, nouns included: a file each, and so is a noun's own. */
export const everyCommand = (): readonly (readonly string[])[] =>
  readdirSync(COMMANDS, { recursive: true, encoding: "utf8" })
    .filter((file) => /^export const command = /m.test(readIfFile(join(COMMANDS, file))))
    .map((file) => file.replace(/(\/index)?\.ts$/, "").split(sep));

const readIfFile = (path: string): string => (statSync(path).isFile() ? readFileSync(path, "utf8") : "");
