import type { Doors } from '#kernel/database';
import { formatDecimal, max, parseDecimal, subtract, ZERO } from '#kernel/money';
import { Problem } from '#kernel/problem';
import { type Bounds, boundsOf } from './definitions.ts';
import { newRun } from './new-run.ts';
import type { QuotaPort } from './ports.ts';
import type { RunEngine } from './run-engine.ts';
import { childOf, readSteps } from './run-store.ts';
import { isTerminal, type Run, type Step } from './runs.ts';
import { spendingOf } from './spending.ts';
import type { AgentVersion } from './store.ts';
import { type CallResult, ChildNotOver, outcome, ToolNotCalled } from './tool-functions.ts';
import type { RunAgent } from './toolbox.ts';
import { patiently } from './while-away.ts';

/** How deep agents may ask agents. */
export const maxDepth = 4;

/** What another agent as a tool needs. */
export type ChildDeps = {
  db: Pick<Doors, 'forTenant'>;
  now(): string;
  resolve(tenantId: string, reference: string): { agentId: string; name: string; version: number };
  quota: Pick<QuotaPort, 'takeAgentRequest'>;
  versionOf(tenantId: string, agentId: string, version: number): Promise<AgentVersion>;
};

/**
 * Runs another agent as a tool. The child belongs to the step (parent, seq): asked again after a crash, it is found and not started
 * twice. While it waits for a person, its parent waits too. A database that is away is no answer: it is waited for.
 */
export function agentAsTool(deps: ChildDeps, engine: RunEngine, present: () => Run): RunAgent {
  const ask: RunAgent = async (reference, text, { seq, signal }) => {
    const parent = present();
    const find = () => deps.db.forTenant(parent.tenantId, (tx) => childOf(tx, parent.tenantId, parent.id, seq));
    let child = await find();
    let steps: readonly Step[] | undefined;
    if (child === undefined) {
      const begun = await engine.begin(await childRun(deps, parent, seq, reference, text));
      if (begun === undefined) child = await find();
      else ({ run: child, steps } = await engine.drive(begun, {}, signal));
    }
    if (child === undefined || !isTerminal(child.status)) throw new ChildNotOver();
    const { id } = child;
    steps ??= await deps.db.forTenant(parent.tenantId, (tx) => readSteps(tx, parent.tenantId, id));
    return resultOf(child, steps);
  };
  return (reference, text, context) => patiently(() => ask(reference, text, context), context.signal);
}

async function childRun(deps: ChildDeps, parent: Run, seq: number, reference: string, text: string): Promise<Run> {
  const agent = telling(() => deps.resolve(parent.tenantId, reference));
  if (parent.path.includes(agent.agentId))
    throw new ToolNotCalled(`The agent "${agent.name}" is already asked further up.`);
  if (parent.path.length >= maxDepth)
    throw new ToolNotCalled(`Agents may ask each other ${maxDepth - 1} times in a row at most.`);
  telling(() => deps.quota.takeAgentRequest(parent.tenantId, agent.agentId));
  const { definition } = await deps.versionOf(parent.tenantId, agent.agentId, agent.version);
  return newRun({
    tenantId: parent.tenantId,
    agentId: agent.agentId,
    agentVersion: agent.version,
    agentName: agent.name,
    input: [{ role: 'user', content: text }],
    mode: parent.mode,
    demo: parent.demo,
    principal: parent.principal,
    guardrails: within(boundsOf(definition.guardrails), parent),
    createdAt: deps.now(),
    callId: parent.callId,
    foreground: parent.foreground,
    parentId: parent.id,
    parentSeq: seq,
    path: [...parent.path, agent.agentId],
  });
}

/** What refuses the child is told to the model that asked for it. */
function telling<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Problem) throw new ToolNotCalled(error.message, error);
    throw error;
  }
}

/** A child may use what its own guardrails and what is left of its parent's allow. */
function within(own: Bounds, parent: Run): Bounds {
  const { maxTokens, maxMoney } = parent.guardrails;
  const tokens = maxTokens === undefined ? undefined : Math.max(1, maxTokens - parent.tokens);
  const money =
    maxMoney === undefined ? undefined : max(ZERO, subtract(parseDecimal(maxMoney), parseDecimal(parent.money)));
  const ownMoney = own.maxMoney === undefined ? undefined : parseDecimal(own.maxMoney);
  const least = money === undefined ? ownMoney : ownMoney === undefined || money < ownMoney ? money : ownMoney;
  return {
    ...own,
    ...(tokens === undefined ? {} : { maxTokens: Math.min(tokens, own.maxTokens ?? tokens) }),
    ...(least === undefined ? {} : { maxMoney: formatDecimal(least) }),
  };
}

function resultOf(child: Run, steps: readonly Step[]): CallResult {
  const priced = child.currency === null ? null : { price: child.money, currency: child.currency };
  const spent = { tokens: child.tokens, priced, below: spendingOf(child, steps) };
  if (child.output !== null) return { outcome: outcome(child.output.text), spent };
  return { outcome: outcome(`The agent gave no answer: ${child.error?.detail ?? child.status}`, true), spent };
}
