import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cleanEnv } from "../../support/aigw.ts";
import { canary } from "../../support/canary.ts";
import { runHere, SecretHunt } from "../../support/secret-hunt.ts";
import { LOGIN, startMailServer } from "../../support/smtp.ts";
import { count, never, type Row, type Run } from "../row.ts";

const RIGHT_SMTP_PASSWORD = LOGIN.password;

/** Every command with arguments with which it does its work, by its path; several where it has several ways. */
const works = (hunt: SecretHunt, folder: string): Readonly<Record<string, readonly (readonly string[])[]>> => {
  const { home } = hunt.secrets;
  const template = join(folder, "template.txt");
  const people = join(folder, "people.csv");
  writeFileSync(template, "{{display-name}} {{name}} {{password}} {{token-command}}\n");
  writeFileSync(people, "name,email\nann,ann@example.com\nbob,bob@example.com\n");
  return {
    init: [["init"]],
    "config list": [["config", "list"]],
    "config get": [
      ["config", "get", "smtp-url"],
      ["config", "get", "smtp-password"],
    ],
    "config set": [
      ["config", "set", "support-email", "help@example.com"],
      ["config", "set", "smtp-password", hunt.secrets.password],
      ["config", "set", "smtp-url", `smtp://u:${hunt.secrets.password}@localhost`],
      ["config", "set", "public-url", `https://u:${hunt.secrets.password}@a`],
    ],
    "config unset": [["config", "unset", "docs-url"]],
    serve: [
      ["serve", "--port", new URL(hunt.gateway.url).port],
      ["serve", "--tls-cert", join(home, "master.key"), "--tls-key", template, "--port", "0"],
    ],
    "client add": [["client", "add", "eve", "--password-stdin"]],
    "client list": [["client", "list"]],
    "client show": [["client", "show", "john"]],
    "client set": [["client", "set", "john", "--note", "n", "--email", "john@example.com"]],
    "client edit": [["client", "edit", "john"]],
    "client passwd": [["client", "passwd", "eve", "--password-stdin", "--yes"]],
    "client revoke": [["client", "revoke", "few", "--yes"]],
    "client restore": [["client", "restore", "few"]],
    "client remove": [["client", "remove", "eve", "--yes"]],
    "service add": [
      ["service", "add", "more", "http://127.0.0.1:9", "--header-env", "X-Api-Key=UPSTREAM_KEY"],
      ["service", "add", "other", `http://u:${hunt.secrets.password}@a/`],
    ],
    "service list": [["service", "list"]],
    "service show": [["service", "show", "live"]],
    "service set": [
      ["service", "set", "away", "--timeout", "2s"],
      ["service", "set", "live", "--header-env", hunt.secrets.otherKey],
    ],
    "service remove": [["service", "remove", "more", "--yes"]],
    "secret rotate": [["secret", "rotate", "--yes", "--grace", "60m"]],
    "secret list": [["secret", "list"]],
    onboard: [
      ["onboard", "nobody-here", "--template", join(home, "master.key")],
      ["onboard", "--from", people, "--create", "--out", join(folder, "mails"), "--yes"],
    ],
    "onboard unsent list": [["onboard", "unsent", "list"]],
    "onboard unsent send": [["onboard", "unsent", "send", "john", "--yes"]],
    "onboard unsent clear": [["onboard", "unsent", "clear", "john", "--yes"]],
    "usage tail": [["usage", "tail", "-n", "1000"]],
    "usage report": [
      ["usage", "report", "--by", "client,service"],
      ["usage", "report", "--csv"],
    ],
    "usage export": [
      ["usage", "export"],
      ["usage", "export", "--format", "csv"],
    ],
    "usage prune": [["usage", "prune", "--older-than", "90d", "--yes"]],
    top: [["top", "--once"]],
    why: [
      ["why", "john"],
      ["why", "few"],
    ],
    review: [["review"]],
    "audit list": [["audit", "list", "-n", "1000"]],
    guide: [["guide"]],
    status: [["status"]],
    doctor: [["doctor"]],
    backup: [["backup", join(folder, "aigw.backup")]],
    "restore-backup": [["restore-backup", join(folder, "aigw.backup"), "--yes"]],
    "store copy": [["store", "copy", "--to", `sqlite:${join(folder, "copy.db")}`]],
    demo: [["demo", "--nothing"]],
    version: [["version"]],
    completion: [["completion", "bash"]],
    help: [
      ["help", "exit-codes"],
      ["help", "scripting"],
      ["help", "security"],
      ["help", "environment"],
    ],
  };
};

/** The paths of all commands that do something, as their help lists them. */
const leaves = async (hunt: SecretHunt, path: readonly string[] = []): Promise<string[]> => {
  const { stdout } = await hunt.cli([...path, "--help"]);
  const list = stdout
    .split("\n\n")
    .filter((part) => !/^(Examples|Arguments):\n/.test(part))
    .join("\n");
  const names = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].flatMap(([, name]) =>
    name === undefined || (name === "help" && path.length > 0) ? [] : [name],
  );
  if (names.length === 0) return [path.join(" ")];
  const below = [];
  for (const name of names) below.push(...(await leaves(hunt, [...path, name])));
  return below;
};

