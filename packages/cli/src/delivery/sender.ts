import type { EffectiveSetting, SettingKey } from "@aigw/core";
import { AigwError } from "@aigw/core/errors";
import { htmlOf, type OnboardingEmail } from "@aigw/core/onboarding";
import type { Mailbox, Message } from "./mail/message.ts";

/** Whom a message is from, and where answers to it go. */
export interface Sender {
  readonly from: Mailbox;
  readonly replyTo: Mailbox | undefined;
}

/** @throws AigwError `invalid_value` when no address is set */
export const senderOf = (settings: Readonly<Record<SettingKey, EffectiveSetting>>): Sender => {
  const support = settings["support-email"].value;
  const address = settings["mail-from"].value ?? support;
  if (address === undefined) {
    throw new AigwError(
      "invalid_value",
      "A message needs an address that it comes from. Set it: aigw config set support-email help@example.com; or mail-from, when they differ.",
    );
  }
  const name = settings["sender-name"].value;
  const replyTo = support === undefined || support === address ? undefined : { address: support, name };
  return { from: { address, name }, replyTo };
};

export const messageOf = (sender: Sender, to: Mailbox, email: OnboardingEmail, now: number): Message => ({
  ...sender,
  to,
  subject: email.subject,
  text: email.body,
  html: htmlOf(email),
  date: new Date(now),
});
