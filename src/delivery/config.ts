import { type Settings, text, url, type Values } from '#kernel/config';

/** What delivery reads from the environment. */
export const deliverySettings = {
  LINTEL_SMTP_URL: url(
    ['smtp', 'smtps'],
    'Mail server for invitations and sign-in links. Not set: the link is shown once to who asked for it.',
    { secret: true, example: 'smtps://user:…@mail.example.com:465' },
  ),
  LINTEL_MAIL_FROM: text('Lintel <lintel@localhost>', 'Sender of mails.', { example: 'Lintel <lintel@example.com>' }),
} as const satisfies Settings;

/** Values of {@link deliverySettings}. */
export type DeliveryConfig = Values<typeof deliverySettings>;
