//! The people at the dashboard, and what they do there.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::http::{Answer, Http};

/// Somebody with an account, logged in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account's id.
    pub id: String,
    /// The login name.
    pub username: String,
    /// The name that others read.
    pub display_name: String,
    /// The password.
    pub password: String,
    /// The login token.
    pub token: String,
    /// A client that presents it, from an address of its own.
    pub http: Http,
}

/// A support code and the session that it opens.
#[derive(Debug, Clone)]
pub struct Code {
    /// As the person types it.
    pub code: String,
    /// The session's id.
    pub session: String,
}

impl Person {
    /// Log in; `stranger` is the client to do it from.
    ///
    /// # Errors
    /// When that fails.
    pub async fn log_in(stranger: &Http, username: &str, password: &str, display_name: &str) -> Result<Self> {
        let body = json!({"username": username, "password": password});
        let body = stranger.post("/api/auth/login", body).await?.expect(200)?;
        let token = text(&body, "token")?;
        Ok(Self {
            id: text(&body["user"], "id")?,
            username: username.to_owned(),
            display_name: display_name.to_owned(),
            password: password.to_owned(),
            http: stranger.bearer(&token),
            token,
        })
    }

    /// Make a support code that asks for `view` or `control`.
    ///
    /// # Errors
    /// When that fails.
    pub async fn code(&self, access: &str) -> Result<Code> {
        let body = self.http.post("/api/codes", json!({"access": access})).await?.expect(201)?;
        Ok(Code { code: text(&body, "code")?, session: text(&body, "session_id")? })
    }

    /// Ask for a viewer token.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask_token(&self, session: &str) -> Result<Answer> {
        self.http.post_empty(&format!("/api/sessions/{session}/viewer-token")).await
    }

    /// Mint a viewer token whose mode has to be this.
    ///
    /// # Errors
    /// When it is refused or says otherwise.
    pub async fn mint(&self, session: &str, access: &str) -> Result<String> {
        let body = self.ask_token(session).await?.expect(200)?;
        ensure!(body["access"] == access, "expected a {access} token, got {}", body["access"]);
        text(&body, "token")
    }

    /// A session as this person sees it.
    ///
    /// # Errors
    /// When they do not.
    pub async fn session(&self, session: &str) -> Result<Value> {
        self.http.get(&format!("/api/sessions/{session}")).await?.expect(200)
    }

    /// Invite somebody to a session.
    ///
    /// # Errors
    /// When that fails.
    pub async fn invite(&self, session: &str, guest: &Person) -> Result<()> {
        let path = format!("/api/sessions/{session}/invitations");
        self.http.post(&path, json!({"user_id": guest.id})).await?.expect(204)?;
        Ok(())
    }
}

fn text(body: &Value, name: &str) -> Result<String> {
    Ok(body[name].as_str().with_context(|| format!("the answer has no {name}: {body}"))?.to_owned())
}
