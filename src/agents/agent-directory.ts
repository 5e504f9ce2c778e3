import { Problem } from '#kernel/problem';
import type { Snapshot } from '#kernel/snapshot';
import { agentProblems } from './problems.ts';
import type { ResolvedAgent } from './run-manager.ts';
import type { Agent } from './store.ts';

const referencePattern = /^([a-z0-9-]{1,40})(?:@([a-z0-9-]{1,40}))?$/;

/** Finds agents by name in memory: what `agent/<name>[@version]` means without SQL. */
export class AgentDirectory {
  readonly #agents: Snapshot<Agent>;
  #byName = new Map<string, Agent>();
  #version = -1;

  constructor(agents: Snapshot<Agent>) {
    this.#agents = agents;
  }

  /**
   * The version a reference such as `support`, `support@3` or `support@beta` names; without one the alias `live`. 404 in OpenAI's
   * words (`model_not_found`).
   */
  resolve(tenantId: string, reference: string): ResolvedAgent {
    const [, name = '', label = 'live'] = referencePattern.exec(reference) ?? [];
    const agent = this.#names().get(`${tenantId}/${name}`);
    const version = agent && versionAt(agent, label);
    if (agent === undefined || version === undefined || version < 1 || version > agent.latestVersion) {
      throw new Problem(agentProblems.agentNotFound, {
        detail: `There is no agent "${reference}". Write agent/<name> or agent/<name>@<version or alias>.`,
        param: 'model',
      });
    }
    return { agentId: agent.id, name: agent.name, version };
  }

  /** Agents of a tenant, by name; those of a key that is cut down to some, only these. */
  list(tenantId: string, allowed?: readonly string[]): Agent[] {
    return [...this.#agents.values()]
      .filter((agent) => agent.tenantId === tenantId && (allowed === undefined || allowed.includes(agent.id)))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** An agent by id, of this tenant alone; undefined for any other. */
  byId(tenantId: string, id: string): Agent | undefined {
    const agent = this.#agents.get(id);
    return agent?.tenantId === tenantId ? agent : undefined;
  }

  #names(): Map<string, Agent> {
    if (this.#version !== this.#agents.version) {
      this.#version = this.#agents.version;
      this.#byName = new Map([...this.#agents.values()].map((agent) => [`${agent.tenantId}/${agent.name}`, agent]));
    }
    return this.#byName;
  }
}

function versionAt({ aliases }: Agent, label: string): number | undefined {
  if (/^\d{1,9}$/.test(label)) return Number(label);
  return Object.hasOwn(aliases, label) ? aliases[label] : undefined;
}
