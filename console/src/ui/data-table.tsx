import { Button, Center, ScrollArea, Table } from '@mantine/core';
import type { ReactNode } from 'react';
import { isRefusal } from '#lib/api.ts';
import { useT } from '#lib/i18n.tsx';
import { Loading } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';

/** A column: what stands in its head and in each row. */
export type Column<T> = {
  key: string;
  header: string;
  cell: (row: T) => ReactNode;
  align?: 'start' | 'end';
  /** Left out on a phone. */
  wide?: boolean;
};

/** What a list query gives (`useList`), or a plain array. */
export type Rows<T> = {
  items: T[] | undefined;
  error?: unknown;
  hasNextPage?: boolean;
  isFetchingNextPage?: boolean;
  /** Rows of the question before, while the new one is asked. */
  isPlaceholderData?: boolean;
  fetchNextPage?: () => unknown;
  refetch?: (options?: { cancelRefetch?: boolean }) => unknown;
};

/** A list as a table: waits, fails, is empty, opens rows, reads on. */
export function DataTable<T>({
  rows,
  columns,
  rowKey,
  onOpen,
  openLabel,
  empty,
  label,
}: {
  rows: Rows<T>;
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  /** Opens a row: by click, Enter or Space. */
  onOpen?: ((row: T) => void) | undefined;
  /** What opening a row is called for those who hear the page. */
  openLabel?: ((row: T) => string) | undefined;
  empty: ReactNode;
  label: string;
}) {
  if (rows.items === undefined || isRefusal(rows.error)) {
    return (
      <div style={{ padding: 16 }}>
        <Waiting rows={rows} />
      </div>
    );
  }
  if (rows.items.length === 0) return <>{empty}</>;
  const classOf = (column: Column<T>) => (column.wide === true ? 'hide-on-phone' : undefined);
  return (
    <>
      <ScrollArea type="auto" viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': label }}>
        <Table aria-label={label} {...(rows.isPlaceholderData === true && { opacity: 0.55 })}>
          <Table.Thead>
            <Table.Tr>
              {columns.map((column) => (
                <Table.Th key={column.key} ta={column.align ?? 'start'} className={classOf(column)} scope="col">
                  {column.header}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.items.map((row) => (
              <Table.Tr
                key={rowKey(row)}
                data-row={rowKey(row)}
                {...(onOpen === undefined
                  ? {}
                  : {
                      className: 'row-link',
                      tabIndex: 0,
                      'aria-label': openLabel?.(row),
                      onClick: () => onOpen(row),
                      onKeyDown: (event) => {
                        if (event.target !== event.currentTarget || (event.key !== 'Enter' && event.key !== ' '))
                          return;
                        event.preventDefault();
                        onOpen(row);
                      },
                    })}
              >
                {columns.map((column) => (
                  <Table.Td key={column.key} ta={column.align ?? 'start'} className={classOf(column)}>
                    {column.cell(row)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea>
      <More rows={rows} />
    </>
  );
}

/** What stands where a list will be: nothing once it is there, the problem when it could not be read. */
export function Waiting({ rows }: { rows: Rows<unknown> }) {
  if (rows.error !== null && rows.error !== undefined && (rows.items === undefined || isRefusal(rows.error)))
    return <ProblemNotice error={rows.error} {...(rows.refetch && { onRetry: () => void rows.refetch?.() })} />;
  return rows.items === undefined ? <Loading /> : null;
}

/** The way to the next rows of a list, while there are some. */
export function More({ rows }: { rows: Rows<unknown> }) {
  const t = useT();
  if (rows.hasNextPage !== true) return null;
  return (
    <Center p="xs">
      <Button
        variant="subtle"
        size="xs"
        loading={rows.isFetchingNextPage === true}
        onClick={() => void rows.fetchNextPage?.()}
      >
        {t('action.more')}
      </Button>
    </Center>
  );
}
