import { startNode } from '#test/quota-node';
import { callRecord, usageOf } from '#test/calls';
import { newId } from '#kernel/ids';
import { systemCause } from '#kernel/cause';
const url = process.env['MICRO_URL'] as string;
const node = await startNode(url, { poolSize: 4 });
const tenantId = newId();
const keyId = newId();
for (const input of [
  { scope: 'tenant', scopeId: null, resource: 'tokens', window: 'day', amount: '900000000000' },
  { scope: 'tenant', scopeId: null, resource: 'money', window: 'month', amount: '9000000' },
  { scope: 'key', scopeId: keyId, resource: 'concurrency', window: 'none', amount: '10000' },
] as const) await node.quota.setQuota(tenantId, input, 'platform', systemCause('x'));
const amounts = { tokens: 1000n, money: 1000n };
const subjects = { tenantId, keyId };
(await node.quota.reserve(subjects, amounts)).release();
for (let round = 0; round < 4; round++) {
  let sync = 0;
  const n = 200_000;
  const a = performance.now();
  for (let i = 0; i < n; i++) {
    const r = node.quota.reserve(subjects, amounts);
    if (r instanceof Promise) (await r).settle(amounts); else { sync++; r.settle({ tokens: 300n, money: 300n }); }
  }
  console.log('reserve+settle 3 limits', (((performance.now() - a) / n) * 1e6).toFixed(0), 'ns/op, sync', sync / n);
}
for (const width of [32]) {
  for (let round = 0; round < 3; round++) {
    let done = 0;
    const a = performance.now();
    const cpu = process.cpuUsage();
    const one = async () => {
      while (performance.now() - a < 2500) {
        const r = node.quota.reserve(subjects, amounts);
        const h = r instanceof Promise ? await r : r;
        const record = callRecord(tenantId, { keyId });
        await node.metering.record({ call: record, usage: [usageOf(record)], charges: h.settle({ tokens: 300n, money: 300n }) });
        done++;
      }
    };
    await Promise.all(Array.from({ length: width }, one));
    const s = (performance.now() - a) / 1000;
    const u = process.cpuUsage(cpu);
    console.log(`width ${width}: ${(done / s).toFixed(0)} calls/s (x2 rows), node CPU ${((u.user + u.system) / done).toFixed(0)} us/call`);
  }
}
await node.stop();
