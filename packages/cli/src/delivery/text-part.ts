/** The text of a message that composeMessage made: its first part, in quoted-printable. */
export const textIn = (message: Buffer): string => {
  const [, part = ""] =
    /^Content-Type: text\/plain[\s\S]*?\r\n\r\n([\s\S]*?)\r\n--/m.exec(message.toString("latin1")) ?? [];
  const joined = part
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(joined, "latin1").toString("utf8").replace(/\r\n/g, "\n");
};
