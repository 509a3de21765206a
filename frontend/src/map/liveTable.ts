/** A Kepler.gl table whose rows can be replaced: what makes a live map possible without rebuilding its layers. */
import { createDataContainer } from "@kepler.gl/utils";
import { copyTableAndUpdate, KeplerTable as KeplerTableClass } from "@kepler.gl/table";

interface Fields {
  fields: { name: string }[];
}

// The typings of the constructor don't matter here: Kepler itself makes the tables.
const KeplerTable = KeplerTableClass as unknown as new (...args: never[]) => Fields;

/** Kepler calls `update` when `updateVisData` names a data set that is there; its own keeps the old rows. */
export class LiveTable extends KeplerTable {
  async update(data: { rows: unknown[][] }): Promise<this> {
    const dataContainer = createDataContainer(data.rows, { fields: this.fields as never });
    const allIndexes = dataContainer.getPlainIndex();
    const fields = this.fields.map((field, index) => ({
      ...field,
      valueAccessor: (row: { index: number }): unknown => dataContainer.valueAt(row.index, index),
    }));
    return copyTableAndUpdate(this as never, {
      dataContainer,
      fields: fields as never,
      allIndexes,
      filteredIndex: allIndexes,
      filteredIndexForDomain: allIndexes,
    }) as unknown as this;
  }
}
