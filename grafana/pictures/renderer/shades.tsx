// State timelines and heat maps, which are not among Grafana's published components: drawn here, plainly.
import { type DataFrame, formattedValueToString, getFieldDisplayName, getValueFormat, type GrafanaTheme2 } from '@grafana/data';
import React from 'react';

import type { Answer, Window } from './frames';

interface Size { width: number; height: number; theme: GrafanaTheme2; window: Window }

const clock = (time: number): string => new Date(time * 1000).toISOString().slice(11, 16);

function ticks(window: Window): number[] {
  const apart = [60, 120, 300, 600, 900, 1800, 3600].find((one) => (window.to - window.from) / one <= 8) ?? 7200;
  const first = Math.ceil(window.from / apart) * apart;
  return Array.from({ length: Math.max(0, Math.floor((window.to - first) / apart) + 1) }, (_, i) => first + i * apart);
}

function Times({ left, top, width, theme, window }: Size & { left: number; top: number }): React.ReactElement {
  const x = (time: number) => left + ((time - window.from) / (window.to - window.from)) * width;
  return <>{ticks(window).map((time) => (
    <text key={time} x={x(time)} y={top + 14} fontSize={12} textAnchor="middle" fill={theme.colors.text.secondary}>
      {clock(time)}
    </text>))}</>;
}

/** A row a series, a block for as long as it stays in one state. */
export function Timeline({ frames, ...size }: Size & { frames: DataFrame[] }): React.ReactElement {
  const { width, height, theme, window } = size;
  const rows = frames.map((frame) => ({ value: frame.fields[1], name: getFieldDisplayName(frame.fields[1], frame, frames) }));
  const left = Math.min(width * 0.3, 16 + 6.8 * Math.max(...rows.map(({ name }) => name.length)));
  const inner = width - left - 8;
  const tall = (height - 24) / rows.length;
  const x = (index: number) => left + (index * window.step / (window.to - window.from)) * inner;
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
      {rows.map(({ value, name }, row) => (
        <g key={name + row}>
          <text x={left - 8} y={row * tall + tall / 2 + 4} fontSize={Math.min(12, tall)} textAnchor="end" fill={theme.colors.text.primary}>{name}</text>
          {stretches(value.values).map(({ from, to, state }) => {
            const shown = value.display!(state);
            const wide = Math.min(x(to), left + inner) - x(from);
            const text = formattedValueToString(shown);
            return (
              <g key={from}>
                <rect x={x(from)} y={row * tall + tall * 0.075} width={Math.max(1, wide)} height={tall * 0.85}
                  fill={theme.visualization.getColorByName(shown.color ?? 'gray')} fillOpacity={0.7} />
                {wide > 6.6 * text.length && tall > 12 &&
                  <text x={x(from) + 5} y={row * tall + tall / 2 + 4} fontSize={12} fill={theme.colors.text.primary}>{text}</text>}
              </g>);
          })}
        </g>))}
      <Times {...size} left={left} top={height - 20} width={inner} />
    </svg>);
}

function stretches(values: any): Array<{ from: number; to: number; state: number }> {
  const found: Array<{ from: number; to: number; state: number }> = [];
  for (let i = 0; i < values.length; i += 1) {
    const last = found[found.length - 1];
    if (values[i] == null) { continue; }
    if (last && last.to === i && last.state === values[i]) { last.to = i + 1; } else { found.push({ from: i, to: i + 1, state: values[i] }); }
  }
  return found;
}

/** How many observations fell between a bound and the one below it, over time. */
export function Heatmap({ answer, unit, ...size }: Size & { answer: Answer; unit: string }): React.ReactElement {
  const { width, height, theme, window } = size;
  const series = answer.series.filter(({ metric }) => metric.le !== '+Inf').sort((a, b) => Number(a.metric.le) - Number(b.metric.le));
  const above = series.map(({ values }) => new Map(values.map(([time, value]) => [time, Number(value)])));
  const cells = series.flatMap(({ values }, row) => values.map(([time, value]) =>
    ({ time, row, count: Number(value) - (row ? above[row - 1].get(time) ?? 0 : 0) }))).filter(({ count }) => count > 0);
  const most = Math.max(...cells.map(({ count }) => count));
  const left = 44, inner = width - left - 8, deep = height - 24;
  const tall = deep / series.length, wide = Math.max(1, (inner * window.step) / (window.to - window.from));
  const written = (bound: string) => formattedValueToString(getValueFormat(unit)(Number(bound)));
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
      {cells.map(({ time, row, count }) => (
        <rect key={`${time} ${row}`} x={left + ((time - window.from) / (window.to - window.from)) * inner} width={wide}
          y={deep - (row + 1) * tall} height={tall} fill={theme.visualization.getColorByName('blue')} fillOpacity={Math.sqrt(count / most)} />))}
      {series.map(({ metric }, row) => (row % Math.ceil(14 / tall) === 0 &&
        <text key={metric.le} x={left - 6} y={deep - (row + 1) * tall + 4} fontSize={12} textAnchor="end" fill={theme.colors.text.secondary}>{written(metric.le)}</text>))}
      <Times {...size} left={left} top={deep + 4} width={inner} />
    </svg>);
}
