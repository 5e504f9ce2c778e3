import type { Doors } from '#kernel/database';
import { formatId } from '#kernel/ids';
import type { LiveCalls } from './live-calls.ts';
import { noFigures } from './overview-window.ts';
import { type NodeRow, readNodes } from './store.ts';

/** How a node stands: `lost` after five seconds of silence. */
export type ShownNode = Omit<NodeRow, 'silentSeconds'> & { state: 'alive' | 'lost' };

/** What operators see of the whole platform. */
export class PlatformConsole {
  readonly #db: Pick<Doors, 'forPlatform'>;
  readonly #live: LiveCalls;
  readonly #tenantName: (tenantId: string) => string | undefined;

  constructor(deps: {
    db: Pick<Doors, 'forPlatform'>;
    live: LiveCalls;
    tenantName: (tenantId: string) => string | undefined;
  }) {
    this.#db = deps.db;
    this.#live = deps.live;
    this.#tenantName = deps.tenantName;
  }

  /** Figures of the last minute over all nodes; demo tenants are listed but left out of totals unless asked for. */
  async getPlatformStats(includeDemo: boolean) {
    await this.#live.refresh();
    const now = Temporal.Now.instant();
    const figures = this.#live.window.read(now.epochMilliseconds / 1000, includeDemo);
    const nodes = await this.monitorSystem();
    const seen = new Map(figures.byNode.map(({ nodeId, ...node }) => [formatId('node', nodeId), node]));
    const idle = { ...noFigures, requestsPerSecond: 0, blockedPerSecond: 0 };
    return {
      ...figures,
      at: now.toString({ smallestUnit: 'millisecond' }),
      window: 60,
      inFlight: nodes.reduce((sum, node) => sum + (node.counters['inFlight'] ?? 0), 0),
      byTenant: figures.byTenant.map((tenant) => ({
        ...tenant,
        tenantId: formatId('tenant', tenant.tenantId),
        name: this.#tenantName(tenant.tenantId) ?? '',
      })),
      byNode: nodes.map((node) => ({ ...node, ...(seen.get(node.id) ?? idle) })),
    };
  }

  /** The nodes and how they stand. */
  async monitorSystem(): Promise<ShownNode[]> {
    const rows = await this.#db.forPlatform(readNodes);
    return rows.map(({ silentSeconds, ...row }) => ({
      ...row,
      id: formatId('node', row.id),
      state: silentSeconds > 5 ? 'lost' : 'alive',
    }));
  }
}
