import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { initHome, systemClock } from "@aigw/core";
import { everyCommand } from "../../packages/cli/test/support/commands.ts";
import { temporaryHome } from "../support/aigw.ts";
import { CROWD, crowdedHome, LONG, seemingGateways } from "../support/crowded-home.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { NO_PTY } from "../support/pty.ts";
import { runOnTerminal } from "../support/run-on-terminal.ts";
import { type Line, linesOn } from "../support/screen.ts";

/** 0: a terminal that does not know its size, which counts as 80. */
const WIDTHS = [60, 80, 120, 0];

interface Case {
  readonly argv: readonly string[];
  /** Of a store of 200 clients; of one with nothing in it; of a folder that is not there. */
  readonly home: "crowded" | "empty" | "absent";
  readonly code: number;
  /** What was asked for: each is whole, on one line. */
  readonly keys: readonly string[];
  /** Commands to copy: each is whole, on one line. */
  readonly copies: readonly string[];
  /** A document to be copied as it is, whose own lines are not broken. */
  readonly document: boolean;
  readonly press: readonly (readonly [expect: string, keys: string])[];
}

const on =
  (home: Case["home"]) =>
  (words: string, given: Partial<Omit<Case, "argv" | "home">> = {}): Case => ({
    argv: words.split(" ").map((word) => word.replaceAll("␣", " ")),
    home,
    code: 0,
    keys: [],
    copies: [],
    document: false,
    press: [],
    ...given,
  });
const crowded = on("crowded");
const empty = on("empty");
const absent = on("absent");

const CLIENTS = Array.from({ length: CROWD - 3 }, (_, n) => `client-${n}`);
const QUIT = [["sorted by requests", "q"]] as const;
const CTRL_C = "\u0003";