/** Ways in which a home cannot be used, each with the environment that meets it. */
const damagedHomes = (hunt: SecretHunt, folder: string): Readonly<Record<string, NodeJS.ProcessEnv>> => {
  const { home } = hunt.secrets;
  const copy = (name: string, spoil: (home: string) => void): string => {
    const to = join(folder, name);
    cpSync(home, to, { recursive: true });
    spoil(to);
    return to;
  };
  const env = (at: string, more: Record<string, string> = {}): NodeJS.ProcessEnv =>
    cleanEnv(at, { ...hunt.env, AIGW_DEBUG: "1", ...more });
  const withoutKey = env(home);
  delete withoutKey["AIGW_MASTER_KEY"];
  return {
    "a wrong master key": env(home, { AIGW_MASTER_KEY: `${hunt.masterKey.slice(0, -4)}AAAA` }),
    "something that is no master key": env(home, { AIGW_MASTER_KEY: `${hunt.masterKey}x` }),
    "no master key": withoutKey,
    "no home": env(join(folder, "nowhere")),
    "a file for a home": env(join(folder, "template.txt")),
    "a database of nonsense": env(
      copy("nonsense", (at) => writeFileSync(join(at, "aigw.db"), "nonsense ".repeat(999))),
    ),
    "a database cut short": env(
      copy("short", (at) => writeFileSync(join(at, "aigw.db"), readFileSync(join(at, "aigw.db")).subarray(0, 9_000))),
    ),
    "no database": env(copy("none", (at) => rmSync(join(at, "aigw.db")))),
  };
};

/** Letters by a mail server that knows the login, and by one that says what it was sent when it refuses it. */
const sendLetters = async (run: Run, hunt: SecretHunt, smtpPassword: string): Promise<void> => {
  const server = await startMailServer(run);
  await hunt.mustDo(["config", "set", "support-email", "help@example.com"]);
  await hunt.mustDo(["config", "set", "smtp-tls", "unverified"]);
  await hunt.mustDo(["config", "set", "smtp-url", `smtp://${LOGIN.user}@localhost:${server.port}`]);
  for (const password of [smtpPassword, RIGHT_SMTP_PASSWORD]) {
    await hunt.mustDo(["config", "set", "smtp-password", "--value-stdin"], `${password}\n`);
    for (const form of [[], ["--json"]])
      await hunt.cli(["onboard", "john", "--send", "--to", "john@example.com", "--yes", ...form]);
  }
  if (!server.tried.includes(smtpPassword) || server.received.length === 0) throw new Error("nothing was sent");
  for (const { raw } of server.received) hunt.letters.add("a mail", raw);
};

export const secrets: Row = {
  name: "secrets",
  promise:
    "A word of its own in every secret (passwords, signing secrets, upstream keys, master key, mail password, tokens): nowhere in any answer, log, error, mail, audit record or file, over every command, in each form, and every way to fail",
  minutes: 15,
  run: async (run) => {
    const hunt = await SecretHunt.start(run);
    const folder = mkdtempSync(join(tmpdir(), "aigw-secrets-"));
    run.after(() => rmSync(folder, { recursive: true, force: true }));
    const statuses = await hunt.askGateway();
    await hunt.issueLetters();
    const smtpPassword = `Canary-smtp-${hunt.masterKey.slice(0, 20)}`;
    await sendLetters(run, hunt, smtpPassword);

    await hunt.mustDo(["secret", "rotate", "--yes", "--grace", "60m"]);

    const table = works(hunt, folder);
    const known = await leaves(hunt);
    const untried = known.filter((command) => table[command] === undefined);
    // `onboard` does something and has commands below it, too.
    const commands = Object.keys(table);
    const tried = run.size(commands.length, 8);
    let runs = 0;
    for (const args of commands.slice(0, tried).flatMap((command) => table[command] ?? [])) {
      await hunt.forms(args, `${hunt.secrets.password}\n`);
      // And what people do wrong.
      await hunt.forms([...args, "--no-such-option"]);
      // What is given for a name is said again: each command here has its names already, and `help` takes any number.
      if (args[0] !== "help") await hunt.forms([...args, hunt.secrets.password]);
      runs += args[0] === "help" ? 6 : 9;
    }
    const damaged = damagedHomes(hunt, folder);
    for (const [what, env] of Object.entries(damaged)) {
      for (const args of commands.slice(0, tried).flatMap((command) => table[command] ?? [])) {
        // It would make one where there is none.
        if (args[0] === "init" || args[0] === "restore-backup") continue;
        for (const form of [[], ["--json"]]) {
          const { code, stdout, stderr } = await runHere({ ...env }, [...args, ...form]);
          hunt.admin.add(`${args.join(" ")}: ${what} (${code})`, `${stdout}\n${stderr}`);
          runs += 1;
        }
      }
    }
    const restored = join(folder, "restored");
    mkdirSync(restored);
    if (tried === commands.length) {
      const { stdout, stderr } = await runHere(cleanEnv(join(restored, "home"), { ...hunt.env }), [
        "restore-backup",
        join(folder, "aigw.backup"),
      ]);
      hunt.admin.add("restore-backup", stdout + stderr);
    }
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) hunt.outside.add(entry.name, readFileSync(join(entry.parentPath, entry.name)));
    }
    const { leaks, unfound, bytes, secrets: looked } = await hunt.end([canary("the mail password", smtpPassword)]);
    for (const leak of leaks.slice(0, 10)) run.say(leak.slice(0, 300));
    for (const what of unfound) run.say(`not found where it has to be: ${what}`);
    for (const command of untried) run.say(`not tried: ${command}`);
    run.say(
      `${commands.length} commands, ${count(runs)} runs, ${statuses.size} kinds of answer; ${count(bytes)} bytes looked through for ${looked} secrets`,
    );
    return [
      never("places where a secret came out", leaks.length, runs + hunt.answers.length),
      never("what a hunt that works has to find, and did not", unfound.length, 6),
      never("commands that were not tried", untried.length, known.length),
    ];
  },
};
