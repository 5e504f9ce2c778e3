/** `a − b` of decimal strings, exactly. */
export function subtractDecimals(a: string, b: string): string {
  return combine(a, b, (x, y) => x - y);
}

/** `a + b` of decimal strings, exactly: money is never a float. */
export function addDecimals(a: string, b: string): string {
  return combine(a, b, (x, y) => x + y);
}

function combine(a: string, b: string, by: (x: bigint, y: bigint) => bigint): string {
  const places = Math.max(a.split('.')[1]?.length ?? 0, b.split('.')[1]?.length ?? 0);
  const scaled = (text: string) => {
    const [whole = '0', fraction = ''] = text.replace('-', '').split('.');
    const value = BigInt(whole + fraction.padEnd(places, '0'));
    return text.startsWith('-') ? -value : value;
  };
  const result = by(scaled(a), scaled(b));
  const digits = (result < 0n ? -result : result).toString().padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return result < 0n ? `-${text}` : text;
}
