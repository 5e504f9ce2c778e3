/** The events that the audit log keeps, by the beginnings of their types: changes that people make, sign-ins and refusals. */
export const auditedTypes: readonly string[] = [
  'tenancy.',
  'quota.',
  'auth.',
  'rbac.',
  'security.',
  'models.',
  'agents.agent.',
  'agents.tool.',
  'agents.version.',
  'agents.alias.',
  'agents.run.reviewed',
  'agents.run.cancelled',
  'agents.approval.',
  'billing.',
];
