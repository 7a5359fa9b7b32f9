/**
 * The same text as HTML, for mail programs that prefer it: blank lines part paragraphs, indented lines are commands and
 * keep every space. Styles stand in the elements because mail programs drop style sheets; nothing is loaded from outside.
 */
export const htmlOf = (text: string): string => {
  const blocks = blocksOf(text.replace(/\n+$/, "").split("\n"));
  const body = blocks.map(({ kind, lines }) => {
    if (kind === "commands") return `<pre style="${PRE_STYLE}">${escaped(lines.join("\n"))}</pre>`;
    return `<p>${lines.map(linked).join("<br>\n")}</p>`;
  });
  return `<!DOCTYPE html>\n<html><body style="${BODY_STYLE}">\n${body.join("\n")}\n</body></html>\n`;
};

interface Block {
  readonly kind: "text" | "commands";
  readonly lines: string[];
}

const BODY_STYLE = "font-family:sans-serif;font-size:14px;line-height:1.5";
const PRE_STYLE = "font-family:monospace;font-size:13px;background:#f4f4f4;padding:8px;white-space:pre-wrap";

const blocksOf = (lines: readonly string[]): readonly Block[] => {
  const blocks: Block[] = [];
  let parted = true;
  for (const line of lines) {
    if (line.trim() === "") {
      parted = true;
      continue;
    }
    const kind = /^(\t| {2})/.test(line) ? "commands" : "text";
    const last = blocks.at(-1);
    if (last?.kind === kind && !parted) last.lines.push(line);
    else blocks.push({ kind, lines: [line] });
    parted = false;
  }
  return blocks;
};

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);

/** An address that stands at the end of its line or before a space; it is escaped before it gets into the attribute. */
const linked = (line: string): string =>
  escaped(line).replace(/(^|\s)(https?:\/\/[^\s<>]+)(?=\s|$)/g, '$1<a href="$2">$2</a>');
