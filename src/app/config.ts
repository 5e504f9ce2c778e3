import { agentSettings } from '#agents';
import { deliverySettings } from '#delivery';
import { kernelSettings, readConfig, type Settings, type Values } from '#kernel/config';
import { meteringSettings } from '#metering';
import { gatewaySettings } from '#platform/gateway';
import { authSettings } from '#security/auth';

/** Every variable of the environment, by module. */
export const allSettings = {
  ...kernelSettings,
  ...meteringSettings,
  ...authSettings,
  ...deliverySettings,
  ...agentSettings,
  ...gatewaySettings,
} as const satisfies Settings;

/** The whole configuration. */
export type AppConfig = Values<typeof allSettings>;

/** Reads the environment; throws a ConfigError that names every wrong variable. */
export function readAppConfig(env?: NodeJS.ProcessEnv): AppConfig {
  return env === undefined ? readConfig(allSettings) : readConfig(allSettings, env);
}
