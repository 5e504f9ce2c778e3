import type { Logger } from '#kernel/logger';

/** How links reach people. Returns false when the mail could not be sent: the inviter is shown the link then. */
export type Mailer = {
  invitation(mail: { to: string; locale: string; link: string; tenant: string; inviter: string }): Promise<boolean>;
  loginLink(mail: { to: string; locale: string; link: string; name: string; minutes: number }): Promise<boolean>;
};

/** How an issued link went out: by mail, or to be handed on by who asked for it. It is in no other answer and no log. */
export type Delivered = { delivery: 'mail'; link: null } | { delivery: 'link'; link: string };

/** Addresses of one-time links and their way to people. Tokens stand behind `#`: browsers send that part to no server. */
export class Links {
  readonly #baseUrl: () => string;
  readonly #mailer: Mailer | undefined;
  readonly #log: Logger;

  constructor(deps: { baseUrl: () => string; mailer?: Mailer | undefined; log: Logger }) {
    this.#baseUrl = deps.baseUrl;
    this.#mailer = deps.mailer;
    this.#log = deps.log;
  }

  /** Whether mails are sent at all. */
  get canMail(): boolean {
    return this.#mailer !== undefined;
  }

  /** The address that signs in with a login token. */
  loginUrl(token: string): string {
    return `${this.#baseUrl()}/link#token=${token}`;
  }

  /** The address that accepts an invitation. */
  invitationUrl(token: string): string {
    return `${this.#baseUrl()}/invite#token=${token}`;
  }

  /** Sends an invitation, or gives its link back. */
  invitation(token: string, mail: { to: string; locale: string; tenant: string; inviter: string }): Promise<Delivered> {
    const link = this.invitationUrl(token);
    return this.#deliver(link, this.#mailer?.invitation({ ...mail, link }));
  }

  /** Sends a login link, or gives it back. */
  loginLink(token: string, mail: { to: string; locale: string; name: string; minutes: number }): Promise<Delivered> {
    const link = this.loginUrl(token);
    return this.#deliver(link, this.#mailer?.loginLink({ ...mail, link }));
  }

  async #deliver(link: string, sending: Promise<boolean> | undefined): Promise<Delivered> {
    try {
      if (sending !== undefined && (await sending)) return { delivery: 'mail', link: null };
    } catch (error) {
      this.#log.warn({ err: error }, 'a mail could not be sent');
    }
    return { delivery: 'link', link };
  }
}
