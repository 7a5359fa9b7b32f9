export interface Mailbox {
  readonly address: string;
  /** Any characters; encoded in the header. */
  readonly name: string | undefined;
}

/** A message as it is meant; see composeMessage for the bytes. */
export interface Message {
  readonly from: Mailbox;
  readonly to: Mailbox;
  /** Where answers go, when that is not `from`. */
  readonly replyTo: Mailbox | undefined;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly date: Date;
}
