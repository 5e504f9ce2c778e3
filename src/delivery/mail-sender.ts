import { createTransport, type Transporter } from 'nodemailer';

import type { Logger } from '#kernel/logger';
import { createMessages, type Messages } from '#kernel/messages';
import type { Mailer } from '#security/auth';

import { catalogues, type TextKey } from './catalogues.ts';
import type { DeliveryConfig } from './config.ts';

/** How long a mail server may take, milliseconds: somebody waits for the answer. */
const patienceMs = 10_000;

/** Sends mails by SMTP, in the reader's language. */
export class MailSender implements Mailer {
  readonly #transport: Transporter;
  readonly #from: string;
  readonly #log: Logger;
  readonly #text: Messages<TextKey> = createMessages<TextKey>(catalogues);

  constructor(deps: { config: DeliveryConfig & { LINTEL_SMTP_URL: string }; log: Logger }) {
    this.#transport = createTransport(
      {
        url: deps.config.LINTEL_SMTP_URL,
        connectionTimeout: patienceMs,
        greetingTimeout: patienceMs,
        socketTimeout: patienceMs,
        disableFileAccess: true,
        disableUrlAccess: true,
      },
      { from: deps.config.LINTEL_MAIL_FROM, headers: { 'Auto-Submitted': 'auto-generated' } },
    );
    this.#from = deps.config.LINTEL_MAIL_FROM;
    this.#log = deps.log;
  }

  /** Sends an invitation; false when the mail server did not take it. */
  invitation(mail: Parameters<Mailer['invitation']>[0]): Promise<boolean> {
    return this.#send(mail, 'invitationSubject', 'invitationText', mail);
  }

  /** Sends a login link; false when the mail server did not take it. */
  loginLink(mail: Parameters<Mailer['loginLink']>[0]): Promise<boolean> {
    return this.#send(mail, 'loginLinkSubject', 'loginLinkText', mail);
  }

  async #send(
    { to, locale }: { to: string; locale: string },
    subject: TextKey,
    text: TextKey,
    values: Record<string, unknown>,
  ): Promise<boolean> {
    // Schemas let no such address in; here it would name two people.
    if (/[\s<>",;]/.test(to)) return false;
    try {
      await this.#transport.sendMail({
        from: this.#from,
        to: { name: '', address: to },
        subject: this.#text(locale, subject, values),
        text: this.#text(locale, text, values),
      });
      return true;
    } catch (error) {
      // The mail's text holds a secret; the error of the server does not.
      this.#log.warn({ err: error }, 'the mail server did not take a mail');
      return false;
    }
  }
}
