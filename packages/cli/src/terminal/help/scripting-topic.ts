import { type Part, partsTopic } from "./parts-topic.ts";
import type { Topic } from "./topic.ts";

/** What holds for every command, for whoever calls them from a program. */
const PARTS: readonly Part[] = [
  {
    title: "What a command prints",
    points: [
      "stdout has the data that was asked for and nothing else; notes, questions and errors go to stderr.",
      "-q prints the one thing a script wants, such as the password, the name, the value; of several one a line.",
      "--json prints one document; usage tail, usage export and top a document a line. Its field names are stable; what is unknown or not set is null.",
      "In a pipe nothing is coloured, cut or paged, and times are RFC 3339 in UTC.",
    ],
  },
  {
    title: "What it asks",
    points: [
      "Without a terminal nothing is asked: a missing argument is an error that names it, and what would have to be confirmed is not done without --yes. --no-input says the same on a terminal.",
      "Passwords and keys come in by --password-stdin, --value-stdin and --header-env, never as an argument.",
    ],
  },
  {
    title: "How it ends",
    points: [
      "0 when it is done, an empty list included; each other number means one kind of failure: aigw help exit-codes",
      'With --json an error is {"error":{"code","message"}} on stderr. Go by the code: messages may change.',
      'An error has changed nothing, also where several names were given. What is done already is 0, with "changed": false.',
      "The exception is not_applied (exit 1): the change stands, and a gateway did not confirm it. --no-wait does not wait for them.",
    ],
  },
  {
    title: "Where it acts",
    points: ["--home and --store before AIGW_HOME and AIGW_STORE; the other variables: aigw help environment"],
  },
];

export const scriptingTopic: Topic = partsTopic("what programs can rely on", "scripting", PARTS);
