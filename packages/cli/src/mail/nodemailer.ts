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
  const { host, port, implicitTls, user, password, tls, timeoutMs } = server;
  const transport = createTransport({
    host,
    port,
    secure: implicitTls,
    requireTLS: tls.required,
    tls: { rejectUnauthorized: tls.verified },
    ...(user === undefined || password === undefined ? {} : { auth: { user, pass: password } }),
    dnsTimeout: timeoutMs,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    socketCloseTimeout: 0,
    ...NO_ACCESS,
  });
  // The timeouts above count anew with every answer: a server that drips would hold us for ever.
  const late = AbortSignal.timeout(timeoutMs);
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

/** A message is made of what it is given: never of a file or an address that something in it names. */
const NO_ACCESS = { disableFileAccess: true, disableUrlAccess: true } as const;

const mailbox = ({ address, name }: Mailbox): { address: string; name: string } => ({ address, name: name ?? "" });
