import type { Mailbox, Message } from "./message.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import type { SmtpServer } from "./smtp-server.ts";

/** Loaded with the first message: no other command needs it. */
const nodemailer = async (): Promise<typeof import("nodemailer")> => import("nodemailer");

/** An RFC 5322 message with a text and an HTML part: headers encoded, lines ended by CRLF, ASCII throughout. */
export const composeMessage = async (message: Message): Promise<Buffer> => {
  const { createTransport } = await nodemailer();
  const transport = createTransport({ streamTransport: true, buffer: true, newline: "windows", ...NO_ACCESS });
  const { message: bytes } = await transport.sendMail({
    from: mailbox(message.from),
    to: mailbox(message.to),
    ...(message.replyTo === undefined ? {} : { replyTo: mailbox(message.replyTo) }),
    subject: message.subject,
    text: message.text,
    html: message.html,
    date: message.date,
    // Can be read in the file, whatever the language, and no mail program rewraps the commands.
    textEncoding: "quoted-printable",
    ...NO_ACCESS,
  });
  if (!Buffer.isBuffer(bytes)) throw new TypeError("the stream transport was asked for a buffer");
  return bytes;
};

/** What the server answered to the message. */
export type Delivery = { readonly kind: "sent"; readonly answer: string } | Refusal;

/** Nothing is said about the server: it did no wrong. */
export const INTERRUPTED: Refusal = { kind: "refused", why: "interrupted", everyMessage: false };

/** Hands a composed message to the server. Takes at most the server's `timeoutMs`; `stop` breaks it off. */
export const deliverMessage = async (
  bytes: Buffer,
  envelope: { readonly from: string; readonly to: string },
  server: SmtpServer,
  stop?: AbortSignal,
): Promise<Delivery> => {
  const { createTransport } = await nodemailer();
  const login = loginOf(server);
  const transport = createTransport({ ...connectionTo(server), ...(login && { auth: login }), ...NO_ACCESS });
  const late = AbortSignal.timeout(server.timeoutMs);
  try {
    const { response } = await transport.sendMail({
      envelope,
      raw: bytes,
      signal: stop === undefined ? late : AbortSignal.any([late, stop]),
      ...NO_ACCESS,
    });
    return { kind: "sent", answer: response };
  } catch (error) {
    return stop?.aborted === true ? INTERRUPTED : refusalOf(error, server, late.aborted);
  } finally {
    transport.close();
  }
};

/**
 * Goes as far with the server as can be gone without a message: connects, begins TLS, logs in. Takes at most the server's
 * `timeoutMs`; `stop` breaks it off.
 * @returns why it cannot be used, or undefined
 */
export const tryServer = async (server: SmtpServer, stop: AbortSignal): Promise<Refusal | undefined> => {
  const { default: SMTPConnection } = await import("nodemailer/lib/smtp-connection");
  const connection = new SMTPConnection(connectionTo(server));
  const login = loginOf(server);
  const late = AbortSignal.timeout(server.timeoutMs);
  const ended = AbortSignal.any([late, stop]);
  try {
    await new Promise<void>((done, failed) => {
      ended.addEventListener("abort", () => failed(ended.reason));
      connection.on("error", failed);
      connection.on("end", () => failed(Object.assign(new Error("closed"), { code: "ECONNECTION" })));
      connection.connect((error) => {
        if (error) failed(error);
        // As with a message: a server that knows no logins gets none.
        else if (login === undefined || !connection.allowsAuth) done();
        else connection.login(login, (refused) => (refused ? failed(refused) : done()));
      });
    });
    connection.quit();
    return undefined;
  } catch (error) {
    connection.close();
    return stop.aborted ? INTERRUPTED : refusalOf(error, server, late.aborted);
  }
};

/** The timeouts count anew with every answer: a server that drips would hold us for ever without a bound of our own. */
const connectionTo = ({ host, port, implicitTls, tls, timeoutMs }: SmtpServer) =>
  ({
    host,
    port,
    secure: implicitTls,
    requireTLS: tls.required,
    tls: { rejectUnauthorized: tls.verified },
    dnsTimeout: timeoutMs,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    socketCloseTimeout: 0,
  }) as const;

const loginOf = ({ user, password }: SmtpServer): { readonly user: string; readonly pass: string } | undefined =>
  user === undefined || password === undefined ? undefined : { user, pass: password };

/** A message is made of what it is given: never of a file or an address that something in it names. */
const NO_ACCESS = { disableFileAccess: true, disableUrlAccess: true } as const;

const mailbox = ({ address, name }: Mailbox): { address: string; name: string } => ({ address, name: name ?? "" });
