import { newId } from '#kernel/ids';
import type { Event } from '#kernel/log';

/** Stands for an event that is on its way here, so that snapshots reread what it touches now. It is not appended anywhere. */
export function touching(type: string, tenantId: string, id: string): Event {
  return {
    id: newId(),
    version: 1,
    occurredAt: '',
    tenantId,
    type,
    actor: { kind: 'system', id: 'auth' },
    subject: { kind: type.split('.')[1] ?? '', id },
  };
}
