import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './styles.css';

import {
  createTheme,
  DirectionProvider,
  localStorageColorSchemeManager,
  MantineProvider,
  mergeThemeOverrides,
} from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { createRoot } from 'react-dom/client';

import { queries } from '#lib/api.ts';
import { LanguageProvider, loadLanguage, preferredLocale } from '#lib/i18n.tsx';
import { router } from '#router';
import { theme } from '#theme';

const colorSchemes = localStorageColorSchemeManager({ key: 'lintel.theme' });
const language = await loadLanguage(preferredLocale());
// What closes a message in the corner has no text of its own.
const spoken = createTheme({
  components: { Notification: { defaultProps: { closeButtonProps: { 'aria-label': language.t('action.close') } } } },
});
const root = document.getElementById('root');
if (root === null) throw new Error('The page has no #root.');

createRoot(root).render(
  <DirectionProvider initialDirection={language.dir} detectDirection={false}>
    <MantineProvider
      theme={mergeThemeOverrides(theme, spoken)}
      colorSchemeManager={colorSchemes}
      defaultColorScheme="auto"
    >
      <LanguageProvider language={language}>
        <QueryClientProvider client={queries}>
          <Notifications position="bottom-right" />
          <RouterProvider router={router} />
        </QueryClientProvider>
      </LanguageProvider>
    </MantineProvider>
  </DirectionProvider>,
);
