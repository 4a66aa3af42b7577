//! A client of the HTTP API, from an address of its own.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::Value;

use crate::fresh_address;
use crate::wait::soon;

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body where it is JSON, else null.
    pub body: Value,
}

impl Answer {
    /// The body, when the status is this.
    ///
    /// # Errors
    /// When it is another.
    pub fn expect(self, status: u16) -> Result<Value> {
        if self.status != status {
            bail!("expected {status}, got {} {}", self.status, self.body);
        }
        Ok(self.body)
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The error's stable code, where this is one.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.body["error_code"].as_str()
    }
}

/// Somebody who talks HTTP to a server. The headers are sent with every call.
#[derive(Debug, Clone)]
pub struct Http {
    server: SocketAddr,
    client: Client,
    headers: Vec<(String, String)>,
}

impl Http {
    /// A client that nobody has heard of, from a fresh address.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(server: SocketAddr) -> Result<Self> {
        Self::from_address(server, fresh_address())
    }

    /// A client from this address.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn from_address(server: SocketAddr, address: IpAddr) -> Result<Self> {
        let client = Client::builder()
            .local_address(address)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // A connection kept from before a restart would fail the next call.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { server, client, headers: Vec::new() })
    }

    /// The same client with one more header.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.into()));
        client
    }

    /// The same client, presenting a bearer credential.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    /// Read something.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    /// Make something, or have something done.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Have something done that needs no body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post_empty(&self, path: &str) -> Result<Answer> {
        self.call(Method::POST, path, None).await
    }

    /// Change something.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn patch(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// Remove something.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.call(Method::DELETE, path, None).await
    }

    /// Any call.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer> {
        let text = body.map(|body| body.to_string());
        self.call_text(method, path, text).await
    }

    /// Any call, the body as it is written on the wire.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call_text(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer> {
        let what = format!("{method} {path}");
        let noted = body.clone();
        let mut request = self.client.request(method, format!("http://{}{path}", self.server));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        soon(&what, async {
            let response = request.send().await.with_context(|| what.clone())?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let bytes = response.bytes().await?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            note(path, noted.as_deref(), status, &headers, &text);
            Ok(Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), text })
        })
        .await
    }
}

/// For the search for secrets.
fn note(path: &str, request: Option<&str>, status: u16, headers: &HeaderMap, answer: &str) {
    gc_record::exchange(path, request, status, answer);
    headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).for_each(gc_record::cookie);
    if path == "/metrics" {
        gc_record::shown(gc_record::Output::Metrics, answer);
    }
}
