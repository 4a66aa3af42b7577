import { Link } from "@tanstack/react-router";

export function NotFound() {
  return (
    <main className="centre">
      <div className="card">
        <h1>There is nothing at this address</h1>
        <p className="muted">The link may be old, or cut off.</p>
        <Link to="/" className="button">Go to sessions</Link>
      </div>
    </main>
  );
}
