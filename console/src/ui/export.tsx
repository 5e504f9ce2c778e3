import { Button } from '@mantine/core';
import { useState } from 'react';

import { type CsvCell, csvOf } from '#lib/csv.ts';
import { useT } from '#lib/i18n.tsx';
import { Icon } from '#ui/icons.tsx';
import { notifyDone, notifyProblem } from '#ui/problem.tsx';

/** A column of an export: its name, and the plain value of a row (no formatting: files are read by programs). */
export type ExportColumn<T> = { header: string; value: (row: T) => CsvCell };

/** Rows of an export, and whether there are more than it may hold. */
export type ExportRows<T> = { rows: readonly T[]; more: boolean };

/** Saves a list, as its filters show it, to a CSV file. What was saved, and whether something was left out, is said. */
export function ExportButton<T>({
  name,
  columns,
  read,
}: {
  /** Beginning of the file's name; the date follows. */
  name: string;
  columns: readonly ExportColumn<T>[];
  read: () => ExportRows<T> | Promise<ExportRows<T>>;
}) {
  const t = useT();
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      const { rows, more } = await read();
      const cells = rows.map((row) => columns.map(({ value }) => value(row)));
      const text = csvOf(
        columns.map(({ header }) => header),
        cells,
      );
      saveFile(`${name}-${new Date().toISOString().slice(0, 10)}.csv`, text);
      notifyDone(t(more ? 'export.part' : 'export.done', { count: rows.length }));
    } catch (error) {
      notifyProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button
      variant="default"
      size="xs"
      loading={busy}
      leftSection={<Icon name="download" size={13} />}
      onClick={() => void save()}
    >
      {t('action.export')}
    </Button>
  );
}

function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // Some browsers read the address only after the click was handled.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
