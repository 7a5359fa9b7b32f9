import type { Block, Guide, Inline, Section, Text } from "./guide-text.ts";

/** The guide as CommonMark with tables. Lines are ended by `\n`. */
export const renderGuideMarkdown = ({ title, lead, sections }: Guide): string =>
  [`# ${escaped(title)}`, inlines(lead), ...sections.flatMap((section) => sectionLines(section, 2))].join("\n\n");

const sectionLines = ({ title, blocks, parts = [] }: Section, level: number): string[] => [
  `${"#".repeat(level)} ${escaped(title)}`,
  ...blocks.map(block),
  ...parts.flatMap((part) => sectionLines(part, level + 1)),
];

const block = (content: Block): string => {
  switch (content.kind) {
    case "paragraph":
      return inlines(content.text);
    case "list":
      return content.items
        .map((item, index) => `${content.ordered ? `${index + 1}.` : "-"} ${inlines(item)}`)
        .join("\n");
    case "code":
      return `\`\`\`${content.language}\n${content.code}\n\`\`\``;
    case "table":
      return [
        row(content.columns.map(escaped)),
        row(content.columns.map(() => "---")),
        ...content.rows.map((cells) => row(cells.map((cell) => inlines(cell).replaceAll("|", "\\|")))),
      ].join("\n");
    case "questions":
      return content.items
        .map(({ question, answer }) => `**Q: ${escaped(question)}**  \nA: ${inlines(answer)}`)
        .join("\n\n");
  }
};

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const inlines = (content: Text): string => content.map(inline).join("");

const inline = (piece: Inline): string => {
  if (typeof piece === "string") return escaped(piece);
  if ("code" in piece) return `\`${piece.code}\``;
  if ("strong" in piece) return `**${escaped(piece.strong)}**`;
  return piece.link === piece.text ? `<${piece.link}>` : `[${escaped(piece.text)}](<${piece.link}>)`;
};

/** Only what Markdown would take for markup where this guide puts text: an underscore within a word is none. */
const escaped = (plain: string): string => plain.replace(/[\\`*<>[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, "\\$&");
