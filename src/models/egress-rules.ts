import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { type AllowRule, parseAllowTarget } from '#kernel/egress-address';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { invalidInput, notFound, Problem } from '#kernel/problem';
import type { Snapshot, Snapshots } from '#kernel/snapshot';
import { platformTenantId } from '#tenancy';

import { modelProblems } from './problems.ts';
import { deleteEgressRule, type EgressRuleRow, insertEgressRule, listEgressRules, loadEgressRules } from './store.ts';

/** The operator's exceptions for private addresses: kept here, in memory for kernel/egress, changed by operators only. */
export class EgressRules {
  readonly #db: Pick<Doors, 'forPlatform'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #rules: Snapshot<EgressRuleRow>;
  #version = -1;
  #allow: readonly AllowRule[] = [];

  constructor(deps: {
    db: Pick<Doors, 'forPlatform'>;
    clock: Pick<Clock, 'now'>;
    snapshots: Pick<Snapshots, 'define'>;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#rules = deps.snapshots.define<EgressRuleRow>({
      name: 'egress-rules',
      on: ['models.egress_rule.', 'tenancy.tenant.deleted'],
      touched: (event) => (event.type === 'tenancy.tenant.deleted' ? 'all' : [event.subject.id]),
      load: async (tx, keys) => (await loadEgressRules(tx, keys)).map((row) => [row.id, row] as const),
    });
  }

  /** The rules as kernel/egress takes them; the same array while nothing changed. */
  allow(): readonly AllowRule[] {
    if (this.#version !== this.#rules.version) {
      this.#version = this.#rules.version;
      this.#allow = [...this.#rules.values()].map(({ tenantId, target }) => ({
        tenantId: tenantId === platformTenantId ? null : tenantId,
        target,
      }));
    }
    return this.#allow;
  }

  /** A page of all rules, oldest first. */
  async list(after: string | undefined, limit: number): Promise<Page<EgressRuleRow>> {
    const rows = await this.#db.forPlatform((tx) => listEgressRules(tx, after, limit + 1));
    return pageOf(rows, limit, (row) => [row.id]);
  }

  /** Allows a target, to one tenant or (null) to all. */
  async create(input: { tenantId: string | null; target: string; note: string }, cause: Cause): Promise<EgressRuleRow> {
    try {
      parseAllowTarget(input.target);
    } catch (error) {
      throw invalidInput('/target', (error as Error).message);
    }
    const now = this.#clock.now();
    const tenantId = input.tenantId ?? platformTenantId;
    const row = {
      tenantId,
      id: newId(),
      target: input.target,
      note: input.note,
      createdAt: now.round('millisecond').toString(),
    };
    await this.#db.forPlatform(async (tx) => {
      if (!(await insertEgressRule(tx, row)))
        throw new Problem(modelProblems.nameTaken, { detail: 'There is a rule for this target already.' });
      await append(
        tx,
        {
          tenantId,
          type: 'models.egress_rule.created',
          ...becauseOf(cause),
          subject: { kind: 'egress_rule', id: row.id, name: row.target },
          data: { after: row },
        },
        now,
      );
    });
    return row;
  }

  /** Takes a rule back; connections made under it are not used again. */
  async delete(id: string, cause: Cause): Promise<void> {
    await this.#db.forPlatform(async (tx) => {
      const row = await deleteEgressRule(tx, id);
      if (row === undefined) throw notFound('egress rule');
      await append(
        tx,
        {
          tenantId: row.tenantId,
          type: 'models.egress_rule.deleted',
          ...becauseOf(cause),
          subject: { kind: 'egress_rule', id, name: row.target },
          data: { before: row },
        },
        this.#clock.now(),
      );
    });
  }
}
