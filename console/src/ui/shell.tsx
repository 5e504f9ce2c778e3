import {
  ActionIcon,
  Alert,
  AppShell,
  Badge,
  Box,
  Burger,
  Button,
  Group,
  Kbd,
  Menu,
  NavLink,
  ScrollArea,
  Stack,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { spotlight } from '@mantine/spotlight';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect } from 'react';

import { askFailedAgain, lintel, useCutOff, useGet } from '#lib/api.ts';
import { chooseLocale, languages, useLanguage, useT, useWord } from '#lib/i18n.tsx';
import { type NavigationItem, navigationFor } from '#lib/screens.ts';
import { forgetSession, useCan, useSession } from '#lib/session.ts';
import { Icon, Mark } from '#ui/icons.tsx';
import { Palette } from '#ui/palette.tsx';
import { notifyProblem } from '#ui/problem.tsx';
import { DemoMark } from '#ui/status.tsx';

/** The frame of both areas: beam with search and person, navigation by role, the screen. */
export function Shell() {
  const t = useT();
  const session = useSession();
  const [opened, { toggle, close }] = useDisclosure();
  const path = useRouterState({ select: (state) => state.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the phone's menu closes whenever another screen opens
  useEffect(close, [path]);
  if (session === undefined) return null;
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 224, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={{ base: 'sm', sm: 'lg' }}
    >
      <a className="skip" href="#content">
        {t('nav.skip')}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="sm">
          <Group gap={10} wrap="nowrap" miw={0}>
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t('nav.menu')} />
            <Mark />
            <Text fw={700} fz={16} visibleFrom="xs">
              {t('app.name')}
            </Text>
            <Text c="dimmed" aria-hidden="true" visibleFrom="xs">
              {'/'}
            </Text>
            <Text size="sm" fw={500} truncate>
              <bdi>{session.principal.kind === 'operator' ? t('area.operator') : session.tenant.name}</bdi>
            </Text>
            <DemoMark when={session.tenant.demo} />
          </Group>
          <Group gap={4} wrap="nowrap">
            <Button
              variant="default"
              size="xs"
              c="dimmed"
              leftSection={<Icon name="search" size={14} />}
              rightSection={<Kbd size="xs">{/Mac|iPhone/.test(navigator.platform) ? '⌘K' : 'Ctrl K'}</Kbd>}
              onClick={spotlight.open}
              visibleFrom="sm"
            >
              {t('palette.open')}
            </Button>
            <ActionIcon size="lg" hiddenFrom="sm" aria-label={t('palette.open')} onClick={spotlight.open}>
              <Icon name="search" size={18} />
            </ActionIcon>
            <LanguageMenu />
            <ThemeButton />
            <PersonMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={t('nav.label')} className="navigation" data-open={opened || undefined}>
        <Navigation />
      </AppShell.Navbar>
      <AppShell.Main id="content">
        <CutOffNotice />
        <Outlet />
      </AppShell.Main>
      <Palette />
    </AppShell>
  );
}

/** Says that what stands on the screen is not of now, and asks again until it is. */
function CutOffNotice() {
  const t = useT();
  const isCutOff = useCutOff();
  useEffect(() => {
    if (!isCutOff) return;
    const timer = setInterval(() => void askFailedAgain(), 3_000);
    return () => clearInterval(timer);
  }, [isCutOff]);
  if (!isCutOff) return null;
  return (
    <Alert
      className="page"
      color="orange"
      icon={<Icon name="warning" />}
      title={t('cutOff.title')}
      mb="md"
      role="status"
    >
      {t('cutOff.about')}
    </Alert>
  );
}

function Navigation() {
  const t = useT();
  const can = useCan();
  const session = useSession();
  const isOperator = session?.principal.kind === 'operator';
  const approvals = useGet(
    'GET /v1/approvals',
    { query: { status: 'pending', limit: 50 } },
    { enabled: !isOperator && can('approvals:read'), every: 15_000 },
  );
  const waiting = approvals.data?.data.length ?? 0;
  const isMore = (approvals.data?.nextCursor ?? null) !== null;
  return (
    <ScrollArea flex={1}>
      <Stack gap={14}>
        {navigationFor(isOperator, can).map((group) => (
          <Stack key={group.title} gap={1}>
            <Text size="xs" c="dimmed" fw={600} px={10} pb={2}>
              {t(group.title)}
            </Text>
            {group.items.map((item) => (
              <Item
                key={item.to}
                item={item}
                count={item.to === '/app/approvals' && waiting > 0 ? `${waiting}${isMore ? '+' : ''}` : ''}
              />
            ))}
          </Stack>
        ))}
      </Stack>
    </ScrollArea>
  );
}

function Item({ item, count }: { item: NavigationItem; count: string }) {
  const t = useT();
  return (
    <NavLink
      className="nav-link"
      label={t(item.title)}
      leftSection={<Icon name={item.icon} />}
      rightSection={count === '' ? undefined : <Badge color="yellow">{count}</Badge>}
      renderRoot={(props) => (
        <Link
          {...props}
          to={item.to as never}
          activeOptions={{ exact: item.to.split('/').length === 2, includeSearch: false }}
        />
      )}
    />
  );
}

/** Chooses the language. */
export function LanguageMenu() {
  const t = useT();
  const { locale } = useLanguage();
  return (
    <Menu position="bottom-end" width={160}>
      <Menu.Target>
        <ActionIcon size="lg" aria-label={t('action.language')}>
          <Icon name="language" size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {languages.map((each) => (
          <Menu.Item
            key={each.locale}
            lang={each.locale}
            onClick={() => chooseLocale(each.locale)}
            rightSection={each.locale === locale ? <Icon name="check" size={14} /> : undefined}
          >
            {each.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Turns light into dark and back. */
export function ThemeButton() {
  const t = useT();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  return (
    <ActionIcon
      size="lg"
      aria-label={scheme === 'dark' ? t('action.light') : t('action.dark')}
      onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}
    >
      <Icon name={scheme === 'dark' ? 'sun' : 'moon'} size={18} />
    </ActionIcon>
  );
}

function PersonMenu() {
  const t = useT();
  const role = useWord('role');
  const session = useSession();
  const signOut = async () => {
    try {
      await lintel.request('POST /v1/auth/logout', {} as never);
    } catch (error) {
      // Not signed in any more is what was wished for; else the session would live on behind a sign-in screen.
      if ((error as { status?: number }).status !== 401) return notifyProblem(error);
    }
    forgetSession();
    location.assign('/login');
  };
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <ActionIcon size="lg" aria-label={t('person.menu')}>
          <Icon name="user" size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Box px="sm" py={6}>
          <Text size="sm" fw={600} truncate>
            <bdi>{session?.principal.name}</bdi>
          </Text>
          <Text size="xs" c="dimmed">
            {session?.roles.map(role).join(', ')}
          </Text>
        </Box>
        <Menu.Divider />
        <Menu.Item onClick={() => void signOut()}>{t('person.signOut')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
