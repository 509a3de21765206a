// Stands in for packages that are imported by name but never used at run time.
export default function empty() {}
export const ParquetWasmLoader = undefined;
export const ParquetArrowLoader = undefined;
export const ParquetLoader = undefined;
export const ParquetWriter = undefined;
export const ParquetWasmWriter = undefined;
export const MeshoptDecoder = undefined;
export const MeshoptEncoder = undefined;
export const MeshoptSimplifier = undefined;
