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

/**
 * A number field's value as a plain decimal string. Fields give numbers, and JavaScript writes small and large ones with an exponent
 * (`1.5e-7`), which no price is written with.
 */
export function decimalText(value: string | number): string {
  const text = String(value);
  const [, sign = '', whole = '', fraction = '', exponent] = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/i.exec(text) ?? [];
  if (exponent === undefined) return text;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return (
    sign + (point >= digits.length ? digits.padEnd(point, '0') : `${digits.slice(0, point)}.${digits.slice(point)}`)
  );
}
