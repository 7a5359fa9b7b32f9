import { createHash } from "node:crypto";
import { createGuide, type GuideFacts } from "@aigw/core/onboarding";
import { escapeHtml, renderGuideHtml } from "./guide-html.ts";
import { GUIDE_SCRIPT } from "./guide-script.ts";
import { GUIDE_STYLE } from "./guide-style.ts";

const sourceHash = (source: string): string => `'sha256-${createHash("sha256").update(source).digest("base64")}'`;

/** Nothing from anywhere: the page's own style and script by their hashes, and an icon that is in the page. */
export const GUIDE_POLICY: string = [
  "default-src 'none'",
  `style-src ${sourceHash(GUIDE_STYLE)}`,
  `script-src ${sourceHash(GUIDE_SCRIPT)}`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%231d5bbf'/%3E%3Cpath d='M5 12V7a3 3 0 0 1 6 0v5' fill='none' stroke='white' stroke-width='2'/%3E%3C/svg%3E";

/** The client guide as one page that needs nothing else. */
export const guidePage = (facts: GuideFacts): string => {
  const guide = createGuide(facts);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(guide.title)}</title>
<link rel="icon" href="${ICON}">
<style>${GUIDE_STYLE}</style>
</head>
<body>
${renderGuideHtml(guide)}
<script>${GUIDE_SCRIPT}</script>
</body>
</html>
`;
};
