//! The one shape of every refusal.

use anyhow::{Context, Result, ensure};
use gc_tests::Answer;

/// A refusal of this status and code, in the shape that all have.
pub(crate) fn refused(what: &str, answer: &Answer, status: u16, code: &str) -> Result<()> {
    ensure!(answer.status == status, "{what}: expected {status}, got {answer:?}");
    let body = answer.body.as_object().with_context(|| format!("{what}: the body is no object: {answer:?}"))?;
    let mut names: Vec<&str> = body.keys().map(String::as_str).collect();
    names.sort_unstable();
    ensure!(names == ["detail", "error_code", "request_id", "status_code"], "{what}: {names:?}");
    ensure!(body["status_code"] == status && body["error_code"] == code, "{what}: {answer:?}");
    ensure!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}: no detail");
    let id = answer.header("x-request-id").with_context(|| format!("{what}: no x-request-id"))?;
    ensure!(!id.is_empty() && body["request_id"] == id, "{what}: {id} is not {}", body["request_id"]);
    ensure!(answer.header("content-type") == Some("application/json"), "{what}: {answer:?}");
    Ok(())
}
