import type { ApiError } from "./api";
import { sentence } from "./format";

interface Props {
  error: ApiError;
  onRetry?: () => void;
}

/** What failed, what to do, and the id to tell the operator. */
export function ErrorNote({ error, onRetry }: Props) {
  return (
    <div className="note" role="alert">
      <p>
        <strong>{sentence(error.message)}</strong> {sentence(error.hint)}
      </p>
      {error.requestId !== "" && (
        <p className="muted">
          Request id: <code>{error.requestId}</code>
        </p>
      )}
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
