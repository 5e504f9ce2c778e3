import type { Route } from '#kernel/http';
import type { Event } from '#kernel/log';
import type { ProblemKind } from '#kernel/problem';
import type { Table } from '#kernel/tables';

/** A reader of the log that keeps its own cursor. `handle` may see an event twice and must end in the same state. */
export type Subscriber = {
  /** Stable name: the cursor's key. */
  readonly name: string;
  /** Event types, or their beginnings ending in a dot (`tenancy.`). */
  readonly types: readonly string[];
  handle(event: Event & { seq: number }): Promise<void>;
};

/** A condition of health or safety: feeds `/readyz` and `doctor`. */
export type Check = {
  readonly name: string;
  run(): Promise<{ ok: boolean; detail: string }>;
};

/** An event type that a module publishes: documented in docs/events.json. */
export type EventType = { readonly type: string; readonly version: number; readonly description: string };

/** What a module shows the house: its name and what the composition root plugs in. */
export type Module = {
  readonly name: string;
  readonly routes?: readonly Route[];
  readonly tables?: readonly Table[];
  readonly events?: readonly EventType[];
  readonly problems?: Readonly<Record<string, ProblemKind>>;
  readonly subscribers?: readonly Subscriber[];
  /** Permissions `<plural noun>:<verb>` that its routes ask for. */
  readonly permissions?: readonly Permission[];
  readonly migrations?: URL;
  readonly checks?: readonly Check[];
  /** Starts what runs beside requests in a process of this role; the returned function ends it. */
  start?(role: 'front' | 'background'): Promise<() => Promise<void>>;
  /** Lets go of those who only watch, when the process begins to end: it waits for calls alone. */
  drain?(): void;
  /** Ends at once what still runs, settled as far as it has come: the process can wait no longer. */
  hurry?(): void;
};

/** One word of the closed vocabulary of rights. `risk` is shown where keys are made. */
export type Permission = {
  readonly name: `${string}:${Verb}`;
  readonly risk: 'low' | 'medium' | 'high';
  /** Who can ever hold it: a tenant's people and keys, or the platform's operators. */
  readonly area: 'tenant' | 'platform';
  /** A key has it only where its scopes name it, never by its role alone: it is a person's to use. */
  readonly named?: true;
};

/** The closed list of verbs. */
export type Verb = 'read' | 'create' | 'update' | 'delete' | 'invoke' | 'approve' | 'cancel' | 'invite' | 'suspend';