/** In the order in which they are run: what removes something comes last. */
const CASES: readonly Case[] = [
  crowded("status", { keys: [LONG.address, "http://127.0.0.1:8080"] }),
  crowded("top --once", { keys: [LONG.client, LONG.service, "john", "eve", "ocr"] }),
  crowded("top", { keys: [LONG.client, LONG.service, "john"], press: QUIT }),
  crowded("client list", { keys: [LONG.client, "john", "eve", ...CLIENTS] }),
  crowded("client list --idle 30d --sort last-call --limit 3"),
  crowded(`client show ${LONG.client}`, { keys: [LONG.client, LONG.email] }),
  crowded("client show jon", { code: 3, copies: ["aigw client list"] }),
  crowded("service list", { keys: ["ocr", LONG.service, LONG.url] }),
  crowded(`service show ${LONG.service}`, { keys: [LONG.service, LONG.url, `/api/${LONG.service}`] }),
  crowded(`price set ${LONG.service} pages=0.01 seconds=0.006/60 --no-wait`),
  crowded(`price set ${LONG.service} output_tokens=0.60/1M --model ${"a-model-of-a-long-name*".repeat(2)} --no-wait`),
  crowded("price list", { keys: [LONG.service, "output_tokens", "0.006/60"] }),
  crowded(`price remove ${LONG.service} pages --yes --no-wait`),
  crowded(`service meter ${LONG.service}`),
  crowded(`plan add ${LONG.client} --limit 60 --services ocr --quota requests=10000/day,pages=500/week --no-wait`),
  crowded(`plan set ${LONG.client} --weight 3 --services ocr,${LONG.service} --no-wait`),
  crowded(`client set john eve --plan ${LONG.client} --no-wait`),
  crowded(`client list --plan ${LONG.client}`, { keys: ["john", "eve"] }),
  crowded("plan list", { keys: [LONG.client] }),
  crowded(`plan show ${LONG.client}`, { keys: [LONG.client] }),
  crowded(
    `client set ${LONG.client} --quota requests=10000/day,input_tokens+output_tokens=2M/month,pages=500/week,cost=20/month --no-wait`,
  ),
  crowded(`client grant ${LONG.client} pages=+500 input_tokens+output_tokens=+1M --until 2999-01-31 --no-wait`),
  crowded(`client quota ${LONG.client}`, { keys: ["requests=10000/day", "input_tokens+output_tokens=3M/month"] }),
  crowded(`client quota ${LONG.client} --reset --no-wait`),
  crowded(`plan remove ${LONG.client} --yes`, { code: 5, copies: ["aigw client set eve john --no-plan"] }),
  crowded("client set john eve --no-plan --no-wait"),
  crowded("client quota eve", { copies: ["aigw client set eve --quota 'requests=10000/day'"] }),
  crowded("secret list", { keys: ["k_"] }),
  crowded("config list", { keys: [LONG.publicUrl, LONG.email, "public-url", "usage-days"] }),
  crowded("config get public-url", { keys: [LONG.publicUrl] }),
  crowded("audit list -n 300", { keys: [...CLIENTS, LONG.client, LONG.service, "public-url"] }),
  crowded("usage tail -n 200", { keys: [LONG.client, LONG.service, "john", "eve", "502", "401", "429"] }),
  crowded("usage tail -n 3 -f", { keys: ["john"], press: [["429", CTRL_C]], code: 130 }),
  crowded("usage report --by client", { keys: [LONG.client, "john", "eve"] }),
  crowded("usage report --by service,status", { keys: [LONG.service, "ocr", "502"] }),
  crowded("usage report --by hour"),
  crowded("usage report --by client,service,status,day", { keys: [LONG.client, LONG.service] }),
  crowded("usage report --by model,plan,month --unit requests"),
  crowded("usage bill --month 2027-01"),
  crowded("usage export --since 1h", { document: true }),
  crowded("usage verify --since 1h", { code: 1 }),
  crowded("usage prune --yes"),
  crowded("why john", { keys: ["john"] }),
  crowded(`why ${LONG.client}`),
  crowded(`why ${LONG.requestId}`, { keys: [LONG.requestId], copies: ["aigw usage export"] }),
  crowded("why nobody-of-that-name", { code: 3, copies: ["aigw client list", "--since 30d"] }),
  crowded("jobs list", { keys: ["j_"] }),
  crowded("jobs list --state queued -q", { keys: ["j_"] }),
  crowded(`jobs show ${LONG.job}`, {
    keys: [LONG.job],
  }),
  crowded(`jobs cancel ${LONG.job} --yes`),
  crowded("review"),
  crowded("doctor", { code: 1, keys: [LONG.publicUrl] }),
  crowded("guide", { document: true }),
  crowded("onboard unsent list", { keys: [LONG.client, LONG.email, "/unsent/"] }),
  crowded("onboard unsent send", { code: 2, copies: ["aigw config set smtp-url smtp://user@host:587"] }),
  crowded("onboard unsent clear --yes"),
  crowded("onboard unsent list"),
  crowded("onboard john --yes --no-verify --no-wait", { keys: [LONG.publicUrl, `${LONG.publicUrl}/guide`] }),
  crowded("onboard john --email --yes --no-verify --no-wait", { document: true, keys: [LONG.publicUrl] }),
  crowded("onboard --from people.csv --create --yes --no-verify --no-wait", { keys: ["ann", LONG.client] }),
  crowded("client set john --limit 600", { code: 1, copies: ["aigw status"] }),
  crowded("client set john --limit 601 --no-wait"),
  crowded("client edit john", { code: 2, copies: ["aigw client set john"] }),
  crowded(`service set ${LONG.service} --timeout 5m --no-wait`),
  crowded(`service set ${LONG.service} --add-target http://127.0.0.1:1 --no-check --no-wait`),
  crowded(`service show ${LONG.service}`, { keys: [LONG.url, "http://127.0.0.1:1"] }),
  crowded(`service drain ${LONG.service} http://127.0.0.1:1 --no-wait`, { keys: ["http://127.0.0.1:1"] }),
  crowded(`service enable ${LONG.service} http://127.0.0.1:1 --no-wait`, { keys: ["http://127.0.0.1:1"] }),
  crowded(`service test ${LONG.service} --target http://127.0.0.1:1`, { code: 1, keys: ["http://127.0.0.1:1"] }),
  crowded(`service disable ${LONG.service} --message Back␣at␣14:00. --no-wait`, { keys: [LONG.service] }),
  crowded("service list", { keys: [LONG.service, "disabled"] }),
  crowded(`service enable ${LONG.service} --no-wait`, { keys: [LONG.service] }),
  crowded(`client passwd ${LONG.client} --yes --no-wait`, { keys: [LONG.client] }),
  crowded(`client revoke ${LONG.client} --no-wait`, { press: [["Revoke", "y\r"]] }),
  crowded(`client revoke ${LONG.client} --no-wait`),
  crowded(`client restore ${LONG.client} --no-wait`),
  crowded(`client remove ${LONG.client} --yes --no-wait`),
  crowded("secret rotate --yes --no-wait", { keys: ["k_"] }),
  crowded("service remove ocr --yes --no-wait"),
  crowded("backup backup.tar", { keys: ["backup.tar"] }),
  crowded("store copy --to sqlite:copy.db", { keys: ["copy.db"] }),
  absent("restore-backup backup.tar", { code: 4 }),
  absent("status", { code: 1, copies: ["aigw init"] }),
  absent("init", {
    press: [
      ["public-url", "\r"],
      ["support-email", "\r"],
    ],
    keys: ["https://ai.example.com"],
    copies: ["aigw config set public-url https://…"],
  }),
  empty("status", { copies: ["aigw serve"] }),
  empty("top --once"),
  empty("client list", { copies: ["aigw client add <name>"] }),
  empty("plan list", { copies: ["aigw plan add <name>"] }),
  empty("price list", { copies: ["aigw price set <service> pages=0.01"] }),
  empty("service list", { copies: ["aigw service add <name> <url>"] }),
  empty("jobs list"),
  empty("audit list"),
  empty("usage tail"),
  empty("usage report"),
  empty("usage bill"),
  empty("usage verify"),
  empty("why john", { code: 3, copies: ["aigw client list"] }),
  empty("review"),
  empty("doctor", { copies: ["aigw service add <name> <url>", "aigw serve"] }),
  empty("onboard unsent list"),
  empty("config set public-url https://ai.example.com"),
  empty(`config set sender-name ${"Die␣Leute␣vom␣Rechenzentrum␣und␣".repeat(2)}日本語`),
  empty("config unset public-url docs-url"),
  empty("version"),
  empty(`service add ${LONG.service} ${LONG.url} --no-check`, { keys: [`/api/${LONG.service}`, LONG.url] }),
  empty("service add gone http://127.0.0.1:1"),
  empty(`client add ${LONG.client}`, { keys: [LONG.client] }),
  empty(`client set ${LONG.client} --note ${"a␣note␣of␣many␣words␣".repeat(12)}`),
  empty(`client show ${LONG.client}`),
  empty("client add john --limit nonsense", { code: 2 }),
  empty("clinet list", { code: 2 }),
  empty("client lst", { code: 2 }),
  empty("client list --nonsense", { code: 2 }),
  empty("serve --port 0 --admin-port 0", { press: [["a second one at once", CTRL_C]], keys: ["/metrics", "/guide"] }),
  empty("completion bash", { document: true }),
  ...["environment", "exit-codes", "scripting", "security"].map((topic) => empty(`help ${topic}`)),
];

