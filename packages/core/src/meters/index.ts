export { MAX_COST, Tariff } from "./cost.ts";
export { METER_PROBLEMS, type Metered, type MeterProblem, meterProblemInWords } from "./meter-problem.ts";
export {
  type HeaderUnit,
  type JsonUnit,
  type Meter,
  type MeterSpec,
  metersInWords,
  PROFILE_UNITS,
  type Profile,
  parseMeters,
  REQUEST_SOURCES,
  type RequestSource,
  type RequestUnit,
  unitsOf,
} from "./meter-spec.ts";
export { MAX_MODEL, matches, moreSpecific, parseModelPattern } from "./model-pattern.ts";
export { type Pointer, parsePointer, pointerInWords } from "./pointer.ts";
export { type Price, type PriceList, parsePrice, priceInWords, pricesFor } from "./price.ts";
export {
  BUILT_IN_UNITS,
  decimalToMillionths,
  isUnitName,
  MAX_UNITS,
  MAX_VALUE,
  MILLION,
  millionthsInWords,
  parseUnit,
  toMillionths,
  type Units,
} from "./unit.ts";
