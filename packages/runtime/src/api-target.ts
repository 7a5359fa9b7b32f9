/** What calls of services begin with: `/api/<service>/<rest>`. */
export const API = "/api/";

/** The service's name in a request target that begins with {@link API}; there need not be one of this name. */
export const serviceIn = (target: string): string => target.slice(API.length, endOfService(target));

/** Where the service's name ends in a request target that begins with {@link API}. */
export const endOfService = (target: string): number => {
  const query = target.indexOf("?");
  const slash = target.indexOf("/", API.length);
  if (slash === -1 || (query !== -1 && query < slash)) return query === -1 ? target.length : query;
  return slash;
};
