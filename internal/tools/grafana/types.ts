// What the dashboards may be: Grafana's own types, with each panel's options by its
// type, and queries of the data sources that we use. Property names that they do not
// have are errors.
import type { Dashboard, DataSourceRef, FieldConfigSource, Panel, RowPanel } from '@grafana/schema';
import type * as Stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as Table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as TimeSeries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';
import type { CloudMonitoringQuery } from '@grafana/schema/dist/types/raw/composable/googlecloudmonitoring/dataquery/x/types.gen';

// JSON has an enum's values, not its names.
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends Array<infer U> ? Array<Plain<U>> : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

type Source<T extends string> = { type: T; uid: `\${${string}}` };
type Query<T extends string, Q> = { refId: string; datasource: Source<T> } & Q;

// Of plugins that @grafana/schema does not describe, by their sources:
// grafana/grafana packages/grafana-prometheus/src/types.ts, and
// grafana/google-bigquery-datasource src/types.ts.
type Prometheus = Query<'prometheus', {
  expr: string; legendFormat: string; editorMode: 'code'; range?: true; instant?: true; format?: 'table';
}>;
type BigQuery = Query<'grafana-bigquery-datasource', { rawSql: string; rawQuery: true; editorMode: 'code'; format: 0 | 1 }>;
type Monitoring = Query<'stackdriver', Plain<Pick<CloudMonitoringQuery, 'queryType' | 'aliasBy' | 'promQLQuery'>>>;

type Fields<C> = Omit<FieldConfigSource, 'defaults'> & { defaults: Omit<FieldConfigSource['defaults'], 'custom'> & { custom?: C } };
type Of<T extends string, O, C> = Plain<Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource'>
  & { type: T; options: O; fieldConfig: Fields<C>; datasource: DataSourceRef }> & { targets: Array<Prometheus | BigQuery | Monitoring> };
type Our = Of<'stat', Stat.Options, never> | Of<'table', Table.Options, Table.FieldConfig> | Of<'timeseries', TimeSeries.Options, TimeSeries.FieldConfig>;

export type OurDashboard = Plain<Omit<Dashboard, 'panels'>> & { panels: Array<Our | (Plain<Omit<RowPanel, 'panels'>> & { panels: Our[] })> };
