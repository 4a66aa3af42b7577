// A page that cannot be drawn: a part of it did not come, or it has a fault.
import { useTitle } from "../ui/parts";

export function Broken({ error }: { error: unknown }) {
  useTitle("Something broke · GuruConnect");
  return (
    <main className="centre">
      <div className="card" role="alert">
        <h1>This page could not be shown</h1>
        <p>A part of it did not arrive, or the server has been updated meanwhile. Load it again; if it stays so, tell an administrator what stands below.</p>
        <p className="mono muted">{error instanceof Error ? error.message : String(error)}</p>
        <div className="row"><button className="button primary" onClick={() => location.reload()}>Load again</button></div>
      </div>
    </main>
  );
}
