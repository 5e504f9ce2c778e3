import { Alert, Stack, Text } from '@mantine/core';

import { useT } from '#lib/i18n.tsx';
import { Icon } from '#ui/icons.tsx';
import { CodeBlock } from '#ui/page.tsx';

/** A key or link that is shown this one time. */
export function ShownOnce({ title, about, secret }: { title: string; about: string; secret: string }) {
  const t = useT();
  return (
    <Stack gap="sm">
      <Alert color="yellow" icon={<Icon name="warning" />} title={title}>
        <Text size="sm">{about}</Text>
      </Alert>
      <CodeBlock wrap code={secret} label={t('label.secret')} />
    </Stack>
  );
}
