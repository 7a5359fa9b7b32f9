import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { selfSigned } from "./certificate.ts";

type Owner = Pick<TestContext, "after">;

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: Buffer;
  readonly encrypted: boolean;
  readonly user: string | undefined;
}

export interface MailServer {
  readonly port: number;
  /** PEM of its certificate, self-signed for localhost and 127.0.0.1. */
  readonly cert: string;
  readonly received: ReceivedMail[];
  /** Passwords that were tried. */
  readonly tried: string[];
  close(): Promise<void>;
}

export const LOGIN = { user: "mailer", password: "Smtp-secret-9!" };

/** A real SMTP server on this machine that knows one login. */
export const startMailServer = async (t: Owner, options: SMTPServerOptions = {}): Promise<MailServer> => {
  const { cert, key } = selfSigned("localhost");
  const received: ReceivedMail[] = [];
  const tried: string[] = [];
  const server = new SMTPServer({
    cert,
    key,
    authOptional: true,
    disableReverseLookup: true,
    closeTimeout: 1,
    onAuth({ username = "", password = "" }, _session, done) {
      tried.push(password ?? "");
      if (username === LOGIN.user && password === LOGIN.password) done(null, { user: username });
      else done(Object.assign(new Error(`5.7.8 no such login, you sent ${password}`), { responseCode: 535 }));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          from: mailFrom === false ? "" : (mailFrom?.address ?? ""),
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks),
          encrypted: session.secure,
          user: typeof session.user === "string" ? session.user : undefined,
        });
        done(null, "queued as TEST-1");
      });
    },
    ...options,
  });
  // A client that breaks off is part of what is tested.
  server.on("error", () => undefined);
  const listener = server.listen(0, "127.0.0.1");
  await new Promise<void>((ready) => listener.once("listening", ready));
  const close = (): Promise<void> => new Promise((closed) => server.close(() => closed()));
  t.after(close);
  return { port: (listener.address() as AddressInfo).port, cert, received, tried, close };
};

/** Takes connections and then does with them what `talk` does. @returns its port */
export const startTalker = async (t: Owner, talk: (socket: Socket) => void): Promise<number> => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    talk(socket);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};
