import { parseClientName, parseEmail } from "@aigw/core/clients";
import type { Command } from "commander";
import { need } from "../../ask.ts";
import { UsageError } from "../../cli-error.ts";
import { describe } from "../../command.ts";
import type { Context } from "../../context.ts";
import { flag } from "../../flag.ts";
import * as many from "./many.ts";
import * as one from "./one.ts";

interface Flags {
  readonly email: boolean;
  readonly to?: string;
  readonly eml?: string;
  readonly send: boolean;
  readonly template?: string;
  readonly from?: string;
  readonly out?: string;
  readonly force: boolean;
  readonly passwordStdin: boolean;
  readonly verify: boolean;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("onboard", "Issue a fresh password, see that it works, and hand out what the client needs.", [
    ["aigw onboard john", "the table of what to share; john is created if he is unknown"],
    ["aigw onboard john --email", "the e-mail itself, ready to paste"],
    ["aigw onboard john --email --yes >john.txt", "in a script; an old password stops working"],
    ["aigw onboard john --to john@example.com --eml john.eml", "a message that mail programs open"],
    ["aigw onboard john --send", "sent by SMTP to john's own address; see: aigw config set smtp-url"],
    ["aigw onboard john --email --template mail.txt", "your own text, with {{name}}, {{token-command}} and so on"],
    [
      "aigw onboard --from people.csv --out mails",
      "many at once: columns name, email, display name, services, limit, expires",
    ],
  ])
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--email", "print the e-mail, ready to paste", false)
    .option("--to <address>", "the recipient; else the client's e-mail address", flag("--to", parseEmail))
    .option("--eml <file>", "write the e-mail as a message for mail programs; - is standard output")
    .option("--send", "send the e-mail by SMTP", false)
    .option("--template <file>", "your own text for the e-mail; else the setting template, else ours")
    .option("--from <file>", "onboard everybody in a CSV file, all or nobody; - is standard input")
    .option("--out <dir>", "with --from: write one message for each into this folder")
    .option("--force", "replace files that are there", false)
    .option("--password-stdin", "take the password from standard input instead of generating one", false)
    .option("--no-verify", "do not try the quick start before handing it out")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, flags: Flags) => {
      if (flags.from === undefined) await runOne(ctx, given, flags);
      else await runMany(ctx, given, flags.from, flags);
    });

const runOne = async (ctx: Context, given: string | undefined, flags: Flags): Promise<void> => {
  if (flags.out !== undefined) throw new UsageError("--out goes with --from. For one client: --eml <file>");
  const usesStdout = flags.eml === "-";
  if (usesStdout && (flags.email || ctx.globals.json === true)) {
    throw new UsageError(
      `--eml - takes standard output, and so does ${flags.email ? "--email" : "--json"}: leave one out.`,
    );
  }
  const name = await need(ctx, given, {
    argument: "<name>",
    usage: "aigw onboard <name>",
    question: "Which client?",
    parse: parseClientName,
  });
  const { eml, send, template, to, force, passwordStdin, verify, wait } = flags;
  // A template is there to be seen.
  const email = flags.email || (template !== undefined && eml === undefined && !send);
  await one.run({ name, email, to, eml, send, template, force, passwordStdin, verify, wait }, ctx);
};

const runMany = async (ctx: Context, given: string | undefined, from: string, flags: Flags): Promise<void> => {
  if (given !== undefined) throw new UsageError("--from names the clients itself: leave out the name.");
  const alien = [
    ["--email", flags.email],
    ["--to", flags.to !== undefined],
    ["--eml", flags.eml !== undefined],
    ["--password-stdin", flags.passwordStdin],
  ].find(([, isGiven]) => isGiven);
  if (alien !== undefined)
    throw new UsageError(`${alien[0]} goes with one client. With --from: --out <dir>, --send, --template`);
  const { out, send, template, force, verify, wait } = flags;
  await many.run({ from, out, send, template, force, verify, wait }, ctx);
};
