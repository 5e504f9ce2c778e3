import { expect, test } from 'vitest';

import { nextAction } from './next-action.ts';
import type { Step } from './runs.ts';

const rules = { needsApproval: (name: string) => name === 'write', mayRepeat: (name: string) => name === 'read' };

function step(seq: number, more: Partial<Step>): Step {
  return {
    runId: 'r',
    seq,
    kind: 'model',
    status: 'done',
    ofSeq: null,
    ofCall: null,
    tool: null,
    arguments: null,
    idempotencyKey: null,
    result: null,
    usage: null,
    startedAt: '',
    finishedAt: null,
    ...more,
  } as Step;
}
const asked = (...names: string[]) =>
  step(0, {
    kind: 'model',
    result: {
      content: '',
      finishReason: 'tool-calls',
      toolCalls: names.map((name, i) => ({ id: `c${i}`, name, arguments: '{}' })),
    },
  });
const tool = (seq: number, ofCall: number, status: Step['status']) =>
  step(seq, {
    kind: 'tool',
    ofSeq: 0,
    ofCall,
    status,
    ...(status === 'done' ? { result: { text: 'ok', isError: false } } : {}),
  });
const approval = (seq: number, ofCall: number, approved?: boolean) =>
  step(seq, {
    kind: 'approval',
    ofSeq: 0,
    ofCall,
    ...(approved === undefined ? { status: 'pending' } : { result: { approved } }),
  });

test.each([
  ['an empty journal', [], { kind: 'answer' }],
  ['a call to make', [asked('read')], { kind: 'call', calls: [{ placed: { ofCall: 0 } }] }],
  ['an idempotent intent', [asked('read'), tool(1, 0, 'intent')], { kind: 'call', calls: [{ again: { seq: 1 } }] }],
  ['another intent', [asked('send'), tool(1, 0, 'intent')], { kind: 'review', step: { seq: 1 } }],
  [
    'an intent a person gave free',
    [asked('send'), tool(1, 0, 'retry')],
    { kind: 'call', calls: [{ again: { seq: 1 } }] },
  ],
  [
    'the first of two done',
    [asked('send', 'send'), tool(1, 0, 'done')],
    { kind: 'call', calls: [{ placed: { ofCall: 1 } }] },
  ],
  [
    'two to make',
    [asked('send', 'read')],
    { kind: 'call', calls: [{ placed: { ofCall: 0 } }, { placed: { ofCall: 1 } }] },
  ],
  [
    'what may be repeated before what is in doubt',
    [asked('send', 'read', 'send'), tool(1, 0, 'intent'), tool(2, 1, 'intent'), tool(3, 2, 'intent')],
    { kind: 'call', calls: [{ again: { seq: 2 } }] },
  ],
  [
    'two in doubt',
    [asked('send', 'read', 'send'), tool(1, 0, 'intent'), tool(2, 1, 'done'), tool(3, 2, 'intent')],
    { kind: 'review', step: { seq: 1 } },
  ],
  ['all done', [asked('send'), tool(1, 0, 'done')], { kind: 'answer' }],
  ['a call that needs a yes', [asked('send', 'write')], { kind: 'ask', calls: [{ ofCall: 1 }] }],
  ['one that was asked', [asked('write'), approval(1, 0)], { kind: 'wait' }],
  ['a yes', [asked('write'), approval(1, 0, true)], { kind: 'call', calls: [{ placed: { ofCall: 0 } }] }],
  ['a no', [asked('write'), approval(1, 0, false)], { kind: 'call', calls: [{ refused: {} }] }],
  ['one yes, one open', [asked('write', 'write'), approval(1, 0, true), approval(2, 1)], { kind: 'wait' }],
  [
    'an answer',
    [step(0, { kind: 'model', result: { content: 'hi', finishReason: 'stop', toolCalls: [] } })],
    { kind: 'finish' },
  ],
  [
    'an answer cut off',
    [step(0, { kind: 'model', result: { content: '', finishReason: 'cut', toolCalls: [] } })],
    { kind: 'answer' },
  ],
  ['an external agent in doubt', [step(0, { kind: 'external', status: 'intent' })], { kind: 'review' }],
] as const)('%s', (_name, steps, action) => {
  expect(nextAction(steps as readonly Step[], rules)).toMatchObject(action);
});
