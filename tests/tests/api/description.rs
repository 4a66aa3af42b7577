//! The description is whole: every call says what it is, what it takes, and
//! with what it may be answered; and what is answered to whoever has no right
//! stands in it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use gc_tests::{Http, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

use super::envelope::refused;

struct Operation {
    method: String,
    path: String,
    described: Value,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn statuses(&self) -> BTreeSet<&str> {
        self.described["responses"].as_object().into_iter().flatten().map(|(status, _)| status.as_str()).collect()
    }

    fn takes(&self, place: &str) -> bool {
        self.described["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["in"] == place)
    }

    fn is_public(&self) -> bool {
        self.described["security"].as_array().is_some_and(|ways| ways.contains(&json!({})))
    }

    /// The path with ids that nothing has.
    fn nowhere(&self) -> String {
        let ids = self.path.replace("{id}", "00000000-0000-4000-8000-000000000000");
        let ids = ids.replace("{user_id}", "00000000-0000-4000-8000-000000000000");
        ids.replace("{code}", "ZZZ-ZZZ-ZZZ").replace("{os}", "linux")
    }
}

fn operations(api: &Value) -> Result<Vec<Operation>> {
    let mut all = Vec::new();
    for (path, item) in api["paths"].as_object().context("no paths")? {
        for (method, described) in item.as_object().context("no operations")? {
            let (method, path) = (method.to_uppercase(), path.clone());
            all.push(Operation { method, path, described: described.clone() });
        }
    }
    Ok(all)
}

/// What is written under a name elsewhere.
fn resolved<'a>(api: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(place) => api.pointer(place.trim_start_matches('#')).unwrap_or(value),
        None => value,
    }
}

async fn api(server: &TestServer) -> Result<Value> {
    server.stranger()?.get("/api/openapi.json").await?.expect(200)
}

#[tokio::test]
async fn every_call_says_everything_about_itself() -> Result<()> {
    let server = TestServer::start().await?;
    let api = api(&server).await?;
    let tags: Vec<&Value> = api["tags"].as_array().context("no tags")?.iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    let all = operations(&api)?;
    ensure!(all.len() > 35, "{} calls", all.len());
    for operation in &all {
        let (name, described) = (operation.name(), &operation.described);
        let said = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        ensure!(said(&described["summary"]), "{name} has no summary");
        ensure!(
            described["tags"].as_array().is_some_and(|own| own.iter().all(|tag| tags.contains(&tag))),
            "{name}: tags"
        );
        ensure!(ids.insert(described["operationId"].as_str().context("no id")?.to_owned()), "{name} has another's id");
        for parameter in described["parameters"].as_array().into_iter().flatten() {
            ensure!(said(&parameter["description"]), "{name}: {} is not described", parameter["name"]);
        }
        let statuses = operation.statuses();
        let mut expected = vec!["500", "503"];
        if !operation.is_public() {
            expected.extend(["401", "403"]);
        }
        if operation.takes("query") {
            expected.push("400");
        }
        if operation.takes("path") && operation.path != "/api/codes/{code}/validate" {
            expected.push("404");
        }
        if !described["requestBody"].is_null() {
            expected.extend(["400", "408", "413", "415", "422"]);
        }
        for status in expected {
            ensure!(statuses.contains(status), "{name} does not speak of {status}");
        }
        ensure!(statuses.iter().any(|status| status.starts_with('2')), "{name} is never answered well");
        for status in statuses {
            let response = resolved(&api, &described["responses"][status]);
            ensure!(said(&response["description"]), "{name}: {status} is not described");
            ensure!(response["headers"]["x-request-id"].is_object(), "{name}: {status} has no request id");
            if status.starts_with(['4', '5']) {
                let body = &response["content"]["application/json"]["schema"]["$ref"];
                ensure!(body == "#/components/schemas/ErrorBody", "{name}: {status} has another shape: {response}");
            }
            if status == "429" {
                ensure!(response["headers"]["retry-after"].is_object(), "{name}: 429 without Retry-After");
            }
        }
    }
    Ok(())
}

/// Every call, by everybody who may not make it or makes it wrongly: the answer
/// is one that is described, and a refusal has the one shape.
#[tokio::test]
async fn what_is_answered_is_described() -> Result<()> {
    let server = TestServer::start().await?;
    let api = api(&server).await?;
    let token = async |scopes: Value| -> Result<Http> {
        let body = json!({"name": "for a test", "scopes": scopes});
        let made = server.admin.http.post("/api/tokens", body).await?.expect(201)?;
        Ok(server.stranger()?.bearer(made["secret"].as_str().context("no secret")?))
    };
    let everybody = [
        ("a stranger", server.stranger()?),
        ("an old login", server.stranger()?.bearer(&format!("lgn_{}", "0".repeat(64)))),
        ("another plane's", server.stranger()?.bearer("rsm_0000")),
        ("an operator", server.person("operator").await?.http),
        ("a viewer", server.person("viewer").await?.http),
        ("an end user", server.person("end_user").await?.http),
        ("a token to look", token(json!(["view"])).await?),
        ("a token for the trail", token(json!(["view_audit"])).await?),
    ];
    for operation in operations(&api)? {
        // The stream goes on without end for whoever may hear it.
        let name = operation.name();
        let path = operation.nowhere();
        let method = Method::from_bytes(operation.method.as_bytes())?;
        for (who, http) in &everybody {
            let may_hear = ["an operator", "a viewer", "a token to look"].contains(who);
            if (operation.path == "/api/events" && may_hear) || operation.path == "/api/auth/logout" {
                continue;
            }
            let has_body = !operation.described["requestBody"].is_null();
            for body in if has_body { &[None, Some("{"), Some("[]"), Some("{}")][..] } else { &[None] } {
                let what = format!("{name} by {who} with {body:?}");
                let answer = http.call_text(method.clone(), &path, body.map(str::to_owned)).await?;
                let status = answer.status.to_string();
                ensure!(operation.statuses().contains(status.as_str()), "{what}: {status} is not described");
                if answer.status >= 400 {
                    refused(&what, &answer, answer.status, answer.error_code().unwrap_or_default())?;
                }
                let stranger = ["a stranger", "an old login", "another plane's"].contains(who);
                if stranger && !operation.is_public() {
                    ensure!(answer.status == 401, "{what}: {answer:?}");
                }
            }
        }
    }
    Ok(())
}
