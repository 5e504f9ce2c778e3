import type { Clock } from '#kernel/clock';
import type { Connector } from '#kernel/database-connector';
import type { Logger } from '#kernel/logger';
import type { PasswordHasher } from '#security/auth';
import type { AppConfig } from './config.ts';

/** What a process of the house is made of. `role`: `setup` makes things without serving; `both` is for tests. */
export type AppOptions = {
  role: 'front' | 'background' | 'both' | 'setup';
  config: AppConfig;
  connector: Connector;
  rootKey: string;
  log: Logger;
  /** Where this process keeps calls while the database is away; absent: no spool. */
  spoolDir?: string;
  /** Where users reach the console, for links. */
  baseUrl: string;
  /** The built console; absent: none is served. */
  consoleDir?: string;
  clock?: Clock;
  /** Where passwords are hashed; absent: in this process. */
  hasher?: PasswordHasher;
  /** Where offers of providers look for keys, by name. */
  environment?: NodeJS.ProcessEnv;
};
