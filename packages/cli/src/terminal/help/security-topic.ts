import { type Part, partsTopic } from "./parts-topic.ts";
import type { Topic } from "./topic.ts";

/** What an admin must know in a bad hour, without a browser. docs/backup.md has the drill. */
const PARTS: readonly Part[] = [
  {
    title: "Share with a client",
    points: [
      "its base URL, its own username and password, and the guide. Nothing else: aigw onboard <name> prints it.",
    ],
  },
  {
    title: "Never share",
    points: [
      "master.key or AIGW_MASTER_KEY, aigw.db, aigw.usage.db, or a backup of them",
      "the signing secret, the store's URL, the services' own addresses and keys",
      "another client's name, password or token",
    ],
  },
  {
    title: "Where secrets are",
    points: [
      "passwords: nowhere. Only their argon2id hashes are stored; a lost one is replaced: aigw client passwd <name>",
      "signing secrets, services' headers, the mail server's password: in aigw.db, sealed with the master key",
      "the master key: master.key in the home (mode 0600), or AIGW_MASTER_KEY. Who has it and the database has everything.",
    ],
  },
  {
    title: "Backups",
    points: [
      "aigw backup <file>: copies both databases while gateways serve. The master key is not in it: keep a copy of master.key elsewhere. Without it a backup cannot be opened.",
      "Restoring one ends every token; who was revoked since is active again. Try it before you need it: aigw restore-backup <file> --home <new folder> --master-key-file <key>",
    ],
  },
  {
    title: "A password leaked",
    points: [
      "aigw client passwd <name>: the old password and every token of this client die within a second.",
      "aigw usage tail --client <name> -n 1000: what was done with it. When in doubt: aigw client revoke <name>",
    ],
  },
  {
    title: "A token leaked",
    points: [
      "It dies within the hour by itself. To end it now: aigw client passwd <name>, or aigw client revoke <name>",
    ],
  },
  {
    title: "The signing secret leaked",
    points: [
      "aigw secret rotate, without --grace: every token dies, and nobody can forge one any more. Passwords stay good.",
    ],
  },
  {
    title: "The master key and the database leaked",
    points: [
      "aigw secret rotate; a new key at every service: aigw service set <name> --header-env …; a new password for the mail server: aigw config set smtp-password. The passwords' hashes leaked too: aigw client passwd for each client.",
      "The master key itself is for the life of a store: for a new one, start a new home with aigw init and add clients and services to it.",
    ],
  },
];

export const securityTopic: Topic = partsTopic(
  "what never to share, where secrets are, what to do when one leaked",
  "security",
  PARTS,
);
