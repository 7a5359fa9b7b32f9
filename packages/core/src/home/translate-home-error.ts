import { AigwError } from "../errors.ts";
import { translateFsError } from "../files/translate-fs-error.ts";

/** {@link translateFsError} for the home itself. Whoever may not use it, as with HOME=/, may never have chosen it. */
export const translateHomeError = (error: unknown, home: string): unknown => {
  const translated = translateFsError(error, home);
  if (translated === error || !(translated instanceof AigwError) || translated.code === "store_full") return translated;
  const { code, message, cause, details } = translated;
  return new AigwError(code, `${message} Or name another home: --home <dir>, or AIGW_HOME=<dir>`, { cause, details });
};
