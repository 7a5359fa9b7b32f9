/**
 * An address without what stands before its last `@`: a password typed into a URL, also a broken one, must not come back
 * in the error that refuses it.
 */
export const redactUserInfo = (address: string): string => address.replace(/^([a-z]+:)?[\s\S]*@/i, "$1//…@");
