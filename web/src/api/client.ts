// Calls of the documented API. A failed call throws what the server said.
import createClient from "openapi-fetch";

import type { components, paths } from "./schema";

export type User = components["schemas"]["User"];
export type Role = components["schemas"]["RoleName"];
export type Permission = components["schemas"]["PermissionName"];
export type Session = components["schemas"]["Session"];
export type Code = components["schemas"]["Code"];
export type CreatedCode = components["schemas"]["CreatedCode"];
export type AuditEvent = components["schemas"]["AuditEvent"];
export type AccessToken = components["schemas"]["Token"];
export type ChangeSettings = components["schemas"]["ChangeSettings"];
export type Settings = components["schemas"]["SettingsNow"];
export type Preview = components["schemas"]["Preview"];

export const api = createClient<paths>({ baseUrl: "/" });

/** A call failed: words for people, a stable code, and the request id to quote. */
export class ApiFailure extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    readonly requestId: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer, or its failure thrown. */
export async function answer<T>(call: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await call;
  } catch {
    throw new ApiFailure("NETWORK", 0, "The server cannot be reached. Check your connection and try again.", "");
  }
  if (got.response.ok) return got.data as T;
  const body = (got.error ?? {}) as { error_code?: string; detail?: string; request_id?: string };
  const retry = Number(got.response.headers.get("retry-after"));
  throw new ApiFailure(
    body.error_code ?? "UNKNOWN",
    got.response.status,
    body.detail ?? "The server answered in an unexpected way.",
    body.request_id ?? got.response.headers.get("x-request-id") ?? "",
    Number.isFinite(retry) && retry > 0 ? retry : null,
  );
}
