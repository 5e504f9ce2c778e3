import { Box, Button, Center, Group, Paper, PasswordInput, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';

import { lintel } from '#lib/api.ts';
import { useT } from '#lib/i18n.tsx';
import { TextLink, useFilters } from '#lib/navigation.tsx';
import { minPasswordLength } from '#lib/password.ts';
import { forgetSession, homeOf, loadSession } from '#lib/session.ts';
import { Mark } from '#ui/icons.tsx';
import { ProblemNotice } from '#ui/problem.tsx';
import { LanguageMenu, ThemeButton } from '#ui/shell.tsx';

/** Sign-in with e-mail and password; asks for the tenant only when the address is known in several. */
export function LoginPage() {
  const t = useT();
  const [{ next }] = useFilters();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [tenant, setTenant] = useState('');
  const signIn = useMutation({
    mutationFn: () => {
      const chosen = tenant === '' ? {} : { tenant };
      return lintel.request('POST /v1/auth/login', { body: { email: email.trim(), password, ...chosen } });
    },
    onSuccess: ({ signedIn }) => (signedIn ? enterConsole(next) : undefined),
  });
  const tenants = signIn.data?.tenants ?? [];
  return (
    <SignInFrame title={t('login.title')} about={t('login.about')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          signIn.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label={t('field.email')}
            type="email"
            autoComplete="username"
            required
            autoFocus
            value={email}
            onChange={(event) => {
              setEmail(event.currentTarget.value);
              // A tenant chosen for another address is not this one's.
              setTenant('');
            }}
          />
          <PasswordInput
            label={t('field.password')}
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {tenants.length > 0 && (
            <Select
              label={t('login.tenant')}
              description={t('login.tenantAbout')}
              required
              data={tenants.map(({ slug, name }) => ({ value: slug, label: name }))}
              value={tenant === '' ? null : tenant}
              onChange={(slug) => setTenant(slug ?? '')}
            />
          )}
          {signIn.error !== null && <ProblemNotice error={signIn.error} />}
          <Button type="submit" fullWidth loading={signIn.isPending} mt={4}>
            {t('login.submit')}
          </Button>
          <Text size="xs" c="dimmed">
            {t('login.help')}
          </Text>
        </Stack>
      </form>
    </SignInFrame>
  );
}

/** The one-time sign-in link: `/link#token=…`. The token is in the fragment, so no server or proxy logs it. */
export function LinkPage() {
  const t = useT();
  const token = useToken();
  const redeem = useMutation({
    mutationFn: () => lintel.request('POST /v1/auth/link', { body: { token } }),
    onSuccess: () => enterConsole(undefined),
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a one-time token is redeemed once, when the page opens
  useEffect(() => {
    if (token !== '' && redeem.isIdle) redeem.mutate();
  }, [token]);
  return (
    <SignInFrame title={t('link.title')}>
      <Stack gap="sm">
        {token === '' && <Text size="sm">{t('link.missing')}</Text>}
        {redeem.error === null && token !== '' && (
          <Text size="sm" c="dimmed" aria-live="polite">
            {t('link.busy')}
          </Text>
        )}
        {redeem.error !== null && <ProblemNotice error={redeem.error} />}
        {(token === '' || redeem.error !== null) && <TextLink to="/login">{t('link.password')}</TextLink>}
      </Stack>
    </SignInFrame>
  );
}

/** The invitation link: `/invite#token=…`. Name and password make the account and sign in. */
export function InvitePage() {
  const t = useT();
  const token = useToken();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const accept = useMutation({
    mutationFn: () =>
      lintel.request('POST /v1/auth/invitations/accept', { body: { token, name: name.trim(), password } }),
    onSuccess: () => enterConsole(undefined),
  });
  const shown = useQuery({
    queryKey: ['invitation', token],
    queryFn: () => lintel.request('POST /v1/auth/invitations/show', { body: { token } }),
    // Asked once: after it is used the token opens nothing any more.
    enabled: token !== '' && accept.isIdle,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (token === '' || shown.error !== null) {
    return (
      <SignInFrame title={t('invite.title')}>
        <Stack gap="sm">
          {token === '' ? <Text size="sm">{t('link.missing')}</Text> : <ProblemNotice error={shown.error} />}
          <TextLink to="/login">{t('link.password')}</TextLink>
        </Stack>
      </SignInFrame>
    );
  }
  return (
    <SignInFrame
      title={t('invite.title')}
      {...(shown.data && { about: t('invite.about', { tenant: shown.data.tenant, email: shown.data.email }) })}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          accept.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label={t('field.yourName')}
            autoComplete="name"
            required
            autoFocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            label={t('field.password')}
            description={t('invite.password', { count: minPasswordLength })}
            autoComplete="new-password"
            required
            minLength={minPasswordLength}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {accept.error !== null && <ProblemNotice error={accept.error} />}
          <Button type="submit" fullWidth loading={accept.isPending}>
            {t('invite.submit')}
          </Button>
        </Stack>
      </form>
    </SignInFrame>
  );
}

function SignInFrame({ title, about, children }: { title: string; about?: string; children: ReactNode }) {
  const t = useT();
  useEffect(() => {
    document.title = `${title} · Lintel`;
  }, [title]);
  return (
    <Box component="main" mih="100vh" p="md" style={{ display: 'flex', flexDirection: 'column' }}>
      <Group justify="flex-end" gap={4}>
        <LanguageMenu />
        <ThemeButton />
      </Group>
      <Center flex={1} pb={80}>
        <Box w="100%" maw={380}>
          <Group gap={10} mb="lg" justify="center">
            <Mark size={34} />
            <Text fw={700} fz={24}>
              {t('app.name')}
            </Text>
          </Group>
          <Paper className="panel" p="lg">
            <Title order={1} fz={18}>
              {title}
            </Title>
            {about !== undefined && (
              <Text size="sm" c="dimmed" mt={2}>
                {about}
              </Text>
            )}
            <Box mt="md">{children}</Box>
          </Paper>
        </Box>
      </Center>
    </Box>
  );
}

/** The token of a link, taken out of the address bar at once so that it stays in no history. Another link, put into the same tab, counts anew. */
function useToken(): string {
  const [token] = useState(() => new URLSearchParams(location.hash.slice(1)).get('token') ?? '');
  useEffect(() => {
    if (token !== '') history.replaceState(history.state, '', location.pathname);
    const reload = () => location.reload();
    addEventListener('hashchange', reload);
    return () => removeEventListener('hashchange', reload);
  }, [token]);
  return token;
}

async function enterConsole(next: string | undefined): Promise<void> {
  forgetSession();
  const session = await loadSession();
  const home = session === undefined ? '/login' : homeOf(session);
  // Only a path of this console may be gone to: `//host` would be another one.
  const isOwnPath = next !== undefined && /^\/(operator|app)([/?#]|$)/.test(next);
  location.assign(isOwnPath && next.startsWith(home) ? next : home);
}
