import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "@aigw/core";
import { AigwError } from "@aigw/core/errors";
import { credentialsMark } from "@aigw/core/onboarding";
import { whyUnreadable } from "../app/file-in.ts";
import { rfc3339 } from "../terminal/output/time.ts";
import { makePrivateFolder, reserveMessageFile } from "./mail/message-file.ts";

/**
 * A message in the home's folder `unsent`. It is put there before the password in it is in force, and taken out when it
 * has been handed out: whenever a command is killed, no password is lost, and what waits is known.
 */
export interface Waiting {
  readonly path: string;
  /** The client's name. */
  readonly client: string;
  readonly to: string;
  readonly from: string;
  /** Of the credentials in it, see credentialsMark. Undefined in the file of an earlier aigw. */
  readonly mark: string | undefined;
  /** Tells the file of people that it came of; undefined for one client alone. */
  readonly batch: string | undefined;
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
}

export interface Outgoing {
  readonly client: Client;
  readonly to: string;
  readonly from: string;
  /** The message as composeMessage made it. */
  readonly bytes: Buffer;
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  readonly batch?: string;
}

export const outboxPath = (home: { readonly path: string }): string => join(home.path, "unsent");

/** Our own lines before the message's, which are never sent. Mail programs that open the file pass over them. */
const OURS = {
  client: "X-Aigw-Client",
  to: "X-Aigw-To",
  from: "X-Aigw-From",
  mark: "X-Aigw-Mark",
  batch: "X-Aigw-Batch",
};
const OWN_LINES = /^(?:X-Aigw-[A-Za-z]+: [^\r\n]*\r\n)*/;

/** @throws AigwError `failed` when the disk does not take it; nothing is left there then */
export const putAside = (
  home: { readonly path: string },
  { client, to, from, bytes, at, batch }: Outgoing,
): Waiting => {
  const folder = outboxPath(home);
  makePrivateFolder(folder);
  const stamp = rfc3339(at).replace(/[-:.]/g, "");
  const file = reserveMessageFile(join(folder, `${client.name}-${stamp}.eml`), false);
  const waiting = { path: file.path, client: client.name, to, from, mark: credentialsMark(client), batch, at };
  const lines = Object.entries(OURS).flatMap(([key, name]) => {
    const value = waiting[key as keyof typeof OURS];
    return value === undefined ? [] : [`${name}: ${value}\r\n`];
  });
  try {
    file.write(Buffer.concat([Buffer.from(lines.join("")), bytes]));
  } catch (error) {
    rmSync(file.path, { force: true });
    throw error;
  } finally {
    file.discard();
  }
  return waiting;
};

export const takeOut = ({ path }: Pick<Waiting, "path">): void => rmSync(path, { force: true });

/** What is sent: the message without our own lines. @throws AigwError `failed` */
export const messageIn = ({ path }: Pick<Waiting, "path">): Buffer => {
  const bytes = reading(path, () => readFileSync(path));
  return bytes.subarray((OWN_LINES.exec(bytes.toString("latin1"))?.[0] ?? "").length);
};

/** All that wait, the oldest first. @throws AigwError `failed` */
export const waitingIn = (home: { readonly path: string }): readonly Waiting[] => {
  const folder = outboxPath(home);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const names = reading(folder, () => readdirSync(folder)).filter((name) => name.endsWith(".eml"));
  return names
    .flatMap((name) => waitingAt(join(folder, name)) ?? [])
    .toSorted((one, other) => one.at - other.at || one.client.localeCompare(other.client));
};

/** @returns undefined when it is gone by now */
const waitingAt = (path: string): Waiting | undefined => {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) return undefined;
  const head = reading(path, () => readFileSync(path, "latin1")).split("\r\n\r\n", 1)[0] ?? "";
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1]?.trim();
  const address = (name: string): string => /[^\s<>]+@[^\s<>]+/.exec(field(name) ?? "")?.[0] ?? "";
  const client = field(OURS.client) ?? /([a-z0-9._-]+)-\d{8}T\d{9}Z\.eml$/.exec(path)?.[1] ?? "";
  return {
    path,
    client,
    to: field(OURS.to) ?? address("To"),
    from: field(OURS.from) ?? address("From"),
    mark: field(OURS.mark),
    batch: field(OURS.batch),
    at: Math.round(stat.mtimeMs),
  };
};

/** Takes out what waits for these clients with a password that is theirs no more, or never was. */
export const takeOutVoid = (home: { readonly path: string }, clients: readonly Client[]): void => {
  const byName = new Map(clients.map((client) => [client.name, client]));
  for (const message of waitingIn(home)) {
    const client = byName.get(message.client);
    if (client !== undefined && !isInForce(message, client)) takeOut(message);
  }
};

/** Whether the password in it is the client's present one. Such a message is worth sending; any other is of no use. */
export const isInForce = ({ mark }: Pick<Waiting, "mark">, client: Client | undefined): client is Client =>
  client !== undefined && mark === credentialsMark(client);

const reading = <T>(path: string, read: () => T): T => {
  try {
    return read();
  } catch (cause) {
    throw new AigwError("failed", `${path} cannot be read: ${whyUnreadable(cause)}`, { cause });
  }
};
