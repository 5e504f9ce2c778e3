import type { EventType } from '#kernel/module';

const event = (type: string, description: string): EventType => ({ type, version: 1, description });

/** What auth publishes. No event holds a secret. */
export const events: readonly EventType[] = [
  event('auth.key.created', 'An API key was made. data.after: its settings.'),
  event('auth.key.updated', "An API key's settings changed. data.before, data.after."),
  event('auth.key.rotated', 'An API key is replaced by another; it ends at data.overlapUntil. data.newKeyId.'),
  event('auth.key.revoked', 'An API key was ended.'),
  event('auth.user.created', 'Somebody became a member. data.invitationId when by invitation.'),
  event('auth.user.updated', "A member's name, language or status changed. data.before, data.after."),
  event('auth.user.removed', 'A member was removed; the keys that they made stay.'),
  event('auth.password.changed', 'A member set a new password.'),
  event('auth.session.started', 'Somebody signed in. data.method: password, link or invitation; data.sessionId.'),
  event('auth.session.ended', 'Sessions of a user were ended. data.sessionIds, data.reason.'),
  event('auth.login_link.issued', 'A one-time login link was made for a user.'),
  event('auth.invitation.created', 'Somebody was invited. data: e-mail address, roles, expiresAt.'),
  event('auth.invitation.revoked', 'An invitation was taken back.'),
];
