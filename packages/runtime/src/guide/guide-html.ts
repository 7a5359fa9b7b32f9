import type { Block, Guide, Inline, Section, Text } from "@aigw/core";

/** The guide's content as HTML, without the document around it. */
export const renderGuideHtml = ({ title, lead, sections }: Guide): string =>
  [
    '<a class="skip" href="#content">Skip to the content</a>',
    `<header><h1>${escapeHtml(title)}</h1><p class="lead">${inlines(lead)}</p></header>`,
    `<nav aria-label="Contents"><ul>${sections.map(entry).join("")}</ul></nav>`,
    `<main id="content" tabindex="-1">${sections.map((section) => sectionHtml(section, 2)).join("\n")}</main>`,
    '<p class="unseen" role="status" id="copied"></p>',
  ].join("\n");

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const entry = ({ id, title, parts = [] }: Section): string => {
  const inner = parts.length === 0 ? "" : `<ul>${parts.map(entry).join("")}</ul>`;
  return `<li><a href="#${id}">${escapeHtml(title)}</a>${inner}</li>`;
};

const sectionHtml = ({ id, title, blocks, parts = [] }: Section, level: number): string => {
  const inner = [...blocks.map(block), ...parts.map((part) => sectionHtml(part, level + 1))].join("\n");
  return `<section aria-labelledby="${id}"><h${level} id="${id}">${escapeHtml(title)}</h${level}>\n${inner}</section>`;
};

const block = (content: Block): string => {
  switch (content.kind) {
    case "paragraph":
      return `<p>${inlines(content.text)}</p>`;
    case "list": {
      const tag = content.ordered ? "ol" : "ul";
      return `<${tag}>${content.items.map((item) => `<li>${inlines(item)}</li>`).join("")}</${tag}>`;
    }
    case "code": {
      const { label, language, code } = content;
      // Focusable, so that a sample wider than the screen can be scrolled with the keyboard.
      return `<figure class="code ${language}"><figcaption>${escapeHtml(label)}</figcaption><pre tabindex="0" aria-label="${escapeHtml(label)}"><code>${sample(code)}</code></pre></figure>`;
    }
    case "table":
      return table(content);
    case "questions":
      return `<dl>${content.items
        .map(({ question, answer }) => `<dt>${escapeHtml(question)}</dt><dd>${inlines(answer)}</dd>`)
        .join("\n")}</dl>`;
  }
};

/** One of three columns is laid out another way on a phone, where only roles still tell a screen reader what it is. */
const table = ({ columns, rows }: Extract<Block, { kind: "table" }>): string => {
  const head = columns.map((column) => `<th scope="col" role="columnheader">${escapeHtml(column)}</th>`).join("");
  const attributes = columns.length > 2 ? ' class="stacked" role="table"' : ' role="table"';
  return `<table${attributes}><thead role="rowgroup"><tr role="row">${head}</tr></thead><tbody role="rowgroup">${rows.map(row).join("\n")}</tbody></table>`;
};

const row = ([first = [], ...rest]: readonly Text[]): string =>
  `<tr role="row"><th scope="row" role="rowheader">${inlines(first)}</th>${rest.map((cell) => `<td role="cell">${inlines(cell)}</td>`).join("")}</tr>`;

/** What the reader has to replace stands out. */
const sample = (code: string): string => escapeHtml(code).replace(/YOUR_[A-Z]+/g, "<b>$&</b>");

const inlines = (content: Text): string => content.map(inline).join("");

const inline = (piece: Inline): string => {
  if (typeof piece === "string") return escapeHtml(piece);
  if ("code" in piece) return `<code>${breakable(piece.code)}</code>`;
  if ("strong" in piece) return `<strong>${escapeHtml(piece.strong)}</strong>`;
  return `<a href="${escapeHtml(piece.link)}">${breakable(piece.text)}</a>`;
};

/** Addresses may break where a reader would break them. */
const breakable = (text: string): string =>
  text
    .split(/(?<=[/@])/)
    .map(escapeHtml)
    .join("<wbr>");
