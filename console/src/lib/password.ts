/** The fewest characters that the server takes for a password; a test compares. */
export const minPasswordLength = 15;
