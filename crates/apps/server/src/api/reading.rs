//! What a request is taken for before anybody asks who sent it.

use std::net::IpAddr;

use axum::Json;
use axum::extract::Query;
use http::{Request, Uri};
use ipnet::IpNet;
use serde::de::DeserializeOwned;

use super::{
    audit, codes, invitations, password, second_factor, session, session_list, settings, setup, tokens, users,
};
use crate::address::client_address;
use crate::auth::caller::{Shown, shown};
use crate::relay::viewer_socket;
use crate::request::Object;

/// What is read of a request.
#[derive(Debug)]
pub struct Reading {
    /// The calls that would take its body.
    pub bodies: Vec<&'static str>,
    /// The calls that would take its query.
    pub queries: Vec<&'static str>,
    /// What its credential is by its form: `login`, `cookie` or `token`.
    pub credential: Option<&'static str>,
    /// Whom it counts for.
    pub client: IpAddr,
}

/// Read a request that comes from `peer`, as a server with these proxies does.
#[must_use]
pub fn read(request: &Request<&[u8]>, peer: IpAddr, proxies: &[IpNet]) -> Reading {
    let (headers, body, uri) = (request.headers(), request.body(), request.uri());
    Reading {
        bodies: BODIES.iter().filter(|(_, takes)| takes(body)).map(|(call, _)| *call).collect(),
        queries: QUERIES.iter().filter(|(_, takes)| takes(uri)).map(|(call, _)| *call).collect(),
        credential: shown(headers).map(|shown| match shown {
            Shown::Login(_, false) => "login",
            Shown::Login(_, true) => "cookie",
            Shown::Token(_) => "token",
        }),
        client: client_address(peer, headers, proxies),
    }
}

type Call<T> = (&'static str, fn(&T) -> bool);

const BODIES: &[Call<[u8]>] = &[
    ("change_password", |body| of_body::<password::ChangePassword>(body).is_some()),
    ("change_settings", |body| of_body::<settings::ChangeSettings>(body).is_some_and(|change| change.fits())),
    ("change_user", |body| of_body::<users::ChangeUser>(body).is_some()),
    ("create_code", |body| of_body::<codes::CreateCode>(body).is_some()),
    ("create_token", |body| of_body::<tokens::CreateToken>(body).is_some()),
    ("create_user", |body| of_body::<users::CreateUser>(body).is_some()),
    ("invite", |body| of_body::<invitations::Invite>(body).is_some()),
    ("login", |body| of_body::<password::Login>(body).is_some()),
    ("remove_second_factor", |body| of_body::<second_factor::RemoveSecondFactor>(body).is_some()),
    ("remove_sessions", |body| of_body::<session::RemoveSessions>(body).is_some()),
    ("set_second_factor", |body| of_body::<second_factor::SetSecondFactor>(body).is_some()),
    ("setup", |body| of_body::<setup::Setup>(body).is_some()),
];

const QUERIES: &[Call<Uri>] = &[
    ("colleagues", |uri| of_query::<users::ColleagueFilter>(uri).is_some()),
    ("export_audit", |uri| of_query::<audit::Which>(uri).is_some_and(|which| which.rows(1).is_ok())),
    ("list_audit", |uri| of_query::<audit::Filter>(uri).is_some()),
    ("list_codes", |uri| of_query::<codes::Filter>(uri).is_some()),
    ("list_invitations", |uri| of_query::<invitations::Filter>(uri).is_some()),
    ("list_sessions", |uri| of_query::<session_list::Filter>(uri).is_some()),
    ("list_tokens", |uri| of_query::<tokens::Filter>(uri).is_some()),
    ("list_users", |uri| of_query::<users::Filter>(uri).is_some()),
    ("viewer socket", |uri| of_query::<viewer_socket::Wanted>(uri).is_some()),
];

fn of_body<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    Json::<Object<T>>::from_bytes(body).ok().map(|Json(Object(value))| value)
}

fn of_query<T: DeserializeOwned>(uri: &Uri) -> Option<T> {
    Query::try_from_uri(uri).ok().map(|Query(value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::describe;

    #[test]
    fn no_call_is_forgotten() {
        let description = serde_json::to_value(describe()).unwrap();
        let calls =
            description["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
        let (mut bodies, mut queries) = (Vec::new(), vec!["viewer socket".to_owned()]);
        for call in calls {
            let Some(name) = call["operationId"].as_str() else { continue };
            if !call["requestBody"].is_null() {
                bodies.push(name.to_owned());
            }
            if call["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["in"] == "query")) {
                queries.push(name.to_owned());
            }
        }
        bodies.sort_unstable();
        queries.sort_unstable();
        assert_eq!(bodies, BODIES.iter().map(|(call, _)| *call).collect::<Vec<_>>());
        assert_eq!(queries, QUERIES.iter().map(|(call, _)| *call).collect::<Vec<_>>());
    }
}
