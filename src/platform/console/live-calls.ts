import type { Logger } from '#kernel/logger';
import type { StreamHub } from '#kernel/stream';
import { type CallRow, type MeteringManager, shownCall, type WriterCursors } from '#metering';
import { OverviewWindow, type SeenCall } from './overview-window.ts';

const pollMs = 500;
const overviewMs = 1_000;
/** How long the feed goes on after the last one who asked for the overview. */
const lingerMs = 90_000;

type ShownCall = ReturnType<typeof shownCall>;

/**
 * The calls of all nodes as they are committed, for those who watch: read in batches with a cursor per writer, only while someone
 * watches. Feeds the overview's window and the streams.
 */
export class LiveCalls {
  readonly window = new OverviewWindow(60);
  readonly #metering: Pick<MeteringManager, 'callHeads' | 'readCalls' | 'listAllCalls'>;
  readonly #hub: StreamHub;
  readonly #log: Logger;
  readonly #overview: () => Promise<unknown>;
  #cursors: WriterCursors | undefined;
  /** What the window began with: some of it may come again behind the first cursors. */
  #known: ReadonlySet<string> = new Set();
  #askedAt = Number.NEGATIVE_INFINITY;
  #timers: NodeJS.Timeout[] = [];
  #reading: Promise<void> | undefined;

  constructor(deps: {
    metering: Pick<MeteringManager, 'callHeads' | 'readCalls' | 'listAllCalls'>;
    hub: StreamHub;
    log: Logger;
    overview: () => Promise<unknown>;
  }) {
    this.#metering = deps.metering;
    this.#hub = deps.hub;
    this.#log = deps.log;
    this.#overview = deps.overview;
  }

  /** Begins to look whether anyone watches. */
  start(): void {
    this.#timers = [
      setInterval(() => {
        if (this.#wanted()) void this.refresh();
      }, pollMs),
      setInterval(() => {
        if (!this.#hub.wanted('overview')) return;
        this.#overview().then(
          (data) => this.#hub.publish({ topic: 'overview', tenantId: undefined, event: 'overview', data }),
          (error: unknown) => this.#log.debug({ err: error }, 'no overview'),
        );
      }, overviewMs),
    ];
  }

  /** Ends the feed. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#reading;
  }

  /** Takes in what was committed until now; the window is whole after the first time. */
  refresh(): Promise<void> {
    this.#askedAt = performance.now();
    this.#reading ??= this.#read()
      .catch((error: unknown) => this.#log.debug({ err: error }, 'the calls cannot be read at the moment'))
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  #wanted(): boolean {
    const wanted =
      this.#hub.wanted('calls') || this.#hub.wanted('overview') || performance.now() - this.#askedAt < lingerMs;
    if (!wanted) this.#cursors = undefined;
    return wanted;
  }

  async #read(): Promise<void> {
    if (this.#cursors === undefined) {
      const heads = await this.#metering.callHeads();
      const recent = await this.#metering.listAllCalls(
        { includeDemo: true, from: Temporal.Now.instant().subtract({ seconds: 60 }).toString() },
        undefined,
        2_000,
      );
      this.#cursors = heads;
      this.#known = new Set(recent.data.map(({ id }) => id));
      for (const row of recent.data) this.window.add(seen(row));
      return;
    }
    for (;;) {
      const { rows, cursors } = await this.#metering.readCalls(this.#cursors, 2_000);
      this.#cursors = cursors;
      for (const row of rows) {
        if (!this.#known.has(row.id)) this.window.add(seen(row));
        const data = forTenant(shownCall(row));
        this.#hub.publish({ topic: 'calls', tenantId: row.tenantId, of: row, event: 'call', data });
      }
      if (rows.length < 2_000) break;
    }
    this.#known = new Set();
  }
}

/** A call as its tenant and operators may see it live: without what providers charge either, and without the trace. */
export function forTenant(
  call: ShownCall,
): Omit<
  ShownCall,
  'cost' | 'costCurrency' | 'ownCost' | 'ownCostCurrency' | 'writer' | 'trace' | 'attempts' | 'origin'
> {
  const {
    cost: _cost,
    costCurrency: _currency,
    ownCost: _ownCost,
    ownCostCurrency: _ownCurrency,
    writer: _writer,
    trace: _trace,
    attempts: _attempts,
    origin: _origin,
    ...rest
  } = call;
  return rest;
}

function seen(row: CallRow): SeenCall {
  const endedAt = Date.parse(row.endedAt);
  return {
    // A node whose clock is ahead must not push the window on for all.
    at: Math.min(endedAt, Temporal.Now.instant().epochMilliseconds) / 1000,
    tenantId: row.tenantId,
    nodeId: row.writer,
    demo: row.demo,
    refused: row.status === 'refused',
    ms: Math.max(0, endedAt - Date.parse(row.at)),
    price: row.price,
    currency: row.currency,
    requests: row.requests,
  };
}
