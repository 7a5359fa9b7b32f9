import type { Found } from "../finding.ts";

/** Below it, the SQLite that comes with Node can corrupt a database that two processes write. */
const WORKS_FROM = [24, 21, 0] as const;
/** The security releases of 2026-10-21, one for each line that is maintained. */
const SECURE_FROM: readonly (readonly [number, number, number])[] = [
  [24, 22, 1],
  [26, 12, 1],
];

/** @param version such as `24.21.0` */
export const checkNodeVersion = (version: string): Found => {
  const about = "node";
  const command = "install Node 24.22.1 or 26.12.1, or a later release of these lines";
  const found = version.split(/[.-]/, 3).map(Number);
  if (isBelow(found, WORKS_FROM)) {
    return { code: "node_unsupported", about, message: `Node ${version} is too old: aigw needs 24.21.0.`, command };
  }
  const line = SECURE_FROM.find(([major]) => major === found[0]);
  const newest = SECURE_FROM.at(-1) ?? WORKS_FROM;
  // A line that is neither of these, such as 25, gets no fixes unless it is later than both.
  const secure = line === undefined ? (found[0] ?? 0) > newest[0] : !isBelow(found, line);
  if (secure) return { code: "node_current", about, message: `Node ${version}` };
  return {
    code: "node_outdated",
    about,
    message: `Node ${version} works, but lacks the security release of 2026-10-21.`,
    command,
  };
};

const isBelow = (found: readonly number[], needed: readonly number[]): boolean => {
  for (const [index, least] of needed.entries()) {
    const part = found[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
};
