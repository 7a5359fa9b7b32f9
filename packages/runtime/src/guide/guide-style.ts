/** The guide's style sheet: no font, image or import from anywhere. Text has a contrast of at least 4.5 in both schemes. */
export const GUIDE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #fff; --text: #1c2430; --soft: #566173; --line: #dde2e9; --panel: #f5f7fa;
  --accent: #1d5bbf; --mark: #9a3d00; --button: #fff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --text: #e4e8ee; --soft: #a3adbb; --line: #2d3541; --panel: #1b2129;
    --accent: #86b4ff; --mark: #ffb27a; --button: #262e39;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 46rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: break-word;
}
h1, h2, h3 { line-height: 1.25; margin: 0; text-wrap: balance; }
h1 { font-size: 1.9rem; letter-spacing: -0.015em; }
h2 { font-size: 1.35rem; padding-top: 1.75rem; }
h3 { font-size: 1.05rem; padding-top: 1.25rem; }
p, ul, ol, dl, table, figure { margin: 0.75rem 0; }
.lead { color: var(--soft); font-size: 1.1rem; }
a { color: var(--accent); text-underline-offset: 0.15em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
main ul, main ol { padding-left: 1.4rem; }
main li { margin: 0.35rem 0; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.875em; }
pre code { font-size: inherit; }
:not(pre) > code { background: var(--panel); border-radius: 4px; padding: 0.1em 0.3em; overflow-wrap: anywhere; }
figure.code { border: 1px solid var(--line); border-radius: 8px; background: var(--panel); overflow: hidden; }
figcaption {
  display: flex; align-items: center; justify-content: space-between; gap: 1rem; min-height: 2.75rem;
  padding: 0.25rem 0.5rem 0.25rem 0.9rem; border-bottom: 1px solid var(--line); color: var(--soft); font-size: 0.85rem;
}
pre { margin: 0; padding: 0.9rem; overflow-x: auto; line-height: 1.5; tab-size: 2; }
pre b { color: var(--mark); }
button {
  font: inherit; color: var(--text); background: var(--button); border: 1px solid var(--line); border-radius: 6px;
  min-width: 4.75rem; min-height: 2.1rem; padding: 0.2rem 0.7rem; cursor: pointer;
}
button:hover { border-color: var(--accent); }
table { width: 100%; border-collapse: collapse; font-size: 0.95rem; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.75rem 0.5rem 0; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: 0.85rem; font-weight: 600; }
tbody th { font-weight: 400; }
@media (max-width: 40rem) {
  .stacked thead { position: absolute; clip-path: inset(50%); }
  .stacked tr { display: grid; grid-template-columns: 3.5rem minmax(0, 1fr); border-bottom: 1px solid var(--line); padding: 0.5rem 0; }
  .stacked tbody :is(th, td) { border: 0; padding: 0.1rem 0; }
  .stacked td { grid-column: 2; }
}
dt { font-weight: 600; margin-top: 1rem; }
dd { margin: 0.2rem 0 0; }
nav { border: 1px solid var(--line); border-radius: 8px; padding: 0.4rem 1rem; margin: 1.25rem 0; font-size: 0.95rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav > ul { columns: 2; column-gap: 1.5rem; }
nav li { break-inside: avoid; }
nav li li { padding-left: 0.9rem; }
nav a { display: block; padding: 0.3rem 0; color: inherit; text-decoration: none; }
nav a:hover { color: var(--accent); text-decoration: underline; }
.skip { position: absolute; left: -100rem; background: var(--page); padding: 0.5rem 1rem; }
.skip:focus { left: 1rem; top: 0.5rem; z-index: 1; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); }
@media (min-width: 66rem) {
  body {
    max-width: 66rem; padding-top: 3rem;
    display: grid; grid-template-columns: 13rem minmax(0, 1fr); column-gap: 3rem; align-content: start;
  }
  header, main { grid-column: 2; }
  nav { grid-column: 1; grid-row: 1 / span 2; align-self: start; position: sticky; top: 3rem; margin: 0; }
  nav > ul { columns: 1; }
}
@media print {
  :root { --page: #fff; --text: #000; --soft: #333; --line: #bbb; --panel: #fff; --accent: #000; --mark: #000; color-scheme: light; }
  @page { margin: 18mm; }
  body { display: block; max-width: none; padding: 0; font-size: 10pt; line-height: 1.45; }
  h2 { padding-top: 1rem; }
  figcaption { min-height: 0; }
  table { font-size: inherit; }
  th, td { padding-top: 0.25rem; padding-bottom: 0.25rem; }
  nav, button, .skip { display: none; }
  h2, h3, dt, figcaption { break-after: avoid; }
  pre { font-size: 8.5pt; padding: 0.5rem 0.9rem; white-space: pre-wrap; overflow-wrap: anywhere; }
  figure.code, tr, dd { break-inside: avoid; }
}
`;
