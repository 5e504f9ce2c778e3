import type { Item } from '@lintel/sdk';
import { Badge, Button, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useList, useSend } from '#lib/api.ts';
import { When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { TextLink, useFilters } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { More, Waiting } from '#ui/data-table.tsx';
import { Empty, Json, Page, Panel } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';
import { Status } from '#ui/status.tsx';

type Approval = Item<'GET /v1/approvals'>;

/** What agents wait for a person to allow. */
export function ApprovalsPage() {
  const t = useT();
  const word = useWord('status');
  const [filters, change] = useFilters();
  const status = filters['status'] ?? 'pending';
  const approvals = useList('GET /v1/approvals', { query: { status: status as 'pending' } }, { every: 5_000 });
  return (
    <Page
      title={t('nav.approvals')}
      about={t('approvals.about')}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t('label.status')}
          value={status}
          onChange={(value) => change({ status: value })}
          data={['pending', 'approved', 'rejected'].map((value) => ({ value, label: word(value) }))}
        />
      }
    >
      <Waiting rows={approvals} />
      {approvals.items?.length === 0 && (
        <Panel>
          <Empty
            icon="approvals"
            title={t(status === 'pending' ? 'approvals.empty' : 'approvals.none')}
            about={t('approvals.emptyAbout')}
          />
        </Panel>
      )}
      {approvals.items?.map((approval) => (
        <Panel key={approval.id}>
          <DecideButtons approval={approval} />
        </Panel>
      ))}
      <More rows={approvals} />
    </Page>
  );
}

/** One thing to decide: what would be done, for whom, and the two answers. */
export function DecideButtons({
  approval,
  isInline = false,
}: {
  approval: Approval;
  /** Beside the step it belongs to: arguments and run are shown there. */
  isInline?: boolean;
}) {
  const t = useT();
  const can = useCan();
  const [note, setNote] = useState('');
  const approve = useSend('POST /v1/approvals/{id}/approve', ['/v1/approvals', '/v1/runs']);
  const reject = useSend('POST /v1/approvals/{id}/reject', ['/v1/approvals', '/v1/runs']);
  const error = approve.error ?? reject.error;
  const answer = (approved: boolean) =>
    (approved ? approve : reject).mutate({
      path: { id: approval.id },
      body: note.trim() === '' ? {} : { note: note.trim() },
    });
  return (
    <Stack gap="xs">
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text size="sm" fw={600}>
            {t('approvals.wants', { agent: approval.agent.name })}
          </Text>
          <Badge color="orange" tt="none">
            {approval.tool}
          </Badge>
          {approval.status !== 'pending' && <Status value={approval.status} />}
        </Group>
        <Text size="xs" c="dimmed">
          <When at={approval.createdAt} short={isInline} />
        </Text>
      </Group>
      {!isInline && <Json value={approval.arguments} />}
      <Text size="xs" c="dimmed">
        {t('approvals.for', { name: approval.requestedBy.name ?? approval.requestedBy.id })}
        {!isInline && (
          <>
            {' '}
            <TextLink size="xs" underline="always" to={`/app/runs/${approval.run}`}>
              {t('playground.openRun')}
            </TextLink>
          </>
        )}
      </Text>
      {approval.status === 'pending' && can('approvals:approve') && (
        <Group gap="xs" align="flex-end">
          <TextInput
            flex={1}
            miw={160}
            aria-label={t('approvals.note')}
            placeholder={t('approvals.note')}
            value={note}
            onChange={(event) => setNote(event.currentTarget.value)}
          />
          <Button color="teal.9" loading={approve.isPending} disabled={reject.isPending} onClick={() => answer(true)}>
            {t('approvals.approve')}
          </Button>
          <Button
            variant="default"
            loading={reject.isPending}
            disabled={approve.isPending}
            onClick={() => answer(false)}
          >
            {t('approvals.reject')}
          </Button>
        </Group>
      )}
      {approval.note && (
        <Text size="sm" dir="auto" style={{ overflowWrap: 'anywhere' }}>
          {approval.note}
        </Text>
      )}
      {error !== null && <ProblemNotice error={error} />}
    </Stack>
  );
}
