import Type from 'typebox';

import { formatId, type IdKind, parseId } from '#kernel/ids';
import type { Actor } from '#kernel/log';
import { pageQuery } from '#kernel/pages';
import { notFound } from '#kernel/problem';
import { type Engine, engineOf } from '#models';
import type { AgentManager } from './agent-manager.ts';
import type { Approval } from './approval-store.ts';
import type { Run, Step } from './runs.ts';
import { priceOf } from './spending.ts';
import type { Agent, AgentVersion, ToolSource } from './store.ts';

/** Text, or null. */
const textOrNull = Type.Union([Type.String(), Type.Null()]);
const someone = Type.Object({ kind: Type.String(), id: Type.String(), name: Type.Optional(Type.String()) });

const engine = Type.Union([Type.String(), Type.Null()], {
  description:
    'What answers: language-model, or deterministic-router: Lintel’s own tool router, which is no language model. Null: an external agent.',
});

/** Path of one thing. */
export const idParams = Type.Object({ id: Type.String() });
/** Query of a list. */
export const pageOptions = Type.Object(pageQuery);
/** Answer without a body. */
export const gone = { 204: Type.Null() };

/** The UUID behind an id in a path; the same 404 for a bad id as for an unknown one. */
export function uuidOf(kind: IdKind, text: string, what: string = kind): string {
  const id = parseId(kind, text);
  if (id === undefined) throw notFound(what);
  return id;
}

/** Who, with an outside id where there is one. */
function shownActor(actor: Actor): { kind: string; id: string; name?: string } {
  const kind = actor.kind === 'key' || actor.kind === 'run' ? actor.kind : 'user';
  const id = actor.kind === 'system' ? actor.id : formatId(kind, actor.id);
  return { kind: actor.kind, id, ...(actor.name === undefined ? {} : { name: actor.name }) };
}

/** An agent. */
export const agentSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  kind: Type.Union([Type.Literal('native'), Type.Literal('external')]),
  latestVersion: Type.Integer(),
  aliases: Type.Record(Type.String(), Type.Integer()),
  engine,
  createdAt: Type.String(),
  updatedAt: Type.String(),
});

/** An agent as it is shown. */
function shownAgent({ tenantId: _, ...agent }: Agent, engine: Engine | null) {
  return { ...agent, id: formatId('agent', agent.id), engine };
}

/** Reads the models that versions ask. */
export type Models = Pick<AgentManager, 'modelsOf'>;

/** Agents of one tenant as they are shown, labelled with what answers for the version that is live. */
export async function shownAgents(models: Models, agents: readonly Agent[]) {
  const versions = agents.map(({ id, aliases, latestVersion }) => ({
    agentId: id,
    version: aliases['live'] ?? latestVersion,
  }));
  const engines = await enginesOf(models, agents[0]?.tenantId, versions);
  return agents.map((agent, i) => shownAgent(agent, engines[i] ?? null));
}

/** Runs of one tenant as they are shown, labelled with what answers. */
export async function shownRuns(models: Models, runs: readonly Run[]) {
  const versions = runs.map(({ agentId, agentVersion: version }) => ({ agentId, version }));
  const engines = await enginesOf(models, runs[0]?.tenantId, versions);
  return runs.map((run, i) => shownRun(run, engines[i] ?? null));
}

/** The labels of what answers for versions, in their order; null where that is elsewhere. */
export async function enginesOf(
  models: Models,
  tenantId: string | undefined,
  versions: Parameters<Models['modelsOf']>[1],
): Promise<(Engine | null)[]> {
  const found = tenantId === undefined ? [] : await models.modelsOf(tenantId, versions);
  return found.map((model) => (model === null ? null : engineOf(model)));
}

/** A version. Headers are never shown, only whether there are any. */
export const versionSchema = Type.Object({
  version: Type.Integer(),
  definition: Type.Unknown(),
  hasHeaders: Type.Boolean(),
  note: Type.String(),
  createdBy: someone,
  createdAt: Type.String(),
});

/** A version as it is shown. */
export function shownVersion({ version, definition, secret, note, createdBy, createdAt }: AgentVersion) {
  return { version, definition, hasHeaders: secret !== null, note, createdBy: shownActor(createdBy), createdAt };
}

/** A tool source. Secrets are never shown, only whether there are any. */
export const toolSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  kind: Type.String(),
  config: Type.Unknown(),
  hasSecrets: Type.Boolean(),
  trusted: Type.Boolean(),
  functions: Type.Array(
    Type.Object({
      name: Type.String(),
      description: Type.String(),
      parameters: Type.Unknown(),
      readOnly: Type.Boolean(),
      idempotent: Type.Boolean(),
    }),
  ),
  refreshedAt: textOrNull,
  createdAt: Type.String(),
  updatedAt: Type.String(),
});

