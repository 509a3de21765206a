/** A Kepler.gl table whose rows can be replaced: what makes a live map possible without rebuilding its layers. */
import { createDataContainer } from "@kepler.gl/utils";
import { copyTableAndUpdate, KeplerTable as KeplerTableClass } from "@kepler.gl/table";

interface Rows {
  valueAt(row: number, column: number): unknown;
  getPlainIndex(): number[];
}

interface Base {
  dataContainer: Rows;
  fields: { name: string; displayName?: string; valueAccessor: (row: { index: number }) => unknown }[];
  importData(entry: unknown): Promise<void>;
}

// The typings of the constructor don't matter here: Kepler itself makes the tables.
const KeplerTable = KeplerTableClass as unknown as new (...args: never[]) => Base;

export class LiveTable extends KeplerTable {
  /** The rows of now. Layers keep the fields they were made with, so the fields must look here and never at rows of their own. */
  private readonly current: { rows: Rows | null } = { rows: null };

  override async importData(entry: unknown): Promise<void> {
    await super.importData(entry);
    const { current } = this;
    current.rows = this.dataContainer;
    this.fields = this.fields.map((field, column) => ({
      ...field,
      valueAccessor: ({ index }) => current.rows?.valueAt(index, column),
    }));
  }

  /** Kepler calls this when `updateVisData` names a data set that is there; its own keeps the old rows. */
  async update(data: { fields?: { displayName?: string }[]; rows: unknown[][] }): Promise<this> {
    const rows = createDataContainer(data.rows, { fields: this.fields as never });
    this.current.rows = rows as unknown as Rows;
    const allIndexes = rows.getPlainIndex();
    return copyTableAndUpdate(this as never, {
      // Names change with the units that people read.
      fields: this.fields.map((field, column) => ({ ...field, displayName: data.fields?.[column]?.displayName ?? field.displayName })) as never,
      dataContainer: rows,
      allIndexes,
      filteredIndex: allIndexes,
      filteredIndexForDomain: allIndexes,
      // Or Kepler would find its filters unchanged and not ask which of the new rows pass them.
      filterRecord: undefined,
    }) as unknown as this;
  }
}
