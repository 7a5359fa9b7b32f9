import generator from "generate-password";
import { AigwError } from "../errors.ts";
import { COMMON_PASSWORD_STEMS } from "./common-passwords.ts";

/** OWASP's second argon2id setting: 19 MiB, two passes, about 20 ms. `algorithm: 2` is argon2id. */
const PARAMETERS = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const CURRENT_PREFIX = "$argon2id$v=19$m=19456,t=2,p=1$";

/** Safe unescaped in a form body and inside bash double quotes, so that the quick start works as printed. */
export const SAFE_SYMBOLS = "-_.~*@:,";

/** Characters (code points, after NFC): even of four bytes each, percent-encoded, they fit the token endpoint's 8 KiB. */
export const MAX_PASSWORD_LENGTH = 128;

/**
 * 20 characters with at least one lower, upper, digit and symbol of {@link SAFE_SYMBOLS}: about 121 bits. No symbol begins
 * or ends it: it would be left behind by a double click, and taken for the sentence's when it is read from a mail.
 */
export const generatePassword = (): string => {
  for (;;) {
    const password = generator.generate({
      length: 20,
      lowercase: true,
      uppercase: true,
      numbers: true,
      symbols: SAFE_SYMBOLS,
      strict: true,
    });
    // Four of five are.
    if (/^[A-Za-z0-9].*[A-Za-z0-9]$/.test(password)) return password;
  }
};

/** Loaded on first use: most commands never hash. */
const argon2 = (): Promise<typeof import("@node-rs/argon2")> => import("@node-rs/argon2");

/** Of its NFC: the same letters typed on two systems are one password (RFC 8265 §4.2). */
export const hashPassword = async (password: string): Promise<string> =>
  (await argon2()).hash(password.normalize("NFC"), PARAMETERS);

/**
 * The forms in which a login's password is tried, at most three: in NFC, as it stood on the wire in NFC, and unchanged,
 * because hashes from before NFC was made are of that. What was sent decides how many, and nothing else, so that the
 * work tells nothing about the client.
 * @param asSent another reading of what was sent, where there is one
 */
export const passwordForms = (password: string, asSent: string = password): readonly string[] => [
  ...new Set([password.normalize("NFC"), asSent.normalize("NFC"), password]),
];

/**
 * @param all go on after the right one: who is refused all the same must not learn from the time that it was right
 * @returns the form that is right, or false
 */
export const rightForm = async (
  passwordHash: string,
  forms: readonly string[],
  all: boolean,
): Promise<string | false> => {
  let right: string | false = false;
  for (const form of forms) {
    if ((await verifyPassword(passwordHash, form)) && right === false) right = form;
    if (right !== false && !all) break;
  }
  return right;
};

/** Of exactly these characters. @returns false for a wrong password and for a hash that cannot be read */
export const verifyPassword = async (passwordHash: string, password: string): Promise<boolean> => {
  const { verify } = await argon2();
  try {
    return await verify(passwordHash, password);
  } catch {
    return false;
  }
};

/** True when the hash, of this password, was made with other parameters than today's or not of its NFC. */
export const needsRehash = (passwordHash: string, password: string): boolean =>
  !passwordHash.startsWith(CURRENT_PREFIX) || password !== password.normalize("NFC");

/**
 * Checks a password that an admin chose: 12 to 128 characters, three of the four kinds, not built on the client's name
 * and not a common one.
 * @returns its NFC
 * @throws AigwError `invalid_value`; the message never repeats the password
 */
export const parseChosenPassword = (given: string, clientName: string): string => {
  const password = given.normalize("NFC");
  const problem = weaknessOf(password, clientName);
  if (problem === undefined) return password;
  throw new AigwError(
    "invalid_value",
    `The password ${problem}. Choose another, or leave it out to have one generated.`,
  );
};

const weaknessOf = (password: string, clientName: string): string | undefined => {
  const { length } = [...password];
  if (length < 12) return "is shorter than 12 characters";
  if (length > MAX_PASSWORD_LENGTH) return `is longer than ${MAX_PASSWORD_LENGTH} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(password)) return "contains a control character";
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{L}\p{Nd}]/u].filter((kind) => kind.test(password)).length;
  if (kinds < 3) return "needs three of: lower case, upper case, digits, symbols";
  if (new Set(password).size < 6) return "repeats too few characters";
  const plain = password.toLowerCase().replace(/[^a-z0-9]/g, "");
  const name = clientName.replace(/[^a-z0-9]/g, "");
  if (name.length >= 3 && plain.replace(name, "").replace(/[0-9]/g, "").length < 6 && plain.includes(name)) {
    return "is built on the client's name";
  }
  const spellings = [plain, unleet(plain)].map((spelling) => spelling.replace(/[0-9]+/g, ""));
  if (spellings.some(isCommon)) return "is a common password";
  return undefined;
};

const isCommon = (letters: string): boolean =>
  COMMON_PASSWORD_STEMS.some((stem) => letters.includes(stem) && letters.replaceAll(stem, "").length < 4);

const unleet = (text: string): string =>
  text.replace(
    /[013457]/g,
    (digit) => ({ "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t" })[digit] ?? digit,
  );
