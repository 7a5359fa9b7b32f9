import type { OnboardingEmail } from "./email.ts";

/**
 * The e-mail as HTML, for mail programs that prefer it: blank lines part paragraphs, indented lines are commands and keep
 * every space but those that all of them begin with. Styles stand in the elements because mail programs drop style sheets; nothing is loaded from outside, and
 * no colour is set that one of the two schemes would not bear.
 */
export const htmlOf = ({ body: text, credentials, powerShell }: OnboardingEmail): string => {
  const blocks = blocksOf(text.replace(/\n+$/, "").split("\n"));
  if (powerShell !== undefined) {
    const after = blocks.findLastIndex(({ kind }) => kind === "commands") + 1;
    const more: readonly Block[] = [
      { kind: "text", lines: ["The same in Windows PowerShell:"] },
      { kind: "commands", lines: powerShell.split("\n") },
    ];
    blocks.splice(after, 0, ...more);
  }
  const body = blocks.map(({ kind, lines }) => {
    if (kind === "commands") return `<pre style="${PRE_STYLE}">${escaped(flushLeft(lines))}</pre>`;
    return `<p>${lines.map((line) => rendered(line, credentials)).join("<br>\n")}</p>`;
  });
  return `<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"></head>
<body style="${BODY_STYLE}"><div style="max-width:42em">
${body.join("\n")}
</div></body></html>
`;
};

interface Block {
  readonly kind: "text" | "commands";
  readonly lines: string[];
}

/** In each of these l, I and 1, O and 0 are told apart. */
const MONOSPACE =
  "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace";
// `word-break` is for programs that do not know `overflow-wrap: anywhere`: an address has no space to break at.
const BREAKABLE = "overflow-wrap:anywhere;word-break:break-word";
const PANEL = "background:rgba(128,128,128,0.16);border-radius:4px";
const BODY_STYLE = `margin:0;padding:16px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif;font-size:15px;line-height:1.5;${BREAKABLE}`;
const PRE_STYLE = `${MONOSPACE};font-size:13px;line-height:1.5;margin:0 0 1em;padding:10px 12px;white-space:pre-wrap;${BREAKABLE};${PANEL}`;
const CODE_STYLE = `${MONOSPACE};font-size:15px;padding:1px 4px;${PANEL}`;

const blocksOf = (lines: readonly string[]): Block[] => {
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

/** A panel sets commands apart already, and a phone has no room for both. */
const flushLeft = (lines: readonly string[]): string => {
  const indents = lines.map((line) => /^\s*/.exec(line)?.[0] ?? "");
  const shortest = indents.reduce((one, other) => (other.length < one.length ? other : one), indents[0] ?? "");
  const common = indents.every((indent) => indent.startsWith(shortest)) ? shortest.length : 0;
  return lines.map((line) => line.slice(common)).join("\n");
};

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);

/** A credential that ends its line, as a value does. What stands before it is plain text. */
const rendered = (line: string, credentials: readonly string[]): string => {
  const value = credentials.find((credential) => line === credential || line.endsWith(` ${credential}`));
  if (value === undefined) return linked(line);
  const before = line.slice(0, line.length - value.length);
  return `${linked(before)}<code style="${CODE_STYLE}">${escaped(value)}</code>`;
};

/** An address that stands at the end of its line or before a space; it is escaped before it gets into the attribute. */
const linked = (line: string): string =>
  escaped(line).replace(/(^|\s)(https?:\/\/[^\s<>]+)(?=\s|$)/g, '$1<a href="$2">$2</a>');
