import { statSync } from "node:fs";
import { outboxPath, type Waiting, waitingIn } from "../../delivery/outbox.ts";
import { shellQuoted } from "../../terminal/output/shell-quoted.ts";
import { counted, listed } from "../../terminal/output/words.ts";
import type { Found } from "../finding.ts";

const about = "unsent";
/** A mail server that is away comes back within a day; after that somebody has forgotten. */
const OLD_MS = 86_400_000;
const command = "aigw onboard unsent list; then: aigw onboard unsent send, or: aigw onboard unsent clear";

/** E-mails with passwords that wait to be sent. */
export const checkUnsent = (home: string, now: number): readonly Found[] => {
  const waiting = waitingIn({ path: home });
  if (waiting.length === 0) return [];
  const folder = outboxPath({ path: home });
  const loose = [folder, ...waiting.map(({ path }) => path)].filter(isLoose);
  const old = waiting.filter(({ at }) => now - at >= OLD_MS);
  const findings: Found[] = [];
  if (loose.length > 0) {
    const message = `Others can read ${loose.length === 1 ? loose[0] : `${loose.length} files in ${folder}`}, with passwords in it.`;
    findings.push({ code: "unsent_loose", about, message, command: `chmod -R go= ${shellQuoted(folder)}` });
  }
  if (old.length > 0) {
    const days = Math.floor((now - (old[0]?.at ?? now)) / OLD_MS);
    const message = `E-mails with passwords wait since ${counted(days, "day")} ago: ${named(old)}.`;
    findings.push({ code: "unsent_old", about, message, command });
  } else {
    findings.push({ code: "unsent_waiting", about, message: `e-mails wait: ${named(waiting)}`, command });
  }
  return findings;
};

const isLoose = (path: string): boolean => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0;

const named = (waiting: readonly Waiting[]): string => listed([...new Set(waiting.map(({ client }) => client))]);
