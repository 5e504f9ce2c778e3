const shapes = {
  home: ['M4 11l8-7 8 7', 'M6 9.5V20h12V9.5', 'M10 20v-5h4v5'],
  overview: ['M4 20V10', 'M10 20V4', 'M16 20v-8', 'M22 20H2'],
  tenants: [
    'M3 21V8l7-4v17',
    'M10 10h11v11',
    'M2 21h20',
    'M14 14h3',
    'M14 17.5h3',
    'M6 10v.01',
    'M6 14v.01',
    'M6 18v.01',
  ],
  calls: ['M4 6h16', 'M4 12h10', 'M4 18h13'],
  audit: ['M12 3l8 3v6c0 5-3.5 8-8 9-4.500-1-8-4-8-9V6z', 'M9 12l2 2 4-4'],
  providers: ['M12 3l9 5-9 5-9-5z', 'M3 12.500l9 5 9-5', 'M3 17l9 5 9-5'],
  plans: ['M3 10V4h6l12 12-6 6z', 'M7.500 8v.01'],
  nodes: ['M4 4h16v6H4z', 'M4 14h16v6H4z', 'M8 7v.01', 'M8 17v.01'],
  agents: ['M5 9h14v10H5z', 'M12 9V5', 'M12 4v.01', 'M9.500 13v2', 'M14.500 13v2', 'M2.500 13v3', 'M21.500 13v3'],
  tools: ['M14 6a4 4 0 0 0 5 5l-9 9a2.100 2.100 0 0 1-3-3l9-9a4 4 0 0 1-2-2z', 'M14 6l3-3a4 4 0 0 1 4 4l-3 3'],
  runs: ['M7 4l13 8-13 8z'],
  approvals: ['M4 13l3-9h10l3 9v6H4z', 'M4 13h5l1 2.500h4l1-2.500h5'],
  keys: ['M8 12a4 4 0 1 0 0 8 4 4 0 0 0 0-8z', 'M11 13l9-9', 'M16 8l3 3'],
  usage: ['M3 17l6-6 4 4 8-9', 'M15 6h6v6'],
  limits: ['M4 18a9 9 0 1 1 16 0', 'M12 15l4-5'],
  invoices: ['M6 3h12v18l-3-2-3 2-3-2-3 2z', 'M9.500 8h5', 'M9.500 12h5'],
  members: [
    'M9 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z',
    'M2.500 20c.5-4 3-5.500 6.500-5.500s6 1.500 6.500 5.500',
    'M16 4.500a4 4 0 0 1 0 7',
    'M18 15c2 .5 3.200 2 3.500 5',
  ],
  settings: ['M4 7h9', 'M17 7h3', 'M15 5v4', 'M4 17h3', 'M11 17h9', 'M9 15v4'],
  search: ['M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z', 'M16 16l5 5'],
  sun: [
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z',
    'M12 2v2',
    'M12 20v2',
    'M2 12h2',
    'M20 12h2',
    'M5 5l1.400 1.400',
    'M17.600 17.600L19 19',
    'M5 19l1.400-1.400',
    'M17.600 6.400L19 5',
  ],
  moon: ['M20 14A8.500 8.500 0 1 1 10 4a7 7 0 0 0 10 10z'],
  language: [
    'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
    'M3 12h18',
    'M12 3c3.500 4 3.500 14 0 18',
    'M12 3c-3.500 4-3.500 14 0 18',
  ],
  user: ['M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z', 'M4.500 20.500c.7-4 3.500-6 7.500-6s6.800 2 7.500 6'],
  copy: ['M8 8h12v12H8z', 'M16 8V4H4v12h4'],
  check: ['M4 12.500l5 5L20 6.500'],
  plus: ['M12 5v14', 'M5 12h14'],
  dots: ['M5 12v.01', 'M12 12v.01', 'M19 12v.01'],
  trash: ['M4 7h16', 'M9 7V4h6v3', 'M6 7l1 13h10l1-13'],
  warning: ['M12 4l10 17H2z', 'M12 10v5', 'M12 18v.01'],
  info: ['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z', 'M12 8v.01', 'M12 11.500v5'],
  pause: ['M8 5v14', 'M16 5v14'],
  send: ['M4 12l16-8-5 16-3.500-6.500z', 'M11.500 13.500L20 4'],
  stop: ['M6 6h12v12H6z'],
  download: ['M12 4v11', 'M7 10.500l5 5 5-5', 'M4 20h16'],
  empty: ['M3 8h18', 'M6 8v12', 'M18 8v12', 'M3 4h18v4H3z'],
} as const;

/** The name of an icon. */
export type IconName = keyof typeof shapes;

/** A line icon on a 24 grid; it says nothing to screen readers, the text beside it does. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      style={{ flex: 'none' }}
    >
      {shapes[name].map((path) => (
        <path key={path} d={path} />
      ))}
    </svg>
  );
}

/** The mark: a beam that rests on two posts. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false" style={{ flex: 'none' }}>
      <rect x="1.5" y="4" width="21" height="5" rx="1.2" fill="var(--mantine-primary-color-filled)" />
      <rect x="4.5" y="11" width="3.6" height="10" rx="0.8" fill="currentColor" opacity="0.75" />
      <rect x="15.9" y="11" width="3.6" height="10" rx="0.8" fill="currentColor" opacity="0.75" />
    </svg>
  );
}
