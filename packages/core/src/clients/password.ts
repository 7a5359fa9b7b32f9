import generator from "generate-password";
import { AigwError } from "../errors.ts";
import { COMMON_PASSWORD_STEMS } from "./common-passwords.ts";

/** OWASP's second argon2id setting: 19 MiB, two passes, about 20 ms. `algorithm: 2` is argon2id. */
const PARAMETERS = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const CURRENT_PREFIX = "$argon2id$v=19$m=19456,t=2,p=1$";

/** Safe unescaped in a form body and inside bash double quotes, so that the quick start works as printed. */
export const SAFE_SYMBOLS = "-_.~*@:,";

/** Longer ones are refused before hashing: the token endpoint's body is at most 8 KiB anyway. */
export const MAX_PASSWORD_LENGTH = 1024;

/** 20 characters with at least one lower, upper, digit and symbol of {@link SAFE_SYMBOLS}: about 122 bits. */
export const generatePassword = (): string =>
  generator.generate({
    length: 20,
    lowercase: true,
    uppercase: true,
    numbers: true,
    symbols: SAFE_SYMBOLS,
    strict: true,
  });

/** Loaded on first use: most commands never hash. */
const argon2 = (): Promise<typeof import("@node-rs/argon2")> => import("@node-rs/argon2");

export const hashPassword = async (password: string): Promise<string> => (await argon2()).hash(password, PARAMETERS);

/** @returns false for a wrong password and for a hash that cannot be read */
export const verifyPassword = async (passwordHash: string, password: string): Promise<boolean> => {
  const { verify } = await argon2();
  try {
    return await verify(passwordHash, password);
  } catch {
    return false;
  }
};

/** True when the hash was made with other parameters than today's. */
export const needsRehash = (passwordHash: string): boolean => !passwordHash.startsWith(CURRENT_PREFIX);

/**
 * Checks a password that an admin chose: 12 to 1024 characters, three of the four kinds, not built on the client's name
 * and not a common one.
 * @throws AigwError `invalid_value`; the message never repeats the password
 */
export const parseChosenPassword = (password: string, clientName: string): string => {
  const problem = weaknessOf(password, clientName);
  if (problem === undefined) return password;
  throw new AigwError(
    "invalid_value",
    `The password ${problem}. Choose another, or leave it out to have one generated.`,
  );
};

const weaknessOf = (password: string, clientName: string): string | undefined => {
  if (password.length < 12) return "is shorter than 12 characters";
  if (password.length > MAX_PASSWORD_LENGTH) return `is longer than ${MAX_PASSWORD_LENGTH} characters`;
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
