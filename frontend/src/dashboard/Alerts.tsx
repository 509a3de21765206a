import { usePolled } from "../data/api";
import { clock, percent } from "../data/format";
import type { Alert } from "../data/messages";
import { texts } from "../texts";

interface AlertsProps {
  timeZone: string;
  onSelect: (cellId: string) => void;
}

const REFRESH_SECONDS = 6;
const ACTIVE = "/api/alerts?state=active&limit=20";

/** Alerts that last; nothing where there are none. A click selects the first of an alert's places. */
export function Alerts({ timeZone, onSelect }: AlertsProps): JSX.Element | null {
  const alerts = usePolled<{ alerts: Alert[] }>(ACTIVE, REFRESH_SECONDS).data?.alerts ?? [];
  return (
    <div role="status" className="alerts-status">
      {alerts.length === 0 ? null : (
        <section className="panel alerts" aria-label={texts.alerts.title} data-testid="alerts">
          <h2>
            {texts.alerts.title} <small>{alerts.length}</small>
          </h2>
          <ul>
            {alerts.map(({ id, rule_name, raised_utc, share, cells }) => {
              const [first] = cells;
              return (
                <li key={id}>
                  <button type="button" disabled={first === undefined} onClick={() => first !== undefined && onSelect(first)}>
                    <b>{rule_name}</b>
                    <span>{texts.alerts.since(clock(raised_utc, timeZone), percent(share))}</span>
                  </button>
                </li>
              );
            })}
          </ul>
        </section>
      )}
    </div>
  );
}
