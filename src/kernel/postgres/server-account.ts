import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** The user that PostgreSQL runs as; `uid` and `gid` are set only where this process is root and must change to it. */
export interface ServerAccount {
  name: string;
  uid?: number;
  gid?: number;
}

/** Accounts tried as root, in order: PostgreSQL refuses to run as root, and needs a user with an entry in /etc/passwd. */
const accountsForRoot = ['postgres', '_postgres', 'nobody'];

/**
 * Chooses the account for a cluster.
 *
 * @param dataOwner uid that owns the existing cluster, if there is one: it can be run by that user only.
 * @throws when this process may not run it.
 */
export async function chooseServerAccount(
  dataOwner: number | undefined,
  passwdFile = '/etc/passwd',
): Promise<ServerAccount> {
  const self = process.getuid?.() ?? 0;
  if (self !== 0) {
    if (dataOwner === undefined || dataOwner === self) return { name: String(self) };
    throw new Error(
      `The database belongs to user ${dataOwner}, not to ${self}: start Lintel as that user or as root, or choose another data folder.`,
    );
  }
  const entries = (await readFile(passwdFile, 'utf8')).split('\n').map((line) => line.split(':'));
  // macOS writes nobody's ids as -2; spawn wants them unsigned.
  const accounts = entries.map(([name = '', , uid, gid]) => ({ name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }));
  const account =
    dataOwner === undefined
      ? accountsForRoot
          .map((name) => accounts.find((entry) => entry.name === name))
          .find((entry) => entry !== undefined)
      : accounts.find((entry) => entry.uid === dataOwner && entry.uid !== 0);
  if (account !== undefined) return account;
  throw new Error(
    dataOwner === undefined
      ? `PostgreSQL does not run as root, and ${passwdFile} has none of the users ${accountsForRoot.join(', ')}: start Lintel as another user, or set DATABASE_URL.`
      : `The database belongs to user ${dataOwner}, who has no entry in ${passwdFile}, so PostgreSQL cannot run.`,
  );
}

/** Whether the account can run this program, as seen by trying: mode bits alone miss access lists, mounts and missing libraries. */
export function canRun(account: ServerAccount, command: string, args: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...asUser(account), cwd: '/', stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}

/** Whether the account can use this folder. */
export function canEnter(account: ServerAccount, folder: string): Promise<boolean> {
  return canRun(account, '/bin/sh', ['-c', 'cd "$1"', 'sh', folder]);
}

/** The part of spawn's options that changes to the account. */
export function asUser({ uid, gid }: ServerAccount): { uid?: number; gid?: number } {
  return uid === undefined || gid === undefined ? {} : { uid, gid };
}
