import type { Config } from "../data/messages";
import { texts } from "../texts";

type Page = keyof Config["links"];
const PAGES: readonly Page[] = ["api_docs", "mlflow", "airflow", "data_docs", "kafka_ui"];

/** Links to the services that run, `only` to these; an address that is no web address is left out. */
export function Links({ links, only = PAGES }: { links: Config["links"]; only?: readonly Page[] }): JSX.Element {
  return (
    <>
      {only.map((key) => {
        const address = links[key];
        return address && /^(https?:\/\/|\/)/.test(address) ? (
          <a key={key} href={address} target="_blank" rel="noreferrer">
            {texts.links[key]}
          </a>
        ) : null;
      })}
    </>
  );
}

/** The product's sign. */
export function Mark(): JSX.Element {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <path d="M16 2l12 7v14l-12 7L4 23V9z" fill="none" stroke="#56b4e9" strokeWidth="2.5" />
      <path d="M16 9l6 3.5v7L16 23l-6-3.5v-7z" fill="#f0c040" />
    </svg>
  );
}
