import type { ProblemKind } from '#kernel/problem';

const badKey = { type: 'invalid_request_error', code: 'invalid_api_key' };

/** Problems of auth. */
export const problems = {
  invalidKey: { type: 'invalid-key', status: 401, title: 'The API key is not valid.', openai: badKey },
  keyRevoked: { type: 'key-revoked', status: 401, title: 'The API key was revoked.', openai: badKey },
  keyExpired: { type: 'key-expired', status: 401, title: 'The API key has expired.', openai: badKey },
  addressNotAllowed: {
    type: 'address-not-allowed',
    status: 403,
    title: 'The API key may not be used from this address.',
    openai: { type: 'permission_error', code: 'ip_not_authorized' },
  },
  keyEnded: { type: 'key-ended', status: 409, title: 'The key is revoked, expired or being replaced.' },
  wrongOrigin: { type: 'wrong-origin', status: 403, title: 'The request came from another site.' },
  tlsNeeded: { type: 'tls-needed', status: 403, title: 'Signing in needs https.' },
  signInFailed: { type: 'sign-in-failed', status: 401, title: 'E-mail address or password is wrong.' },
  signInThrottled: { type: 'sign-in-throttled', status: 429, title: 'Too many failed attempts to sign in.' },
  signInBusy: { type: 'sign-in-busy', status: 503, title: 'Too many people sign in at this moment.' },
  linkInvalid: { type: 'link-invalid', status: 401, title: 'The link is not valid, was used, or has expired.' },
  emailTaken: { type: 'email-taken', status: 409, title: 'Somebody with this e-mail address is a member already.' },
  lastOwner: { type: 'last-owner', status: 409, title: 'A tenant keeps at least one active owner.' },
} as const satisfies Record<string, ProblemKind>;
