// Prometheus's answers as Grafana's data frames, with the panel's field options applied.
import {
  type DataFrame, type DataTransformerConfig, type Field, FieldType, type GrafanaTheme2,
  getDisplayProcessor, getFieldDisplayName, standardTransformers,
} from '@grafana/data';
import { of } from 'rxjs';

export interface Series { metric: Record<string, string>; values: Array<[number, string]> }
export interface Answer { refId: string; legend: string; series: Series[] }
export interface Window { from: number; to: number; step: number }

// What a panel's plugin sets where a dashboard says nothing.
const DRAWN = { drawStyle: 'line', lineInterpolation: 'linear', axisPlacement: 'auto', spanNulls: false,
  gradientMode: 'none', fillOpacity: 0, lineWidth: 1, showPoints: 'auto', pointSize: 5,
  scaleDistribution: { type: 'linear' }, stacking: { mode: 'none', group: 'A' },
  hideFrom: { legend: false, tooltip: false, viz: false } };

const named = (legend: string, labels: Record<string, string>): string =>
  legend.replace(/{{\s*(\w+)\s*}}/g, (_, name: string) => labels[name] ?? '');

function field(name: string, type: FieldType, values: unknown[], labels?: Record<string, string>): Field {
  return { name, type, values, labels, config: {} };
}

/** One frame a series, on the grid of the range: where Prometheus told nothing there is nothing. */
export function overTime(answers: Answer[], window: Window): DataFrame[] {
  const count = Math.floor((window.to - window.from) / window.step) + 1;
  const times = Array.from({ length: count }, (_, i) => (window.from + i * window.step) * 1000);
  return answers.flatMap(({ refId, legend, series }) => series.map(({ metric, values }) => {
    const at = new Map(values.map(([time, value]) => [Math.round(time * 1000), Number(value)]));
    const value = field('Value', FieldType.number, times.map((time) => at.get(time) ?? null), metric);
    value.config = { displayNameFromDS: named(legend, metric) };
    return { refId, length: count, fields: [field('Time', FieldType.time, times), value] };
  }));
}

/** One frame a query, with a column for each label. */
export function asTables(answers: Answer[]): DataFrame[] {
  return answers.filter(({ series }) => series.length).map(({ refId, series }) => {
    const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
    const last = series.map(({ values }) => values[values.length - 1]);
    const value = answers.length > 1 ? `Value #${refId}` : 'Value';
    return { refId, length: series.length, fields: [
      field('Time', FieldType.time, last.map(([time]) => time * 1000)),
      ...labels.map((name) => field(name, FieldType.string, series.map(({ metric }) => metric[name] ?? ''))),
      field(value, FieldType.number, last.map(([, number]) => Number(number))),
    ] };
  });
}

/** The panel's transformations, by Grafana's own code. */
export function transformed(frames: DataFrame[], configs: DataTransformerConfig[]): DataFrame[] {
  const known = Object.values(standardTransformers);
  const context = { interpolate: (text: string) => text };
  return configs.reduce((data, { id, options }) => {
    const found = known.find((one) => one.id === id);
    if (!found) { throw new Error(`no transformation ${id}`); }
    let result: DataFrame[] = data;
    of(data).pipe(found.operator({ ...found.defaultOptions, ...options }, context as never))
      .subscribe((value: DataFrame[]) => { result = value; });
    return result;
  }, frames);
}

function matches(matcher: { id: string; options: string }, name: string): boolean {
  if (matcher.id === 'byName') { return name === matcher.options; }
  const [, pattern, flags] = /^\/(.*)\/(\w*)$/.exec(matcher.options) ?? [];
  return new RegExp(pattern, flags).test(name);
}

function set(config: Record<string, any>, path: string, value: unknown): void {
  const parts = path.split('.');
  const last = parts.pop() as string;
  parts.reduce((at, part) => (at[part] ??= {}), config)[last] = value;
}

/** Give every field the panel's defaults and overrides, and how its values are written. */
export function dressed(frames: DataFrame[], panel: any, theme: GrafanaTheme2): DataFrame[] {
  const { defaults, overrides = [] } = panel.fieldConfig;
  const color = { mode: panel.type === 'timeseries' ? 'palette-classic' : 'thresholds' };
  let seriesIndex = 0;
  for (const frame of frames) {
    for (const one of frame.fields) {
      const own = one.type === FieldType.number ? { color, ...structuredClone(defaults) } : {};
      one.config = { ...own, ...one.config, custom: { ...DRAWN, ...defaults.custom } };
      one.state = one.type === FieldType.number ? { seriesIndex: seriesIndex++ } : {};
      const name = getFieldDisplayName(one, frame, frames);
      for (const { matcher, properties } of overrides) {
        if (matches(matcher, name)) {
          for (const { id, value } of properties) { set(one.config, id, value); }
        }
      }
      one.state.displayName = null; // it may have been renamed
      one.state.displayName = getFieldDisplayName(one, frame, frames);
      one.display = getDisplayProcessor({ field: one, theme, timeZone: 'utc' });
      one.getLinks = () => [];
    }
  }
  return frames;
}
