/** What a Content-Type says without its parameters, in lower case. */
export const mediaTypeOf = (contentType: string): string => {
  const semicolon = contentType.indexOf(";");
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
};

/** `application/json`, or a type that is written as JSON (RFC 6839 §3.1). */
export const isJsonType = (media: string): boolean => media === "application/json" || media.endsWith("+json");
