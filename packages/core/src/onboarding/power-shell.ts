import { type CalledFacts, calledPaths, type QuickStart } from "./quick-start.ts";

/**
 * The quick start for Windows PowerShell (5.1 and later), whose `curl` is another program: the token into a variable, then
 * a call per service. Form fields are encoded by Invoke-RestMethod itself, so that any password works.
 */
export const powerShellQuickStart = (facts: CalledFacts): QuickStart => {
  const { publicUrl, username, password } = facts;
  const body = `@{ username = ${quoted(username)}; password = ${quoted(password)} }`;
  return {
    token: `$token = (Invoke-RestMethod -Method Post -Uri ${quoted(`${publicUrl}/auth/token`)} \`\n  -Body ${body}).access_token`,
    calls: calledPaths(facts).map(
      (path) =>
        `Invoke-RestMethod -Uri ${quoted(`${publicUrl}${path}`)} \`\n  -Headers @{ Authorization = "Bearer $token" }`,
    ),
  };
};

/** In single quotes nothing is expanded. PowerShell takes the typographic ones for them as well (about_Quoting_Rules). */
const quoted = (text: string): string => `'${text.replace(/['\u2018\u2019\u201a\u201b]/g, "$&$&")}'`;
