import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type SmtpAddress, smtpAddress } from "@aigw/core/config";
import type { Found } from "../finding.ts";
import { reasonFor } from "../probe.ts";

const about = "mail server";
const TIMEOUT_MS = 4_000;

export interface SmtpSettings {
  /** Undefined: mail is not sent from here. */
  readonly url: string | undefined;
  /** False with smtp-tls `unverified`. */
  readonly verify: boolean;
}

/** Connects and reads the greeting; sends nothing but QUIT. */
export const checkSmtp = async ({ url, verify }: SmtpSettings): Promise<readonly Found[]> => {
  if (url === undefined) return [{ code: "smtp_unset", about, message: "none is set; e-mails are printed, not sent" }];
  const address = smtpAddress(url);
  return [judgeGreeting(address, await greet(address, verify))];
};

export type Greeting =
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "failed"; readonly code: string };

export const judgeGreeting = ({ host, port }: Pick<SmtpAddress, "host" | "port">, greeting: Greeting): Found => {
  const where = `${host} port ${port}`;
  if (greeting.kind === "failed") {
    return {
      code: "smtp_unreachable",
      about,
      message: `${where} cannot be used: ${reasonFor(greeting.code)}.`,
      command: "aigw config set smtp-url smtp://user@host:587, or check the mail server",
    };
  }
  if (/^220[ -]/.test(greeting.text)) return { code: "smtp_answers", about, message: `${where} answers` };
  const code = /^\d{3}\b/.exec(greeting.text)?.[0];
  return {
    code: "smtp_refuses",
    about,
    message: `${where} answers, but ${code === undefined ? "does not speak SMTP" : `refuses this machine (${code})`}.`,
    command: "aigw config set smtp-url smtp://user@host:587, or check the mail server",
  };
};

const greet = ({ host, port, implicitTls }: SmtpAddress, verify: boolean): Promise<Greeting> =>
  new Promise((settle) => {
    const socket: Socket = implicitTls
      ? connectTls({ host, port, rejectUnauthorized: verify, ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }) })
      : connectTcp({ host, port });
    let text = "";
    let isDone = false;
    const done = (greeting: Greeting): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      settle(greeting);
      if (greeting.kind === "line") socket.end("QUIT\r\n");
      socket.destroySoon();
    };
    const timer = setTimeout(() => done({ kind: "failed", code: "ETIMEDOUT" }), TIMEOUT_MS);
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n") || text.length > 1024) done({ kind: "line", text });
    });
    socket.on("error", (error: NodeJS.ErrnoException) => done({ kind: "failed", code: error.code ?? "failed" }));
    socket.on("close", () => done(text === "" ? { kind: "failed", code: "ECONNRESET" } : { kind: "line", text }));
  });
