import { ActionIcon, Button, type ButtonProps, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { type ReactNode, useState } from 'react';

import { useT } from '#lib/i18n.tsx';
import { Icon, type IconName } from '#ui/icons.tsx';
import { ProblemNotice } from '#ui/problem.tsx';

/** A button (or an icon, in lists) whose act is asked about first; what cannot be undone asks for the name to be typed. */
export function ConfirmButton({
  label,
  title,
  about,
  typed,
  icon,
  act,
  children,
  ...button
}: ButtonProps & {
  label: string;
  title: string;
  about: string;
  /** Text that must be typed before the act is possible. */
  typed?: string;
  /** Stands instead of the label, which is then only heard. */
  icon?: IconName;
  act: () => Promise<unknown>;
  children?: ReactNode;
}) {
  const t = useT();
  const [opened, { open, close }] = useDisclosure();
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const ask = () => {
    setText('');
    setError(undefined);
    open();
  };
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await act();
      close();
    } catch (cause) {
      setError(cause);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {icon === undefined ? (
        <Button variant="default" {...button} onClick={ask}>
          {label}
        </Button>
      ) : (
        <ActionIcon color="red" aria-label={label} onClick={ask}>
          <Icon name={icon} size={14} />
        </ActionIcon>
      )}
      <Modal opened={opened} onClose={close} title={title} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void run();
          }}
        >
          <Stack gap="sm">
            <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
              {about}
            </Text>
            {children}
            {typed !== undefined && (
              <TextInput
                label={t('confirm.type', { text: typed })}
                value={text}
                onChange={(event) => setText(event.currentTarget.value)}
                data-autofocus
              />
            )}
            {error !== undefined && <ProblemNotice error={error} />}
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close}>
                {t('action.cancel')}
              </Button>
              <Button type="submit" color="red" loading={busy} disabled={typed !== undefined && text !== typed}>
                {label}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
