import { type Route, route } from '#kernel/http';
import type { APIGateway } from './api-gateway.ts';
import { AnyAnswer, ChatRequest, EmbeddingsRequest, ModelList } from './schemas.ts';

/** OpenAI's protocol. Which permission a call needs depends on what its `model` names, so the handler asks. */
export function routes(gateway: APIGateway, maxBodyBytes: number): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/chat/completions',
      operationId: 'gateway.createChatCompletion',
      summary:
        'Chat with a model (`provider/model`) or an agent (`agent/name[@version]`), as OpenAI defines it; plain or streamed.',
      area: 'tenant',
      protocol: 'openai',
      permission: null,
      call: 'chat',
      bodyLimit: maxBodyBytes,
      schema: { body: ChatRequest, response: { 200: AnyAnswer } },
      handle: (context) => gateway.routeRequest(context, 'chat/completions'),
    }),
    route({
      method: 'POST',
      path: '/v1/embeddings',
      operationId: 'gateway.createEmbedding',
      summary: 'Embed texts with a model, as OpenAI defines it.',
      area: 'tenant',
      protocol: 'openai',
      permission: null,
      call: 'embedding',
      bodyLimit: maxBodyBytes,
      schema: { body: EmbeddingsRequest, response: { 200: AnyAnswer } },
      handle: (context) => gateway.routeRequest(context, 'embeddings'),
    }),
    route({
      method: 'GET',
      path: '/v1/models',
      operationId: 'gateway.listModels',
      summary: 'What the caller may write as `model`, in the form of OpenAI.',
      area: 'tenant',
      protocol: 'openai',
      permission: 'models:read',
      schema: { response: { 200: ModelList } },
      handle: (context) => gateway.listModels(context),
    }),
  ];
}