/** A tool source as it is shown; hints that do not count are not claimed. */
export function shownTool(tool: ToolSource) {
  const { id, name, kind, config, secret, trusted, functions, refreshedAt, createdAt, updatedAt } = tool;
  const believed = trusted || kind === 'openapi';
  const declared = config.idempotent ?? [];
  return {
    id: formatId('tool', id),
    name,
    kind,
    config: config.kind === 'openapi' && config.document !== undefined ? { ...config, document: undefined } : config,
    hasSecrets: secret !== null,
    trusted,
    functions: functions.map((each) => ({
      name: each.name,
      description: each.description,
      parameters: each.parameters,
      readOnly: believed && each.readOnly,
      idempotent: (believed && each.idempotent) || declared.includes(each.name),
    })),
    refreshedAt,
    createdAt,
    updatedAt,
  };
}

/** States of a run. */
export const runStatus = Type.Union(
  (['queued', 'running', 'waiting', 'needs_review', 'finished', 'failed', 'cancelled'] as const).map((status) =>
    Type.Literal(status),
  ),
);

const runMembers = {
  id: Type.String(),
  status: Type.String(),
  agent: Type.Object({ id: Type.String(), name: Type.String(), version: Type.Integer() }),
  engine,
  mode: Type.String(),
  demo: Type.Boolean(),
  background: Type.Boolean(),
  startedBy: someone,
  call: textOrNull,
  parent: textOrNull,
  modelSteps: Type.Integer(),
  tokens: Type.Integer(),
  price: textOrNull,
  currency: textOrNull,
  guardrails: Type.Unknown(),
  output: Type.Union([Type.Object({ text: Type.String(), finishReason: Type.String() }), Type.Null()]),
  error: Type.Union([Type.Object({ code: Type.String(), detail: Type.String() }), Type.Null()]),
  createdAt: Type.String(),
  finishedAt: textOrNull,
};

/** A run, as lists show it. */
export const runSchema = Type.Object(runMembers);

/** A run as it is shown. */
function shownRun(run: Run, engine: Engine | null) {
  const { kind, id, name } = run.principal;
  return {
    id: formatId('run', run.id),
    status: run.status,
    agent: { id: formatId('agent', run.agentId), name: run.agentName, version: run.agentVersion },
    engine,
    mode: run.mode,
    demo: run.demo,
    background: !run.foreground,
    startedBy: shownActor({ kind, id, name }),
    call: run.callId === null ? null : formatId('call', run.callId),
    parent: run.parentId === null ? null : formatId('run', run.parentId),
    modelSteps: run.modelSteps,
    tokens: run.tokens,
    price: priceOf(run)?.price ?? null,
    currency: run.currency,
    guardrails: run.guardrails,
    output: run.output,
    error: run.error,
    createdAt: run.createdAt,
    finishedAt: run.finishedAt,
  };
}

/** A step. */
export const stepSchema = Type.Object({
  seq: Type.Integer(),
  kind: Type.String(),
  status: Type.String(),
  tool: textOrNull,
  arguments: Type.Unknown(),
  result: Type.Unknown(),
  quantities: Type.Unknown(),
  price: textOrNull,
  startedAt: Type.String(),
  finishedAt: textOrNull,
});

/** A step as it is shown. */
export function shownStep(step: Step) {
  const { seq, kind, status, tool, arguments: args, result, usage, startedAt, finishedAt } = step;
  const quantities = usage?.quantities ?? null;
  return {
    seq,
    kind,
    status,
    tool,
    arguments: args,
    result,
    quantities,
    price: usage?.price ?? null,
    startedAt,
    finishedAt,
  };
}

/** An approval. */
export const approvalSchema = Type.Object({
  id: Type.String(),
  status: Type.String(),
  run: Type.String(),
  agent: Type.Object({ id: Type.String(), name: Type.String() }),
  tool: Type.String(),
  arguments: Type.Unknown(),
  requestedBy: someone,
  createdAt: Type.String(),
  decidedAt: textOrNull,
  decidedBy: Type.Union([someone, Type.Null()]),
  note: textOrNull,
});

/** An approval as it is shown. */
export function shownApproval(approval: Approval) {
  const { status, tool, arguments: args, createdAt, decidedAt, decidedBy, note } = approval;
  return {
    id: formatId('approval', approval.id),
    status,
    run: formatId('run', approval.runId),
    agent: { id: formatId('agent', approval.agentId), name: approval.agentName },
    tool,
    arguments: args,
    requestedBy: shownActor(approval.requestedBy),
    createdAt,
    decidedAt,
    decidedBy: decidedBy === null ? null : shownActor(decidedBy),
    note,
  };
}

/** A run with its steps and what it waits for. */
export const runDetailSchema = Type.Object({
  ...runMembers,
  input: Type.Unknown(),
  steps: Type.Array(stepSchema),
  approvals: Type.Array(approvalSchema),
});
