import { expect, test } from 'vitest';

import { formatId, type IdKind, newId } from '#kernel/ids';

import { insideId, outsideEvent } from './outside-form.ts';

const tenantId = newId();
const actor = { kind: 'operator' as const, id: newId(), name: 'Ada' };

/** An event's data as it is shown. */
function shown(subjectKind: string, data: Record<string, unknown>) {
  return outsideEvent({ tenantId, actor, subject: { kind: subjectKind, id: newId() }, data }).data;
}

test('the ids in an event’s data are those of the API where it is known what they name', () => {
  const ids = Object.fromEntries(
    ['agent', 'key', 'session', 'plan', 'provider', 'limit'].map((kind) => [kind, newId()]),
  );
  const id = (kind: string) => ids[kind] as string;
  const out = (kind: IdKind) => formatId(kind, id(kind));
  const price = newId();
  expect(
    shown('key', { after: { name: 'ci', agents: [id('agent')], scopes: ['agents:read'] }, newKeyId: id('key') }),
  ).toEqual({
    after: { name: 'ci', agents: [out('agent')], scopes: ['agents:read'] },
    newKeyId: out('key'),
  });
  expect(shown('user', { sessionIds: [id('session')], sessionId: id('session'), reason: 'signed out' })).toEqual({
    sessionIds: [out('session')],
    sessionId: out('session'),
    reason: 'signed out',
  });
  expect(
    shown('limit', { before: { scope: 'key', scopeId: id('key') }, after: { scope: 'agent', scopeId: id('agent') } }),
  ).toEqual({
    before: { scope: 'key', scopeId: out('key') },
    after: { scope: 'agent', scopeId: out('agent') },
  });
  expect(shown('subscription', { before: null, after: { plan: id('plan'), version: 2 } })).toEqual({
    before: null,
    after: { plan: out('plan'), version: 2 },
  });
  expect(shown('provider', { after: { id: id('provider'), tenantId, preset: 'openai' } })).toEqual({
    after: { id: out('provider'), tenantId: formatId('tenant', tenantId), preset: 'openai' },
  });
  expect(shown('plan', { after: { prices: [{ id: price, meter: 'agent.run.runs' }] } })).toEqual({
    after: { prices: [{ id: formatId('price', price), meter: 'agent.run.runs' }] },
  });
});

test('kinds of two words, operators, and what has no outside form', () => {
  const rule = newId();
  const event = {
    tenantId,
    actor,
    onBehalfOf: null,
    subject: { kind: 'egress_rule', id: rule },
    data: { after: { id: rule } },
  };
  expect(outsideEvent(event)).toEqual({
    tenantId: formatId('tenant', tenantId),
    actor: { ...actor, id: formatId('user', actor.id) },
    onBehalfOf: null,
    subject: { kind: 'egress_rule', id: formatId('egressRule', rule) },
    data: { after: { id: formatId('egressRule', rule) } },
  });
  const odd = { leaseId: newId(), note: newId(), email: 'a@b.example', count: 3, nothing: null, constructor: newId() };
  expect(shown('constructor', odd)).toEqual(odd);
  expect(insideId(formatId('egressRule', rule))).toBe(rule);
  expect(insideId('billing')).toBe('billing');
});
