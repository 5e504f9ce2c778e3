import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a secret is sealed for and where it stands: bound into the ciphertext, so that it opens nowhere else. */
export type SealContext = { purpose: string; tenantId: string; table: string; column: string; row: string };

const version = 1;

/**
 * The root secret of an installation: seals stored secrets and keys every HMAC. Sealing is AES-256-GCM under a key of its own
 * per secret (HKDF-SHA256 over a 24-byte salt), with a key commitment and the place as associated data. Each text names its
 * key version.
 */
export class Sealer {
  readonly #root: Buffer;

  constructor(rootKey: string) {
    if (!/^[0-9a-f]{64}$/i.test(rootKey)) throw new Error('LINTEL_ROOT_KEY takes 64 hex digits.');
    this.#root = Buffer.from(rootKey, 'hex');
  }

  /** A public name of the root secret, kept in the database: a node with another refuses to start. */
  get fingerprint(): string {
    return createHash('sha256').update('lintel fingerprint\0').update(this.#root).digest('base64url').slice(0, 22);
  }

  /** A key of 32 bytes for one purpose. */
  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#root, '', `lintel ${purpose}`, 32));
  }

  /** HMAC-SHA256 under a key of its purpose; names its key version (`1.` + base64url). */
  hmac(purpose: string, value: string): string {
    return `${version}.${createHmac('sha256', this.derive(`hmac ${purpose}`))
      .update(value)
      .digest('base64url')}`;
  }

  /** Seals a text. */
  seal(plain: string, context: SealContext): string {
    const salt = randomBytes(24);
    const { key, commitment } = this.#keys(salt, context.purpose);
    const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12));
    cipher.setAAD(placeOf(context));
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return `enc:v${version}:${Buffer.concat([salt, commitment, cipher.getAuthTag(), body]).toString('base64url')}`;
  }

  /** Opens a sealed text; throws when it was changed, moved, or sealed under another root secret. */
  open(sealed: string, context: SealContext): string {
    if (!sealed.startsWith(`enc:v${version}:`)) throw new Error('not a sealed text');
    const bytes = Buffer.from(sealed.slice(`enc:v${version}:`.length), 'base64url');
    const salt = bytes.subarray(0, 24);
    const { key, commitment } = this.#keys(salt, context.purpose);
    if (bytes.length < 72 || !timingSafeEqual(bytes.subarray(24, 56), commitment))
      throw new Error('sealed under another key');
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12));
    decipher.setAAD(placeOf(context));
    decipher.setAuthTag(bytes.subarray(56, 72));
    return Buffer.concat([decipher.update(bytes.subarray(72)), decipher.final()]).toString('utf8');
  }

  #keys(salt: Buffer, purpose: string): { key: Buffer; commitment: Buffer } {
    const both = Buffer.from(hkdfSync('sha256', this.#root, salt, `lintel seal ${purpose}`, 64));
    return { key: both.subarray(0, 32), commitment: both.subarray(32) };
  }
}

function placeOf(context: SealContext): Buffer {
  // Lengths before the parts: no two places can read the same.
  return Buffer.from(
    [context.purpose, context.tenantId, context.table, context.column, context.row]
      .map((part) => `${part.length}:${part}`)
      .join('|'),
  );
}

/** Reads the root secret's file, or makes it (0600) when there is none; two processes at once end with the same one. */
export async function readRootKey(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  await chmod(draft, 0o600);
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return (await readFile(path, 'utf8')).trim();
}
