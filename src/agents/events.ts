import type { EventType } from '#kernel/module';

/** What the module appends to the log. Events of runs carry no content: texts and arguments stay in the journal. */
export const agentEvents: readonly EventType[] = [
  { type: 'agents.agent.created', version: 1, description: 'An agent was made, with its first version.' },
  { type: 'agents.agent.updated', version: 1, description: 'Name or description of an agent changed.' },
  { type: 'agents.agent.deleted', version: 1, description: 'An agent was deleted; its runs stay.' },
  { type: 'agents.version.created', version: 1, description: 'A version was added to an agent.' },
  {
    type: 'agents.alias.updated',
    version: 1,
    description: 'An alias such as live points to another version, or is gone.',
  },
  { type: 'agents.tool.created', version: 1, description: 'A tool source was connected.' },
  { type: 'agents.tool.updated', version: 1, description: 'A tool source, its functions or its trust changed.' },
  { type: 'agents.tool.deleted', version: 1, description: 'A tool source was removed.' },
  { type: 'agents.run.started', version: 1, description: 'A run began or was queued.' },
  { type: 'agents.run.queued', version: 1, description: 'A run may go on: a worker in background takes it.' },
  {
    type: 'agents.run.finished',
    version: 1,
    description: 'A run gave its answer; `data.usage` is the usage row of the run.',
  },
  { type: 'agents.run.failed', version: 1, description: 'A run ended without an answer.' },
  { type: 'agents.run.cancelled', version: 1, description: 'A run was cancelled.' },
  { type: 'agents.run.waiting', version: 1, description: 'A run waits for a person, or for a run it started.' },
  {
    type: 'agents.run.review_needed',
    version: 1,
    description: 'A tool may or may not have taken effect; a person decides.',
  },
  { type: 'agents.run.reviewed', version: 1, description: 'A person decided about a run in review.' },
  {
    type: 'agents.step.finished',
    version: 1,
    description: 'A step of a run is done; `data.usage` is its usage row, if any.',
  },
  { type: 'agents.approval.requested', version: 1, description: 'A tool call needs a yes.' },
  { type: 'agents.approval.approved', version: 1, description: 'A tool call got its yes.' },
  { type: 'agents.approval.rejected', version: 1, description: 'A tool call got a no; the model is told.' },
];
