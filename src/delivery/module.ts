import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import type { Mailer } from '#security/auth';

import { type DeliveryConfig, deliverySettings } from './config.ts';
import { MailSender } from './mail-sender.ts';

export type { DeliveryConfig };
export { deliverySettings };

/** Delivery's module. `mailer` is undefined where no mail server is named: links are shown to who asked for them then. */
export type DeliveryModule = Module & { readonly mailer: Mailer | undefined };

/** Delivery: how messages reach people outside. */
export function createDeliveryModule(deps: { config: DeliveryConfig; log: Logger }): DeliveryModule {
  const { LINTEL_SMTP_URL } = deps.config;
  return {
    name: 'delivery',
    mailer:
      LINTEL_SMTP_URL === undefined
        ? undefined
        : new MailSender({ config: { ...deps.config, LINTEL_SMTP_URL }, log: deps.log }),
  };
}
