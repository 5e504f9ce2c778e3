import { Alert, Stack, Text } from '@mantine/core';

import { useT } from '#lib/i18n.tsx';
import { Icon } from '#ui/icons.tsx';
import { CodeBlock } from '#ui/page.tsx';

/** What became of an invitation: mailed, or a link to send oneself. */
export function Invited({ email, link }: { email: string; link: string | null | undefined }) {
  const t = useT();
  if (link === null || link === undefined)
    return (
      <Text size="sm" role="status">
        {t('invite.mailed', { email })}
      </Text>
    );
  return <ShownOnce title={t('invite.linkTitle')} about={t('invite.linkAbout', { email })} secret={link} />;
}

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