const HELPS: readonly Case[] = [[], ...everyCommand()].map((path) => empty([...path, "--help"].join(" ")));

/** Without it nothing would be seen of them here: what they run stands above. */
const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ["demo", "starts an OCR engine; test/e2e/demo.test.ts runs it"],
  ["help", "its topics stand above, and every help below"],
]);

/** What may be longer than the terminal is wide, alone on its line: one word, or one command. */
const isToCopy = (text: string): boolean =>
  /^(?:[✗!✓] )?\S+$/.test(text) ||
  (/^(?:\S+=\S+ )?(?:\$ )?(?:aigw|chmod|chown|cp|curl|kill|pass|eval|PASSWORD=)[ "$]/.test(text) &&
    !/[.:;,] /.test(text));

/** All but the blanks of the line in one colour that means something. */
const isPaintedAllOver = ({ cells, text }: Line): boolean => {
  const inked = cells.filter((cell) => cell.text.trim() !== "");
  return text.trim().includes(" ") && inked.every(({ colour }) => colour !== "own" && colour === inked[0]?.colour);
};

const problemsOf = (one: Case, lines: readonly Line[], columns: number): string[] => {
  const problems: string[] = [];
  for (const line of lines) {
    if (line.rows > 1 && !one.document && !isToCopy(line.text.trim())) {
      problems.push(`wider than ${columns}: ${JSON.stringify(line.text)}`);
    }
    if (/[─-╿]/.test(line.text)) problems.push(`lines around cells: ${line.text}`);
    if (isPaintedAllOver(line) && !isToCopy(line.text.trim())) problems.push(`coloured as a whole: ${line.text}`);
  }
  for (const wanted of [...one.keys, ...one.copies]) {
    if (!lines.some(({ text }) => text.includes(wanted))) problems.push(`not whole on one line: ${wanted}`);
  }
  return problems;
};

/** Runs every case on a terminal of so many columns. @returns what is wrong, a line each */
const problemsAt = async (folder: string, width: number): Promise<readonly string[]> => {
  const cases = [...CASES, ...HELPS];
  const commands = cases.map(({ argv, home, press }) => ({ argv, press, home: join(folder, home) }));
  const shown = await runOnTerminal(folder, commands, { columns: width });
  const columns = width || 80;
  const problems = await Promise.all(
    cases.map(async (one, index) => {
      const { output = "", exitCode } = shown[index] ?? {};
      const lines = await linesOn(beforeLeaving(output), columns);
      const found = problemsOf(one, lines, columns);
      if (exitCode !== one.code) {
        found.push(`exit ${exitCode}, not ${one.code}: ${lines.map(({ text }) => text).join(" | ")}`);
      }
      return found.map((problem) => `${width}: aigw ${one.argv.join(" ").slice(0, 60)}: ${problem}`);
    }),
  );
  return problems.flat();
};

/** What was seen on the terminal's other screen, which is gone in the end. */
const beforeLeaving = (output: string): string => output.split("\u001b[?1049l", 1)[0] ?? "";

test("every command keeps to the terminal's width, and what was asked for is whole", { skip: NO_PTY }, async (t) => {
  const prepared = dirname(temporaryHome(t));
  await crowdedHome(join(prepared, "crowded"));
  await initHome({ home: join(prepared, "empty"), at: systemClock.now(), actor: "ann" });
  writeFileSync(join(prepared, "people.csv"), `name,email\n${LONG.client},${LONG.email}\nann,ann@example.com\n`);
  const problems = await Promise.all(
    WIDTHS.map(async (width) => {
      const folder = dirname(temporaryHome(t));
      // With its modes, which cpSync leaves out.
      execFileSync("cp", ["-a", `${prepared}/.`, folder]);
      t.after(await seemingGateways(join(folder, "crowded")));
      return problemsAt(folder, width);
    }),
  );
  const all = problems.flat();
  assert.ok(all.length === 0, `${all.length} problems:\n${all.slice(0, 60).join("\n")}`);
});

test("no command is left out", () => {
  const run = CASES.map(({ argv }) => argv.join(" "));
  const missing = everyCommand()
    .map((path) => path.join(" "))
    .filter((path, _, all) => !all.some((other) => other.startsWith(`${path} `)))
    .filter((path) => !LEFT_OUT.has(path) && !run.some((words) => words.startsWith(path)));
  assert.deepEqual(missing, []);
});

reportNeed(NEEDS.terminal, NO_PTY || undefined);
