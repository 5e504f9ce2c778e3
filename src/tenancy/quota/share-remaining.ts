/** What one node asks of a limit. */
export type Want = {
  /** What its lease has free. Negative: calls used more than they had reserved. */
  free: number;
  /** The largest and the smallest amount that a waiting call reserves; both 0 when it only fills up ahead of need. */
  most: number;
  least: number;
};

/**
 * How much a node's lease may grow: so that what it has free is at most the larger of one reservation and a quarter of an equal
 * part of what remains for all nodes. A quarter, so that a limit that nears its end is not split into pieces too small for a
 * call. Nothing when not even the smallest waiting call would fit: a piece that serves nobody is only missing elsewhere.
 */
export function shareOf(want: Want, remaining: number, nodes: number): number {
  const reachable = remaining + want.free;
  const need = reachable >= want.most ? want.most : want.least;
  if (remaining <= 0 || reachable < need) return 0;
  const bound = Math.max(need, Math.floor(reachable / (4 * nodes)));
  return Math.max(0, Math.min(remaining, bound - want.free));
}
