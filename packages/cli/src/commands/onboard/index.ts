import { parseClientName, parseEmail } from "@aigw/core/clients";
import { isAigwError } from "@aigw/core/errors";
import type { Person } from "@aigw/core/onboarding";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { addFactsBesideEmail, type ClientFactOptions } from "../../app/client-options.ts";
import { describe, noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag, naming } from "../../app/flag.ts";
import { need } from "../../terminal/ask.ts";
import type { Choice } from "../../terminal/prompter.ts";
import * as many from "./many.ts";
import * as one from "./one.ts";

interface Flags extends Omit<ClientFactOptions, "email"> {
  /** True alone; with an address, or with a name that follows by mistake of the parser's, that. */
  readonly email?: true | string;
  readonly to?: string;
  readonly eml?: string;
  readonly send: boolean;
  readonly template?: string;
  readonly create: boolean;
  readonly from?: string;
  readonly out?: string;
  readonly force: boolean;
  readonly passwordStdin: boolean;
  readonly verify: boolean;
  readonly wait: boolean;
}

export const command = async (ctx: Context, argv: readonly string[]): Promise<Command> => {
  const onboard = describe(
    "onboard",
    "Issue a fresh password, see that it works, and hand out what the client needs.",
    [
      ["aigw onboard john", "the table of what to share"],
      ["aigw onboard john --email", "the e-mail itself, ready to paste"],
      [
        "aigw onboard ann --create --email ann@example.com --services ocr --limit 60 --send",
        "ann is added, and written to",
      ],
      ["aigw onboard john --email --yes >john.txt", "in a script; an old password stops working"],
      ["aigw onboard john --to john@example.com --eml john.eml", "a message that mail programs open"],
      ["aigw onboard john --send", "sent by SMTP to john's own address; see: aigw config set smtp-url"],
      ["aigw onboard john --email --template mail.txt", "your own text, with {{name}}, {{token-command}} and so on"],
      [
        "aigw onboard --from people.csv --create --out mails",
        "many at once: columns name, email, display name, services, limit, expires",
      ],
      ["aigw onboard unsent list", "e-mails that could not be sent"],
    ],
  )
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .optionsGroup("The e-mail:")
    .option("--email [address]", "print the e-mail, ready to paste; with an address: it is the client's")
    .option("--to <address>", "the recipient; else the client's e-mail address", flag("--to", parseEmail))
    .option("--eml <file>", "write the e-mail as a message for mail programs; - is standard output")
    .option("--send", "send the e-mail by SMTP", false)
    .option("--template <file>", "your own text for the e-mail; else the setting template, else ours")
    .optionsGroup("Who is unknown:")
    .option("--create", "add a client that is unknown", false);
  addFactsBesideEmail(onboard, ctx.clock)
    .optionsGroup("Many at once:")
    .option("--from <file>", "onboard everybody in a CSV file, all or nobody; - is standard input")
    .option("--out <dir>", "with --from: write one message for each into this folder")
    .optionsGroup("Options:")
    .option("--force", "replace files that are there", false)
    .option("--password-stdin", "take the password from standard input instead of generating one", false)
    .option("--no-verify", "do not try gateway, services and quick start")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, flags: Flags) => {
      if (flags.from === undefined) await runOne(ctx, given, flags);
      else await runMany(ctx, given, flags.from, flags);
    });
  if (argv.includes("unsent")) onboard.addCommand(await unsent(ctx, argv));
  else onboard.addCommand(describe("unsent", UNSENT, [["aigw onboard unsent --help", "more"]]));
  return onboard;
};

const UNSENT = "E-mails that wait, because they could not be sent.";

const unsent = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "unsent",
    about: UNSENT,
    examples: [
      ["aigw onboard unsent list", "whose, since when, and whether the password in it still counts"],
      ["aigw onboard unsent send", "all that count"],
      ["aigw onboard unsent clear", "those that are of no use any more"],
    ],
    verbs: {
      list: () => import("./unsent/list.ts"),
      send: () => import("./unsent/send.ts"),
      clear: () => import("./unsent/clear.ts"),
    },
  });

