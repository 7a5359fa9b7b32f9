/** What stands in for a public URL that nobody has set: a gateway that listens everywhere is not called by that address. */
export const ownPublicUrl = (listensOn: string): string => listensOn.replace(/\/\/(0\.0\.0\.0|\[::\])/, "//127.0.0.1");
