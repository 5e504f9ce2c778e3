import { Database } from '#kernel/database';
import { createConnector } from '#kernel/database-connector';
import type { Principal } from '#kernel/http';
import { agentHouse } from '#test/agent-house';

/** A process of its own that drives one run and kills itself at a named point of a tool's step. */
const order = JSON.parse(process.env['AGENT_CHILD'] ?? '{}') as {
  url: string;
  principal: Principal;
  agent: { agentId: string; name: string; version: number };
  text: string;
  point: string;
  hit: number;
  callId: string;
};
const db = new Database({ connector: createConnector(order.url, 'agent-child'), poolSize: 4 });
let hits = 0;
const house = agentHouse(db, {
  faults: (point, { kind }) => {
    if (point === order.point && kind === 'tool' && ++hits === order.hit) process.kill(process.pid, 'SIGKILL');
  },
});
await house.module.runs.runInForeground({
  principal: order.principal,
  agent: order.agent,
  messages: [{ role: 'user', content: order.text }],
  callId: order.callId,
  front: { origin: { ip: '10.0.0.1', client: 'test' }, trace: [], stream: false },
  demo: false,
});
process.exit(0);
