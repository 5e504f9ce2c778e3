import { expect, test } from 'vitest';

import { newId } from '#kernel/ids';
import { createLogger } from '#kernel/logger';
import { StreamHub } from '#kernel/stream';
import { callRecord } from '#test/calls';
import { LiveCalls } from './live-calls.ts';

test('a call that is committed while the window is filled counts once, and those after it too', async () => {
  const call = () => {
    const record = callRecord(newId());
    return { ...record, at: record.startedAt, writer: newId(), requests: 1 };
  };
  const [between, later] = [call(), call()];
  const behind = [[between], [later], []];
  const live = new LiveCalls({
    metering: {
      callHeads: async () => new Map(),
      listAllCalls: async () => ({ data: [between], nextCursor: null }),
      readCalls: async () => ({ rows: behind.shift() ?? [], cursors: new Map() }),
    } as never,
    hub: new StreamHub({ mayStay: () => true }),
    log: createLogger('silent'),
    overview: async () => ({}),
  });
  const counted = async () => {
    await live.refresh();
    return live.window.read(Date.now() / 1000, true).requestsPerSecond * 60;
  };
  expect(await counted()).toBeCloseTo(1);
  expect(await counted()).toBeCloseTo(1);
  expect(await counted()).toBeCloseTo(2);
});
