import 'uplot/dist/uPlot.min.css';

import { Box, Group, Text, useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';
import UPlot from 'uplot';

import { useLanguage } from '#lib/i18n.tsx';
import { isolatedPoints } from '#ui/chart-points.ts';

/** One line or bar row of a chart. */
export type Series = { label: string; color: 'accent' | 'warn' | 'bad' | 'soft'; values: (number | null)[] };

const palette = {
  light: { accent: '#3960b6', warn: '#d9820f', bad: '#d6453d', soft: '#7a8aa0', grid: '#e6e9ee', text: '#5c6675' },
  dark: { accent: '#7d9be0', warn: '#f0a742', bad: '#ef7770', soft: '#8793a5', grid: '#2a3039', text: '#9ca7b6' },
};

/** Values over time (`t` in Unix seconds), as lines or bars. Time runs left to right in every language. */
export function Chart({
  t,
  series,
  height = 190,
  bars = false,
  format,
  label,
  zone,
}: {
  t: number[];
  series: readonly Series[];
  height?: number;
  bars?: boolean;
  /** Text of a value on the axis, and beside the names while the pointer is on the chart. */
  format: (value: number) => string;
  /** What the chart shows, for those who do not see it. */
  label: string;
  zone?: string | undefined;
}) {
  const { ref, width } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(null);
  // Which moment the pointer is at: its values are read beside the names.
  const [at, setAt] = useState<number | null>(null);
  const { locale } = useLanguage();
  const scheme = useComputedColorScheme('light');
  const data = [t, ...series.map(({ values }) => values)] as UPlot.AlignedData;
  const latest = useRef({ data, format });
  latest.current = { data, format };
  const inZone = zone === undefined ? {} : { timeZone: zone };
  const shape = series.map((each) => `${each.label}:${each.color}`).join('|');

  // biome-ignore lint/correctness/useExhaustiveDependencies: the plot is made anew only when its form changes, never for data
  useEffect(() => {
    if (host.current === null || width === 0) return;
    const colors = palette[scheme];
    const time = new Intl.DateTimeFormat(locale, { timeStyle: bars ? 'short' : 'medium', ...inZone });
    const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', ...inZone });
    const axis = {
      stroke: colors.text,
      grid: { stroke: colors.grid, width: 1 },
      ticks: { show: false },
      font: '11px system-ui',
    };
    const options: UPlot.Options = {
      width,
      height,
      cursor: { points: { size: 6 }, y: false },
      legend: { show: false },
      hooks: { setCursor: [({ cursor }) => setAt(cursor.idx ?? null)] },
      scales: {
        x: { time: true, ...(bars ? { range: (_, min, max) => padded(min, max, latest.current.data[0]) } : {}) },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.15 : 1] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          values: (_, splits, __, ___, step) =>
            splits.map((at) => (step >= 86_400 ? day : time).format(new Date(at * 1000))),
          space: 90,
        },
        { ...axis, size: 58, values: (_, splits) => splits.map((value) => latest.current.format(value)), space: 36 },
      ],
      series: [
        {},
        ...series.map((each) => ({
          label: each.label,
          stroke: colors[each.color],
          width: bars ? 0 : 1.8,
          fill: bars ? colors[each.color] : `${colors[each.color]}1f`,
          points: bars ? { show: false } : pointsAlone(colors[each.color]),
          ...(bars ? { paths: UPlot.paths.bars?.({ size: [0.7, 40] }) } : {}),
        })),
      ] as UPlot.Series[],
    };
    const made = new UPlot(options, latest.current.data, host.current);
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [width, height, scheme, locale, bars, shape, zone]);

  useEffect(() => {
    plot.current?.setData(latest.current.data);
  });

  return (
    <Box>
      <Group gap="md" mb={4}>
        {series.map((each) => (
          <Group key={each.label} gap={6}>
            <Box w={10} h={10} bdrs={3} bg={palette[scheme][each.color]} />
            <Text size="xs" c="dimmed">
              {each.label}{' '}
              <Text span inherit fw={600} c="var(--mantine-color-text)" className="numbers">
                <bdi>{at === null ? '' : textOf(each.values[at], format)}</bdi>
              </Text>
            </Text>
          </Group>
        ))}
        {at !== null && t[at] !== undefined && (
          <Text size="xs" c="dimmed" ms="auto" className="numbers">
            <bdi>{momentOf(t, locale, inZone).format(t[at] * 1000)}</bdi>
          </Text>
        )}
      </Group>
      <div ref={ref} role="img" aria-label={label} dir="ltr" style={{ minHeight: height }}>
        <div ref={host} />
      </div>
    </Box>
  );
}

/** A line joins points; one between two gaps has none to be joined with, and is a dot. */
function pointsAlone(color: string): UPlot.Series.Points {
  return {
    show: true,
    size: 5,
    width: 0,
    fill: color,
    filter: (plot, index) => isolatedPoints(plot.data[index] ?? []),
  };
}

function textOf(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value);
}

/** Days for a chart of days, else the time of day. */
function momentOf(t: readonly number[], locale: string, inZone: { timeZone?: string }): Intl.DateTimeFormat {
  const isDays = t.length > 1 && (t[1] as number) - (t[0] as number) >= 86_400;
  return new Intl.DateTimeFormat(locale, {
    ...(isDays ? { dateStyle: 'medium' } : { timeStyle: 'medium' }),
    ...inZone,
  });
}

/** Half a bar of room at both ends, so that the first and last bars are whole. */
function padded(min: number, max: number, times: ArrayLike<number>): [number, number] {
  const step = times.length > 1 ? (times[1] as number) - (times[0] as number) : 3600;
  return [min - step / 2, max + step / 2];
}
