// A whole dashboard on one page. What it shows is in `window.PAGE`: see grafana/pictures/page.py.
import { createTheme, type DataFrame, dateTime, EventBusSrv, FieldType, getFieldDisplayName, type GrafanaTheme2, ThemeContext } from '@grafana/data';
import {
  BigValue, type BigValueColorMode, type BigValueGraphMode, BigValueTextMode, GlobalStyles, PanelChrome,
  PanelContextProvider, TimeSeries,
} from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import React from 'react';
import { createRoot } from 'react-dom/client';

import { type Answer, asTables, dressed, overTime, transformed, type Window } from './frames';
import { Heatmap, Timeline } from './shades';

interface Shown { panel: any; title: string; place: { x: number; y: number; w: number; h: number }; answers: Answer[] }
interface Page { title: string; variables: Array<[string, string]>; shown: Shown[]; window: Window; dark: boolean; width: number }
interface Box { width: number; height: number; theme: GrafanaTheme2; window: Window; shown: Shown }

const CELL = 30, GAP = 8, HEAD = 64, ROW = 36;

function Numbers({ width, height, theme, shown, window }: Box): React.ReactElement {
  const frames = dressed(overTime(shown.answers, { ...window, from: window.to, step: 1 }), shown.panel, theme);
  const { options } = shown.panel;
  const one = width / frames.length;
  return (
    <div style={{ display: 'flex' }}>
      {frames.map((frame, index) => {
        const [, value] = frame.fields;
        const name = getFieldDisplayName(value, frame, frames);
        const shownValue = { ...value.display!(value.values[0]), title: name };
        return <BigValue key={index} width={one} height={height} theme={theme} value={shownValue} count={frames.length}
          colorMode={options.colorMode as BigValueColorMode} graphMode={options.graphMode as BigValueGraphMode}
          textMode={frames.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value} />;
      })}
    </div>);
}

function Graph({ width, height, theme, shown, window }: Box): React.ReactElement {
  const frames = dressed(overTime(shown.answers, window), shown.panel, theme);
  const from = dateTime(window.from * 1000), to = dateTime(window.to * 1000);
  return <TimeSeries frames={frames} width={width} height={height} timeZone="utc" legend={shown.panel.options.legend}
    timeRange={{ from, to, raw: { from, to } }} />;
}

function Rows({ width, height, theme, shown }: Box): React.ReactElement {
  const { panel } = shown;
  const [frame] = dressed(transformed(asTables(shown.answers), panel.transformations ?? []), panel, theme);
  for (const one of frame.fields.filter(({ type }) => type === FieldType.string)) { one.config.unit = undefined; }
  return <TableNG data={frame} width={width} height={height} cellHeight={panel.options.cellHeight} enableVirtualization={false}
    initialSortBy={panel.options.sortBy} fieldConfig={panel.fieldConfig} getActions={() => []} />;
}

function Nothing({ width, height, theme, shown }: Box): React.ReactElement {
  return <div style={{ width, height, display: 'flex', alignItems: 'center', justifyContent: 'center', textAlign: 'center',
    color: theme.colors.text.secondary }}>{shown.panel.fieldConfig.defaults.noValue}</div>;
}

function Content(box: Box): React.ReactElement {
  const { panel, answers } = box.shown;
  if (!answers.some(({ series }) => series.length)) { return <Nothing {...box} />; }
  switch (panel.type) {
    case 'stat': return <Numbers {...box} />;
    case 'timeseries': return <Graph {...box} />;
    case 'table': return <Rows {...box} />;
    case 'heatmap': return <Heatmap {...box} answer={answers[0]} unit={panel.options.yAxis?.unit ?? 'short'} />;
    case 'state-timeline': return <Timeline {...box} frames={dressed(overTime(answers, box.window), panel, box.theme) as DataFrame[]} />;
    default: throw new Error(`no picture of a ${panel.type}`);
  }
}

function Panel({ shown, page, theme }: { shown: Shown; page: Page; theme: GrafanaTheme2 }): React.ReactElement {
  const column = (page.width - GAP) / 24;
  const { x, y, w, h } = shown.place;
  const at = { position: 'absolute' as const, left: GAP + x * column, top: HEAD + y * (CELL + GAP) };
  const width = w * column - GAP, height = h * (CELL + GAP) - GAP;
  if (shown.panel.type === 'row') {
    return <div style={{ ...at, ...theme.typography.h5, height: ROW, lineHeight: `${ROW}px` }}>⌄ {shown.title}</div>;
  }
  return (
    <div style={at}>
      <PanelChrome title={shown.title} description={shown.panel.description} width={width} height={height} padding="md">
        {(innerWidth, innerHeight) => <Content width={innerWidth} height={innerHeight} theme={theme} window={page.window} shown={shown} />}
      </PanelChrome>
    </div>);
}

function Variables({ page, theme }: { page: Page; theme: GrafanaTheme2 }): React.ReactElement {
  const box = { border: `1px solid ${theme.colors.border.medium}`, padding: '4px 8px', marginRight: 8, fontSize: 13 };
  return (
    <div style={{ position: 'absolute', left: GAP, top: 8 }}>
      <div style={{ ...theme.typography.h4, marginBottom: 4 }}>{page.title}</div>
      {page.variables.map(([label, value]) => (
        <span key={label} style={{ fontSize: 13 }}><span style={{ ...box, marginRight: 0, background: theme.colors.background.secondary }}>{label}</span>
          <span style={box}>{value}</span></span>))}
    </div>);
}

function Board({ page }: { page: Page }): React.ReactElement {
  const theme = createTheme({ colors: { mode: page.dark ? 'dark' : 'light' } });
  const context = { eventsScope: 'pictures', eventBus: new EventBusSrv() };
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={context}>
        <div style={{ position: 'relative', width: page.width, color: theme.colors.text.primary }}>
          <Variables page={page} theme={theme} />
          {page.shown.map((one, index) => <Panel key={index} shown={one} page={page} theme={theme} />)}
        </div>
      </PanelContextProvider>
    </ThemeContext.Provider>);
}

const root = document.getElementById('root') as HTMLElement;
createRoot(root).render(<Board page={(window as any).PAGE as Page} />);
