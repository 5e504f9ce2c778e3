import type { Doors } from '#kernel/database';
import type { LogFollower } from '#kernel/follower';
import type { Principal } from '#kernel/http';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import { StreamHub } from '#kernel/stream';
import type { MeteringManager } from '#metering';
import { LiveCalls } from './live-calls.ts';
import { PlatformConsole } from './platform-console.ts';
import { routes } from './routes.ts';
import { serveConsole } from './serve-console.ts';
import { areaOf, messageOf, topicPermission } from './topics.ts';

export { serveConsole };

/** The console's server side: overview, nodes, live data. */
export function createConsoleModule(deps: {
  db: Doors;
  log: Logger;
  follower: LogFollower;
  metering: MeteringManager;
  tenantName: (tenantId: string) => string | undefined;
  authorize: (
    principal: Principal,
    permission: string,
    area: 'tenant' | 'platform',
  ) => { allowed: boolean; reason: string };
  /** Whether a credential that was good when a stream was opened still is. */
  stillValid: (principal: Principal) => boolean;
}): Module & { hub: StreamHub } {
  const hub = new StreamHub({
    mayStay: (principal, topics) => {
      const area = areaOf(principal);
      return (
        deps.stillValid(principal) &&
        [...topics].every((topic) => deps.authorize(principal, topicPermission(topic, area) ?? '', area).allowed)
      );
    },
  });
  let stats: () => Promise<unknown> = async () => undefined;
  const live = new LiveCalls({ metering: deps.metering, hub, log: deps.log, overview: () => stats() });
  const platformConsole = new PlatformConsole({ db: deps.db, live, tenantName: deps.tenantName });
  stats = () => platformConsole.getPlatformStats(true);
  return {
    name: 'console',
    hub,
    routes: routes({ ...deps, console: platformConsole, live, hub }),
    permissions: [{ name: 'platform-nodes:read', risk: 'low', area: 'platform' }],
    drain: () => hub.stop(),
    start: async (role) => {
      if (role !== 'front') return async () => undefined;
      hub.start();
      live.start();
      const silence = deps.follower.listen((events) => {
        if (hub.size === 0) return;
        for (const event of events) {
          const message = messageOf(event);
          if (message !== undefined) hub.publish(message);
        }
      });
      return async () => {
        silence();
        hub.stop();
        await live.stop();
      };
    },
  };
}
