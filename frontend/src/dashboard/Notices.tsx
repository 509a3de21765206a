import { texts } from "../texts";

/** The platform runs but has nothing to show. */
export function NoData(): JSX.Element {
  return (
    <div className="notice" data-testid="no-data">
      <h2>{texts.empty.title}</h2>
      <p>{texts.empty.body}</p>
      <pre>{texts.empty.command}</pre>
      <p className="muted">{texts.empty.after}</p>
    </div>
  );
}

/** The API can't be reached. */
export function Down({ reason }: { reason: string }): JSX.Element {
  return (
    <div className="notice" data-testid="api-down" role="alert">
      <h2>{texts.down.title}</h2>
      <p>{texts.down.body}</p>
      <pre>{texts.down.commands}</pre>
      <p className="muted">
        {reason}. {texts.down.retry}
      </p>
    </div>
  );
}
