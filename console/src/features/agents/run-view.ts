/** A step of a run as lists and streams show it. */
export type StepView = {
  seq: number;
  kind: string;
  status: string;
  tool?: string | null;
  arguments?: unknown;
  result?: unknown;
  quantities?: unknown;
  price?: string | null;
  startedAt?: string | null;
  finishedAt?: string | null;
};

/** A run as its event stream has told it so far. */
export type RunView = {
  id: string | undefined;
  status: string | undefined;
  text: string;
  steps: readonly StepView[];
  error: RunFailure | undefined;
};

/** Why a run failed: a stable code, and the server's words. */
export type RunFailure = { code: string; detail: string };

/** A run of which nothing is known yet. */
export const emptyRun: RunView = { id: undefined, status: undefined, text: '', steps: [], error: undefined };

/** Whether nothing will happen to a run of this status any more. */
export function isOver(status: string | undefined): boolean {
  return status === 'finished' || status === 'failed' || status === 'cancelled';
}

/** The run after one more event of its stream: `run`, `step`, `text` or `error`. Unknown events change nothing. */
export function readRunEvent(view: RunView, event: string, data: unknown): RunView {
  const body = data as Record<string, unknown>;
  switch (event) {
    case 'run': {
      const run = (body['run'] ?? body) as {
        id: string;
        status: string;
        output?: { text: string } | null;
        error?: RunFailure | null;
        steps?: StepView[];
      };
      const steps = run.steps?.reduce(withStep, view.steps) ?? view.steps;
      const text = run.output?.text ?? view.text;
      return { ...view, id: run.id, status: run.status, text, steps, error: run.error ?? undefined };
    }
    case 'step': {
      const step = (body['step'] ?? body) as StepView;
      const isNewModelStep = step.kind === 'model' && step.status === 'intent';
      return { ...view, steps: withStep(view.steps, step), text: isNewModelStep ? '' : view.text };
    }
    case 'text':
      return { ...view, text: view.text + String(body['delta'] ?? body['text'] ?? '') };
    case 'error':
      return { ...view, error: { code: String(body['code'] ?? 'internal'), detail: String(body['detail'] ?? '') } };
    default:
      return view;
  }
}

function withStep(steps: readonly StepView[], step: StepView): readonly StepView[] {
  const others = steps.filter(({ seq }) => seq !== step.seq);
  return [...others, step].sort((a, b) => a.seq - b.seq);
}
