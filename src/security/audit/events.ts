import type { EventType } from '#kernel/module';

/** What audit publishes: refusals, which no other module tells of. The subject is the tenant. */
export const events: readonly EventType[] = [
  {
    type: 'security.request.refused',
    version: 1,
    description:
      'Requests of one principal or address were refused for one reason within one second. data: step, problem, operationId of the first, count; `rest: true` (an event of the platform’s): it counts whatever was beyond 500 kinds.',
  },
  {
    type: 'security.sign_in.refused',
    version: 1,
    description:
      'Sign-ins to one account (email; absent: by one-time links) from one address failed within one second. data: email, reason, operationId of the first, count.',
  },
];
