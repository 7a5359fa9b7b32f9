import type { BillsOfMonth } from "../../json/usage-bill.ts";
import { type BillPage, billPages } from "./bill-page.ts";

/** One file that needs nothing else, and prints a page for each client. */
export const billHtml = (document: BillsOfMonth): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(`Usage ${document.month}`)}</title>
<style>${STYLE}</style>
</head>
<body>
${billPages(document).map(sectionOf).join("\n")}
</body>
</html>
`;

const sectionOf = ({ title, client, period, columns, rows, total, notes }: BillPage): string => {
  const cells = (texts: readonly string[]): string =>
    texts
      .map((text, index) => {
        const { align } = columns[index] ?? {};
        const number = align === "right" ? ' class="number"' : "";
        return index === 0 ? `<th scope="row">${escaped(text)}</th>` : `<td${number}>${escaped(text || "–")}</td>`;
      })
      .join("");
  const head = columns
    .map(
      ({ title: name, align }) => `<th scope="col"${align === "right" ? ' class="number"' : ""}>${escaped(name)}</th>`,
    )
    .join("");
  const table = `<table>
<thead><tr>${head}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("\n")}</tbody>
<tfoot><tr>${cells(total)}</tr></tfoot>
</table>`;
  return `<section>
<header><h1>${escaped(title)}</h1><p class="client">${escaped(client)}</p><p class="period">${escaped(period)}</p></header>
${rows.length === 0 ? "<p>No calls.</p>" : table}
${notes.map((note) => `<p class="note">${escaped(note)}</p>`).join("\n")}
</section>`;
};

/** Names are the admin's, but a model's is whatever a service says. */
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 50rem; padding: 1rem; }
section { padding: 2rem 0; border-bottom: 1px solid; }
section:last-child { border: 0; }
h1 { font-size: 1.5rem; margin: 0; }
.client { font-size: 1.1rem; margin: .5rem 0 0; }
.period, .note { margin: .25rem 0 0; opacity: .75; }
table { border-collapse: collapse; margin: 1.5rem 0; width: 100%; }
th, td { padding: .35rem .75rem .35rem 0; text-align: left; vertical-align: baseline; overflow-wrap: anywhere; }
thead th, tfoot th, tfoot td { font-weight: 600; }
thead th { border-bottom: 2px solid; }
tbody th { font-weight: 400; }
tbody tr { border-bottom: 1px solid rgb(128 128 128 / .4); break-inside: avoid; }
tfoot tr { border-top: 2px solid; }
.number { font-variant-numeric: tabular-nums; padding-right: 0; padding-left: .75rem; text-align: right; }
@page { margin: 2cm; }
@media print {
  :root { color-scheme: light; }
  body { font-size: 11pt; max-width: none; padding: 0; }
  section { border: 0; break-after: page; padding: 0; }
  section:last-child { break-after: auto; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  .period, .note { opacity: 1; }
}`;
