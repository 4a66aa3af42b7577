//! What every request has: an id, a client address, and a body in bounds.

use std::fmt::Formatter;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::address::{ClientAddress, client_address};
use crate::app::App;
use crate::error::{ApiError, Refused};
use crate::{request_id, web};

/// Give every request an id and a line in the log: the route's template, never
/// its path, which may hold a support code.
pub(crate) async fn identify(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("(page)", |path| path.as_str()).to_owned();
    // What was begun is carried through, also when the client goes away in the
    // middle: a task of its own is not dropped with the connection.
    let carried = tokio::spawn(request_id::scope(id.clone(), next.run(request)));
    let mut response = match carried.await {
        Ok(response) => response,
        Err(_) => request_id::scope(id.clone(), async { ApiError::internal("a handler failed").into_response() }).await,
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    web::harden(&route, app.settings.now().url.starts_with("https://"), response.headers_mut());
    if let Some(Refused(code)) = response.extensions().get() {
        app.meters.refused(code);
    }
    app.meters.answered(&route, &method, response.status().as_u16(), begun.elapsed());
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request_id = id, %method, route, status = response.status().as_u16(), milliseconds, "request");
    response
}

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::internal("a request without a peer address"))?;
        Ok(Self(client_address(peer.ip(), &parts.headers, &app.settings.now().trusted_proxies)))
    }
}

/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// A JSON body; what is wrong with it is told in the standard envelope.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        // The whole of it: a byte now and then would keep a connection for ever.
        let read = tokio::time::timeout(BODY_WITHIN, axum::Json::<Object<T>>::from_request(request, app));
        let Ok(read) = read.await else {
            let detail = "The body took too long to arrive.";
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", detail));
        };
        match read {
            Ok(axum::Json(Object(value))) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(ApiError::invalid(error.body_text())),
            Err(JsonRejection::JsonSyntaxError(_)) => {
                Err(ApiError::bad_request("MALFORMED_JSON", "The body is not valid JSON."))
            }
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "Send the body as application/json.",
            )),
            Err(other) if other.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", "The body is too large."))
            }
            Err(_) => Err(ApiError::bad_request("BAD_REQUEST", "The body could not be read.")),
        }
    }
}

/// A JSON object: by itself a structure would be read from a list as well, its
/// fields in order.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        from.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// A whole number, however it is written: 8.0 is 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) u32);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
                out.write_str("a whole number")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Whole, E> {
                u32::try_from(number).map(Whole).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Whole, E> {
                // What has no fraction and fits comes out of it unchanged.
                let whole = number as u32;
                if f64::from(whole) == number {
                    Ok(Whole(whole))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }
        }

        from.deserialize_u32(Number)
    }
}

/// Path and query values; what is wrong with them is told in the envelope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let found = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        found.map(|axum::extract::Path(value)| Self(value)).map_err(|_| ApiError::not_found("thing"))
    }
}

/// Query values; unknown ones are refused by their types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let found = axum::extract::Query::<T>::from_request_parts(parts, app).await;
        found
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error| ApiError::bad_request("INVALID_QUERY", error.body_text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Night {
        hours: Option<Whole>,
    }

    #[test]
    fn objects_are_no_lists() {
        let read = |text: &str| serde_json::from_str::<Object<Night>>(text).ok().map(|Object(night)| night);
        let night = |hours: Option<u32>| Some(Night { hours: hours.map(Whole) });
        for (text, expected) in [
            ("{}", night(None)),
            (r#"{"hours":8}"#, night(Some(8))),
            (r#"{"hours":8.0}"#, night(Some(8))),
            (r#"{"hours":8e0}"#, night(Some(8))),
            (r#"{"hours":null}"#, night(None)),
            (r#"{"hours":8.5}"#, None),
            (r#"{"hours":-8}"#, None),
            (r#"{"hours":-8.0}"#, None),
            (r#"{"hours":4294967296.0}"#, None),
            (r#"{"hours":"8"}"#, None),
            (r#"{"hours":8,"hours":9}"#, None),
            ("[8]", None),
            ("[]", None),
            ("null", None),
            ("8", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
