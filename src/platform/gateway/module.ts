import type { Module } from '#kernel/module';
import { AgentChat, type AgentsPort } from './agent-chat.ts';
import { APIGateway } from './api-gateway.ts';
import { gatewaySettings } from './config.ts';
import { LocalModel } from './local-model.ts';
import { PassThrough } from './pass-through.ts';
import type { GatewayPorts } from './ports.ts';
import { gatewayProblems } from './problems.ts';
import { routes } from './routes.ts';

export type { AgentsPort, GatewayPorts };
export { gatewaySettings, LocalModel };

/** The API gateway: OpenAI's protocol, passed through or answered by agents. */
export function createGatewayModule(deps: {
  ports: GatewayPorts;
  agents: AgentsPort;
  config: {
    headersTimeoutMs: number;
    bodyTimeoutMs: number;
    maxAnswerBytes: number;
    defaultOutputCap: number;
    maxBodyBytes: number;
  };
}): Module & { gateway: APIGateway } {
  const { config } = deps;
  const passThrough = new PassThrough({
    ports: deps.ports,
    timeouts: { headersMs: config.headersTimeoutMs, bodyMs: config.bodyTimeoutMs },
    maxAnswerBytes: config.maxAnswerBytes,
    defaultOutputCap: config.defaultOutputCap,
  });
  const gateway = new APIGateway({ ports: deps.ports, passThrough, agents: new AgentChat(deps) });
  return { name: 'gateway', gateway, routes: routes(gateway, config.maxBodyBytes), problems: gatewayProblems };
}