const runOne = async (ctx: Context, given: string | undefined, flags: Flags): Promise<void> => {
  if (flags.out !== undefined) throw new UsageError("--out goes with --from. For one client: --eml <file>");
  const { address, name: misplaced } = emailOf(flags.email, given);
  const { eml, send, template, to, force, passwordStdin, verify, wait, create } = flags;
  // An address alone says whom the e-mail is for; --eml and --send, where it goes.
  const asksForEmail = flags.email !== undefined && (address === undefined || (eml === undefined && !send));
  if (eml === "-" && (asksForEmail || ctx.globals.json === true)) {
    throw new UsageError(
      `--eml - takes standard output, and so does ${asksForEmail ? "--email" : "--json"}: leave one out.`,
    );
  }
  const name = await need(ctx, given ?? misplaced, {
    argument: "<name>",
    usage: "aigw onboard <name>",
    question: "Which client, or who is to be one?",
    parse: parseClientName,
    free: true,
    choices: () => clientsIn(ctx),
  });
  // A template is there to be seen.
  const email = asksForEmail || (template !== undefined && eml === undefined && !send);
  const person = { name, ...(address !== undefined && { email: address }), ...factsIn(flags) };
  await one.run({ person, create, email, to, eml, send, template, force, passwordStdin, verify, wait }, ctx);
};

/** Nobody yet where there is no home: it is made when the first is named. */
const clientsIn = async (ctx: Context): Promise<readonly Choice[]> => {
  try {
    const clients = await ctx.withControl(async (control) => control.clients());
    return clients.map(({ name, email = "" }) => ({ value: name, about: email }));
  } catch (error) {
    if (isAigwError(error, "home_not_initialised")) return [];
    throw error;
  }
};

/** `--email john`: what has no @ is no address, but may well be the client's name. */
const emailOf = (
  email: Flags["email"],
  given: string | undefined,
): { readonly address?: string; readonly name?: string } => {
  if (typeof email !== "string") return {};
  if (given === undefined && !email.includes("@")) return { name: email };
  return { address: naming("--email", () => parseEmail(email)) };
};

const factsIn = ({
  displayName,
  services,
  limit,
  plan,
  quota,
  weight,
  expires,
  note,
}: Flags): Omit<Person, "name" | "email"> => ({
  ...(displayName ? { displayName } : {}),
  ...(services?.names ? { services: services.names } : {}),
  ...(limit ? { limit } : {}),
  ...(plan ? { plan } : {}),
  ...(quota ? { quota } : {}),
  ...(weight ? { weight } : {}),
  ...(expires ? { expiresAt: expires.at, expiryIsRelative: expires.isRelative } : {}),
  ...(note ? { note } : {}),
});

const runMany = async (ctx: Context, given: string | undefined, from: string, flags: Flags): Promise<void> => {
  if (given !== undefined) throw new UsageError("--from names the clients itself: leave out the name.");
  const alien = [
    ["--email", flags.email !== undefined],
    ["--to", flags.to !== undefined],
    ["--eml", flags.eml !== undefined],
    ["--password-stdin", flags.passwordStdin],
    ["--display-name", flags.displayName !== undefined],
    ["--services", flags.services !== undefined],
    ["--limit", flags.limit !== undefined],
    ["--plan", flags.plan !== undefined],
    ["--quota", flags.quota !== undefined],
    ["--weight", flags.weight !== undefined],
    ["--expires", flags.expires !== undefined],
    ["--note", flags.note !== undefined],
  ].find(([, isGiven]) => isGiven);
  if (alien !== undefined)
    throw new UsageError(
      `${alien[0]} goes with one client. With --from: --create, --out <dir>, --send, --template; facts of a client are columns`,
    );
  const { out, send, template, force, verify, wait, create } = flags;
  await many.run({ from, create, out, send, template, force, verify, wait }, ctx);
};
