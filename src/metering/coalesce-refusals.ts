import { newId } from '#kernel/ids';

import type { CallRecord } from './records.ts';

type Group = { firstId: string; last: CallRecord; more: number };

/**
 * Keeps the rows of refused calls bounded: of one principal (or address) and one reason, the first in a second is written as
 * it is, the rest of that second as one row with their count. Above `maxGroups` a second, further ones count per tenant and reason.
 */
export class RefusalCoalescer {
  readonly #write: (call: CallRecord, requests: number) => void;
  readonly #maxGroups: number;
  #groups = new Map<string, Group>();
  #timer: NodeJS.Timeout | undefined;

  constructor(config: { write: (call: CallRecord, requests: number) => void; maxGroups?: number }) {
    this.#write = config.write;
    this.#maxGroups = config.maxGroups ?? 1_000;
  }

  /** Takes a refused call; returns the id of the row that stands for it: its own, or that of the first of its kind this second. */
  refuse(call: CallRecord): string {
    const reason = call.error?.code ?? String(call.httpStatus);
    let key = `${call.tenantId} ${reason} ${call.principalId === '' ? call.origin.ip : call.principalId}`;
    let group = this.#groups.get(key);
    if (group === undefined && this.#groups.size >= this.#maxGroups) {
      key = `${call.tenantId} ${reason}`;
      group = this.#groups.get(key);
    }
    if (group !== undefined) {
      group.last = call;
      group.more++;
      return group.firstId;
    }
    this.#groups.set(key, { firstId: call.id, last: call, more: 0 });
    this.#timer ??= setTimeout(() => this.flush(), 1_000);
    this.#write(call, 1);
    return call.id;
  }

  /** Ends the second: writes the counts. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const groups = this.#groups;
    this.#groups = new Map();
    for (const { last, more } of groups.values()) {
      if (more > 0) this.#write({ ...last, id: newId(), trace: last.trace.slice(-1) }, more);
    }
  }
}
