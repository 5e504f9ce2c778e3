import { Badge, Checkbox, Group, Stack, Text } from '@mantine/core';

import { riskColors } from '#features/auth/key-presets.ts';
import { useT, useWord } from '#lib/i18n.tsx';
import { useCan } from '#lib/session.ts';

/** The vocabulary of permissions by noun, each with its risk; what goes beyond one's own role cannot be ticked. */
export function PermissionPicker({
  chosen,
  vocabulary,
  onChange,
}: {
  chosen: string[];
  vocabulary: { name: string; risk: string }[];
  onChange: (scopes: string[]) => void;
}) {
  const t = useT();
  const nounWord = useWord('permissionNoun');
  const verbWord = useWord('permissionVerb');
  const can = useCan();
  const groups = Map.groupBy(vocabulary, ({ name }) => name.split(':')[0] ?? '');
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">
        {t('keys.permissionsAbout')}
      </Text>
      {[...groups].map(([noun, list]) => (
        <Group
          key={noun}
          gap="md"
          align="flex-start"
          wrap="nowrap"
          py={4}
          style={{ borderBlockEnd: '1px solid var(--line)' }}
        >
          <div style={{ flex: 'none', width: 140 }}>
            <Text size="sm" fw={600}>
              {nounWord(noun)}
            </Text>
            {nounWord(noun) !== noun && (
              <Text size="xs" c="dimmed" lang="en">
                {noun}
              </Text>
            )}
          </div>
          <Group gap="md">
            {list.map(({ name, risk }) => (
              <Checkbox
                key={name}
                size="xs"
                checked={chosen.includes(name)}
                disabled={!can(name)}
                onChange={(event) =>
                  onChange(event.currentTarget.checked ? [...chosen, name] : chosen.filter((each) => each !== name))
                }
                label={
                  <Group gap={6} component="span">
                    <span title={name}>{verbWord(name.split(':')[1] ?? '')}</span>
                    <Badge size="xs" component="span" color={riskColors[risk] ?? 'gray'} tt="none">
                      {t(`risk.${risk}` as 'risk.low')}
                    </Badge>
                    {!can(name) && (
                      <Badge size="xs" component="span" color="gray" variant="outline" tt="none">
                        {t('keys.exceeds')}
                      </Badge>
                    )}
                  </Group>
                }
              />
            ))}
          </Group>
        </Group>
      ))}
    </Stack>
  );
}
