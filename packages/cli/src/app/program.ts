import { type Command, CommanderError, Option } from "commander";
import { describe } from "./command.ts";
import type { Context } from "./context.ts";
import { addGlobalOptions, guessGlobals } from "./globals.ts";
import { readVersion } from "./version.ts";

interface Entry {
  readonly name: string;
  readonly about: string;
  /** The heading in help; those of one group stand together. */
  readonly group: string;
  /** A command's code is loaded only when the command line names it. */
  readonly load: () => Promise<{ command(ctx: Context, argv: readonly string[]): Command | Promise<Command> }>;
}

const SET_UP = "Set up:";
const CLIENTS = "Who may call what:";
const WATCH = "What happens:";
const KEEP = "Keep it well:";
const MORE = "More:";

const ENTRIES: readonly Entry[] = [
  {
    name: "init",
    about: "create the data folder, the master key and the first secret",
    group: SET_UP,
    load: () => import("../commands/init.ts"),
  },
  {
    name: "config",
    about: "settings that are stored: public URL, support address",
    group: SET_UP,
    load: () => import("../commands/config/index.ts"),
  },
  { name: "serve", about: "run the gateway", group: SET_UP, load: () => import("../commands/serve.ts") },
  {
    name: "client",
    about: "clients and their credentials",
    group: CLIENTS,
    load: () => import("../commands/client/index.ts"),
  },
  {
    name: "service",
    about: "services and the upstreams behind them",
    group: CLIENTS,
    load: () => import("../commands/service/index.ts"),
  },
  {
    name: "plan",
    about: "what several clients have in common: limit, services, quota",
    group: CLIENTS,
    load: () => import("../commands/plan/index.ts"),
  },
  {
    name: "price",
    about: "what the calls of a service cost",
    group: CLIENTS,
    load: () => import("../commands/price/index.ts"),
  },
  {
    name: "onboard",
    about: "fresh credentials for a client, ready to send",
    group: CLIENTS,
    load: () => import("../commands/onboard/index.ts"),
  },
  {
    name: "guide",
    about: "the client guide, as Markdown",
    group: CLIENTS,
    load: () => import("../commands/guide.ts"),
  },
  {
    name: "secret",
    about: "the secret that signs the tokens",
    group: CLIENTS,
    load: () => import("../commands/secret/index.ts"),
  },
  {
    name: "jobs",
    about: "calls that outlive their connection",
    group: WATCH,
    load: () => import("../commands/jobs/index.ts"),
  },
  { name: "usage", about: "who called what", group: WATCH, load: () => import("../commands/usage/index.ts") },
  { name: "top", about: "the calls of the last minute, live", group: WATCH, load: () => import("../commands/top.ts") },
  {
    name: "why",
    about: "why a client's calls succeed or fail, or what became of a request",
    group: WATCH,
    load: () => import("../commands/why.ts"),
  },
  {
    name: "review",
    about: "what an admin should look at",
    group: WATCH,
    load: () => import("../commands/review.ts"),
  },
  { name: "audit", about: "who changed what", group: WATCH, load: () => import("../commands/audit/index.ts") },
  {
    name: "status",
    about: "running gateways, revision, counts",
    group: KEEP,
    load: () => import("../commands/status.ts"),
  },
  {
    name: "doctor",
    about: "what is wrong, and what fixes it",
    group: KEEP,
    load: () => import("../commands/doctor.ts"),
  },
  {
    name: "backup",
    about: "everything but the master key in one file",
    group: KEEP,
    load: () => import("../commands/backup.ts"),
  },
  {
    name: "restore-backup",
    about: "a backup into an empty home",
    group: KEEP,
    load: () => import("../commands/restore-backup.ts"),
  },
  {
    name: "store",
    about: "a whole store to another place",
    group: KEEP,
    load: () => import("../commands/store/index.ts"),
  },
  {
    name: "demo",
    about: "the whole story on real input, in a folder of its own",
    group: MORE,
    load: () => import("../commands/demo.ts"),
  },
  {
    name: "completion",
    about: "names and options completed in your shell",
    group: MORE,
    load: () => import("../commands/completion.ts"),
  },
  { name: "version", about: "the version number", group: MORE, load: () => import("../commands/version.ts") },
  {
    name: "help",
    about: "help for a command, or on a topic",
    group: MORE,
    load: () => import("../commands/help.ts"),
  },
];

/** The command tree for this command line: commands it does not name stand in it with name and description only. */
export const createProgram = async (ctx: Context, argv: readonly string[]): Promise<Command> => {
  const program = describe("aigw", "Hands out access to self-hosted AI services and stays in control of it.", [
    ["aigw service add ocr http://127.0.0.1:9000", "put a service behind the gateway"],
    ["aigw client add john", "add a client; its password is shown once"],
    ["aigw onboard john --email", "print the e-mail with john's credentials"],
    ["aigw serve", "run the gateway"],
  ]);
  addGlobalOptions(program.optionsGroup("Global options:"))
    .option("-V, --version", "output the version number")
    .on("option:version", () => showVersion(program, argv))
    .addHelpOption(new Option("-h, --help", "what there is, or what a command takes").helpGroup("Global options:"))
    .helpCommand(false);
  // Most command lines start with a command: then it is that one, and the others need not stand beside it.
  const first = ENTRIES.filter(({ name }) => name === argv[0] && name !== "help");
  for (const { name, about, group, load } of first.length > 0 ? first : ENTRIES) {
    const named = argv.includes(name) ? await load() : undefined;
    const command = (await named?.command(ctx, argv)) ?? describe(name, about, [[`aigw ${name} --help`, "more"]]);
    program.addCommand(command.summary(about).helpGroup(group));
  }
  return program;
};

/** As commander does it, but the version is read only then. */
const showVersion = (program: Command, argv: readonly string[]): never => {
  const version = readVersion();
  program.configureOutput().writeOut?.(`${guessGlobals(argv).json ? JSON.stringify({ version }) : version}\n`);
  throw new CommanderError(0, "commander.version", version);
};
