import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import { parseId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { invalidInput, notFound } from '#kernel/problem';
import { tenantIdOf } from '#tenancy';

import type { BillingSystem } from './billing-system.ts';
import { readPrices, shownInvoice, shownMargin, shownPlan, shownSubscription, shownUpcoming } from './outside-form.ts';
import type { PlanManager } from './plan-manager.ts';
import type { AgentName } from './ports.ts';
import {
  explainedInvoiceSchema,
  invoiceSchema,
  marginsSchema,
  newPlanSchema,
  planChangeSchema,
  planSchema,
  platformInvoiceSchema,
  subscribedPlanSchema,
  subscriptionSchema,
  upcomingInvoiceSchema,
} from './schemas.ts';

const params = Type.Object({ id: Type.String() });
const time = Type.String({ format: 'date-time' });
const includeDemo = Type.Optional(Type.Boolean({ default: false }));

/** The routes of billing. */
export function routes(billing: BillingSystem, plans: PlanManager, agentName: AgentName): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/plan',
      operationId: 'billing.getPlan',
      summary: 'Read the plan that one’s own tenant is on, with its prices.',
      area: 'tenant',
      permission: 'usage:read',
      schema: { response: { 200: subscribedPlanSchema } },
      handle: async ({ tenantId }) => shownSubscription(await billing.currentPlan(tenantId)),
    }),
    route({
      method: 'GET',
      path: '/v1/invoices/upcoming',
      operationId: 'billing.generateBill',
      summary: 'The invoice of the running month as it would be now.',
      area: 'tenant',
      permission: 'invoices:read',
      schema: { response: { 200: upcomingInvoiceSchema } },
      handle: async ({ tenantId }) => shownUpcoming(await billing.generateBill(tenantId)),
    }),
    route({
      method: 'GET',
      path: '/v1/invoices/upcoming/explain',
      operationId: 'billing.explainBill',
      summary: 'Why the upcoming invoice has this amount.',
      area: 'tenant',
      permission: 'invoices:read',
      schema: { response: { 200: explainedInvoiceSchema } },
      handle: async ({ tenantId }) => shownUpcoming(await billing.explainBill(tenantId)),
    }),
    route({
      method: 'GET',
      path: '/v1/invoices',
      operationId: 'billing.listInvoices',
      summary: 'List final invoices, newest first.',
      area: 'tenant',
      permission: 'invoices:read',
      schema: { query: Type.Object(pageQuery), response: { 200: pageSchema(invoiceSchema) } },
      handle: async ({ tenantId, query: { limit = 50, cursor } }) => {
        const page = await billing.listInvoices(tenantId, readCursor(cursor, [uuidPart])?.[0], limit);
        return { ...page, data: page.data.map(shownInvoice) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/invoices/:id',
      operationId: 'billing.getInvoice',
      summary: 'Read a final invoice.',
      area: 'tenant',
      permission: 'invoices:read',
      schema: { params, response: { 200: invoiceSchema } },
      handle: async ({ tenantId, params: { id } }) => {
        const uuid = parseId('invoice', id);
        if (uuid === undefined) throw notFound('invoice');
        return shownInvoice(await billing.getInvoice(tenantId, uuid));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/plans',
      operationId: 'billing.listPlans',
      summary: 'List plans in their newest version.',
      area: 'platform',
      permission: 'platform-plans:read',
      schema: { query: Type.Object(pageQuery), response: { 200: pageSchema(planSchema) } },
      handle: async ({ query: { limit = 50, cursor } }) => {
        const page = await plans.listPlans(readCursor(cursor, [uuidPart])?.[0], limit);
        return { ...page, data: page.data.map(shownPlan) };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/platform/plans',
      operationId: 'billing.createPlan',
      summary: 'Make a plan.',
      area: 'platform',
      permission: 'platform-plans:create',
      schema: { body: newPlanSchema, response: { 201: planSchema } },
      handle: async (context) => {
        const { prices, recurringFee = null, isDefault = false, ...rest } = context.body;
        const input = { ...rest, recurringFee, isDefault, demo: false, prices: readPrices(prices) };
        const plan = await plans.createPlan(input, causeOf(context));
        context.reply.code(201);
        return shownPlan(plan);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/plans/:id',
      operationId: 'billing.getPlanInfo',
      summary: 'Read a plan in its newest version.',
      area: 'platform',
      permission: 'platform-plans:read',
      schema: { params, response: { 200: planSchema } },
      handle: async ({ params: { id } }) => shownPlan(await plans.getPlan(planIdOf(id))),
    }),
    route({
      method: 'PATCH',
      path: '/v1/platform/plans/:id',
      operationId: 'billing.changePlan',
      summary: 'Make a new version of a plan; the ones before stay as they are.',
      area: 'platform',
      permission: 'platform-plans:update',
      schema: { params, body: planChangeSchema, response: { 200: planSchema } },
      handle: async (context) => {
        const { prices, ...rest } = context.body;
        const change = prices === undefined ? rest : { ...rest, prices: readPrices(prices) };
        return shownPlan(await plans.changePlan(planIdOf(context.params.id), change, causeOf(context)));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/tenants/:id/subscription',
      operationId: 'billing.getSubscription',
      summary: 'Read the plan that a tenant is on, with its prices.',
      area: 'platform',
      permission: 'platform-plans:read',
      schema: { params, response: { 200: subscribedPlanSchema } },
      handle: async ({ params: { id } }) => shownSubscription(await billing.currentPlan(tenantIdOf(id), 'platform')),
    }),
    route({
      method: 'PUT',
      path: '/v1/platform/tenants/:id/subscription',
      operationId: 'billing.manageSubscription',
      summary: 'Put a tenant on a plan, from now on; a plan of another currency from a month’s start.',
      area: 'platform',
      permission: 'platform-subscriptions:update',
      schema: { params, body: subscriptionSchema, response: { 200: subscribedPlanSchema } },
      handle: async (context) => {
        const planId = parseId('plan', context.body.planId);
        if (planId === undefined) throw invalidInput('/planId', 'is not the id of a plan');
        const tenantId = tenantIdOf(context.params.id);
        return shownSubscription(await billing.manageSubscription(tenantId, planId, causeOf(context)));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/invoices',
      operationId: 'billing.listAllInvoices',
      summary: 'List final invoices of all tenants, newest first.',
      area: 'platform',
      permission: 'platform-invoices:read',
      schema: {
        query: Type.Object({ ...pageQuery, tenantId: Type.Optional(Type.String()), includeDemo }),
        response: { 200: pageSchema(platformInvoiceSchema) },
      },
      handle: async ({ query: { limit = 50, cursor, tenantId, includeDemo: demo = false } }) => {
        const filter = { includeDemo: demo, ...(tenantId === undefined ? {} : { tenantId: tenantIdOf(tenantId) }) };
        const page = await billing.listAllInvoices(filter, readCursor(cursor, [uuidPart])?.[0], limit);
        return { ...page, data: page.data.map(shownInvoice) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/margins',
      operationId: 'billing.margins',
      summary: 'Price, cost and margin by tenant, agent and currency.',
      area: 'platform',
      permission: 'platform-margins:read',
      schema: {
        query: Type.Object({ from: time, to: time, tenantId: Type.Optional(Type.String()), includeDemo }),
        response: { 200: marginsSchema },
      },
      handle: async ({ query: { from, to, tenantId, includeDemo: demo = false } }) => {
        const filter = { from, to, includeDemo: demo };
        const one = tenantId === undefined ? filter : { ...filter, tenantId: tenantIdOf(tenantId) };
        return { from, to, data: (await billing.margins(one)).map((sum) => shownMargin(sum, agentName)) };
      },
    }),
  ];
}

function planIdOf(text: string): string {
  const id = parseId('plan', text);
  if (id === undefined) throw notFound('plan');
  return id;
}
