import { expect, test } from 'vitest';

import { OverviewWindow, type SeenCall } from './overview-window.ts';

const call = (at: number, more: Partial<SeenCall> = {}): SeenCall => ({
  at,
  tenantId: 'a',
  nodeId: 'n',
  demo: false,
  refused: false,
  ms: 10,
  price: null,
  currency: null,
  requests: 1,
  ...more,
});

test('counts the window and forgets what is older', () => {
  const window = new OverviewWindow(10);
  for (let at = 0; at < 30; at++) window.add(call(at));
  expect(window.read(29, true).requestsPerSecond).toBe(1);
  expect(window.read(29, true).series.ok).toEqual(new Array(10).fill(1));
  expect(window.read(35, true).requestsPerSecond).toBe(0.4);
  window.add(call(3));
  expect(window.read(35, true).requestsPerSecond).toBe(0.4);
});

test('latency, series and nodes leave demo tenants out too', () => {
  const window = new OverviewWindow(10);
  window.add(call(5, { ms: 10 }));
  for (let i = 0; i < 9; i++) window.add(call(5, { ms: 5_000, demo: true, tenantId: 'demo', nodeId: 'm' }));
  window.add(call(6, { demo: true, tenantId: 'demo', refused: true }));
  const real = window.read(6, false);
  expect(real.p95Ms).toBeLessThan(20);
  expect(real.p50Ms).toBeLessThan(20);
  expect(real.series.ok.slice(-2)).toEqual([1, 0]);
  expect(real.series.blocked.slice(-2)).toEqual([0, 0]);
  expect(real.series.p95.at(-2)).toBe(real.p95Ms);
  const node = { nodeId: 'n', requestsPerSecond: 0.1, blockedPerSecond: 0, spend: [] };
  expect(real.byNode).toEqual([{ ...node, p50Ms: real.p50Ms, p95Ms: real.p95Ms }]);
  const all = window.read(6, true);
  expect(all.p50Ms).toBeGreaterThan(4_000);
  expect(all.series.ok.slice(-2)).toEqual([10, 0]);
  expect(all.series.blocked.slice(-2)).toEqual([0, 1]);
  expect(all.byNode.map(({ nodeId }) => nodeId).sort()).toEqual(['m', 'n']);
});

test('each tenant and each node has its own latency, blocked requests and spend', () => {
  const window = new OverviewWindow(10);
  window.add(call(5, { ms: 10, price: '0.1', currency: 'USD' }));
  window.add(call(6, { ms: 900, tenantId: 'b', nodeId: 'm', price: '2', currency: 'USD' }));
  window.add(call(6, { tenantId: 'b', nodeId: 'm', refused: true, requests: 3 }));
  const { byTenant, byNode } = window.read(6, false);
  const [slow, fast] = byTenant;
  expect(slow).toMatchObject({ tenantId: 'b', requests: 4, blocked: 3, spend: [{ amount: '2', currency: 'USD' }] });
  expect(fast).toMatchObject({ tenantId: 'a', requests: 1, blocked: 0, spend: [{ amount: '0.1', currency: 'USD' }] });
  expect(fast?.p95Ms).toBeLessThan(20);
  expect(slow?.p50Ms).toBeGreaterThan(800);
  const { p50Ms, p95Ms, spend } = slow ?? {};
  const other = byNode.find(({ nodeId }) => nodeId === 'm');
  expect(other).toEqual({ nodeId: 'm', requestsPerSecond: 0.4, blockedPerSecond: 0.3, p50Ms, p95Ms, spend });
});

test('demo tenants are shown but left out of totals unless asked for', () => {
  const window = new OverviewWindow(10);
  window.add(call(5, { price: '0.1', currency: 'USD' }));
  window.add(call(5, { tenantId: 'demo', demo: true, refused: true, price: '9', currency: 'USD' }));
  const real = window.read(5, false);
  expect(real.spend).toEqual([{ amount: '0.1', currency: 'USD' }]);
  expect(real.blockedPerSecond).toBe(0);
  expect(real.byTenant.map((row) => row.tenantId).sort()).toEqual(['a', 'demo']);
  const all = window.read(5, true);
  expect(all.spend).toEqual([{ amount: '9.1', currency: 'USD' }]);
  expect(all.blockedPerSecond).toBe(0.1);
});

test('quantiles are within a fifth', () => {
  const window = new OverviewWindow(10);
  for (let ms = 1; ms <= 1000; ms++) window.add(call(1, { ms }));
  const { p50Ms, p95Ms } = window.read(1, true);
  expect(p50Ms).toBeGreaterThanOrEqual(500);
  expect(p50Ms).toBeLessThanOrEqual(600);
  expect(p95Ms).toBeGreaterThanOrEqual(950);
  expect(p95Ms).toBeLessThanOrEqual(1140);
});
