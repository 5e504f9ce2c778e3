import { createTheme, type MantineColorsTuple } from '@mantine/core';

const ink: MantineColorsTuple = [
  '#eef2fb',
  '#dbe3f4',
  '#b5c5e9',
  '#8ca5de',
  '#6a8ad5',
  '#547acf',
  '#4871cd',
  '#3960b6',
  '#3055a3',
  '#234990',
];

/** Greys of the dark theme, a little blue like the accent; Mantine takes surfaces, borders and text from them. */
const dark: MantineColorsTuple = [
  '#ced6e0',
  '#b6c0cd',
  '#8f9bab',
  '#5f6b7b',
  '#38414d',
  '#272e37',
  '#1b2028',
  '#13161b',
  '#101317',
  '#0c0e11',
];

const sans =
  'system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC", sans-serif';

/** One accent, system fonts, and sizes dense enough to watch a system by. */
export const theme = createTheme({
  primaryColor: 'ink',
  primaryShade: { light: 7, dark: 6 },
  colors: { ink, dark },
  fontFamily: sans,
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", "Segoe UI Mono", Menlo, Consolas, monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: {
    fontFamily: sans,
    fontWeight: '650',
    sizes: {
      h1: { fontSize: '1.375rem', lineHeight: '1.3' },
      h2: { fontSize: '1.0625rem', lineHeight: '1.35' },
      h3: { fontSize: '0.9375rem', lineHeight: '1.4' },
    },
  },
  defaultRadius: 'md',
  radius: { xs: '3px', sm: '4px', md: '6px', lg: '10px', xl: '16px' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'sm' } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } },
    Badge: { defaultProps: { variant: 'light', radius: 'sm', size: 'sm', tt: 'none', fz: 11 } },
    // Modals hold forms and what is shown once: a click beside one must not throw that away. Escape and × close.
    Modal: { defaultProps: { centered: true, closeOnClickOutside: false, overlayProps: { backgroundOpacity: 0.4 } } },
    TextInput: { defaultProps: { dir: 'auto' } },
    Textarea: { defaultProps: { dir: 'auto' } },
    Table: { defaultProps: { verticalSpacing: 7, horizontalSpacing: 'sm', highlightOnHover: true } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: true } },
  },
});
