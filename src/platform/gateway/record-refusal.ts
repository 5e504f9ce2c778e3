import type { Context } from '#kernel/http';
import { formatId } from '#kernel/ids';
import { Problem } from '#kernel/problem';
import type { CallDraft } from './call-draft.ts';
import type { GatewayPorts } from './ports.ts';

/**
 * Writes the row of a call that came to nothing: refused, failed before an answer began, or left by its client; returns the problem to
 * answer with, which says that it is recorded. Refusals of one principal for one reason are coalesced within a second: the answer then
 * carries the id of the first. A row that is there already stays. Nothing was used, so the client is told even when the row cannot be
 * written now.
 */
export async function recordRefusal(
  ports: Pick<GatewayPorts, 'record' | 'refuse' | 'isDemo'>,
  context: Context,
  draft: CallDraft,
  problem: Problem,
): Promise<Problem> {
  if (problem.details.recorded === true) return problem;
  const recorded = new Problem(problem.kind, { ...problem.details, recorded: true });
  const { status, type } = problem.kind;
  const refused = status < 500 && status !== 499;
  draft.step(refused ? 'refuse' : 'handle', 'refuse', { status, type, detail: problem.details.detail });
  const call = draft.record(
    {
      status: status === 499 ? 'cancelled' : refused ? 'refused' : 'failed',
      httpStatus: status,
      quantities: {},
      estimated: false,
      price: null,
      cost: null,
      error: { code: type, message: problem.message },
    },
    ports.isDemo(context.tenantId),
  );
  if (refused) {
    context.request.arrival.requestId = formatId('call', ports.refuse(call));
    return recorded;
  }
  await ports.record({ call, usage: [], charges: [] }).catch((error: unknown) => {
    context.request.log.warn(
      { err: error, requestId: context.requestId },
      'a call that came to nothing was not recorded',
    );
  });
  return recorded;
}
