//! What the description says of every call of a kind: said once here, so that
//! beside a handler stands only what is its own.

use axum::http::StatusCode;
use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use crate::auth::caller::COOKIE;

/// A refusal that many calls share.
struct Shared {
    name: &'static str,
    status: StatusCode,
    /// One of its codes, as the example.
    code: &'static str,
    detail: &'static str,
    about: &'static str,
}

const SHARED: &[Shared] = &[
    Shared {
        name: "InvalidQuery",
        status: StatusCode::BAD_REQUEST,
        code: "INVALID_QUERY",
        detail: "limit is 1 to 200.",
        about: "`INVALID_QUERY`: a query value is unknown, out of bounds, or of another form.",
    },
    Shared {
        name: "MalformedBody",
        status: StatusCode::BAD_REQUEST,
        code: "MALFORMED_JSON",
        detail: "The body is not valid JSON.",
        about: "`MALFORMED_JSON`: the body is no JSON. `BAD_REQUEST`: it could not be read.",
    },
    Shared {
        name: "Unauthorized",
        status: StatusCode::UNAUTHORIZED,
        code: "UNAUTHORIZED",
        detail: "Log in to do this.",
        about: "`UNAUTHORIZED`: no credential, or one that does not hold.",
    },
    Shared {
        name: "Forbidden",
        status: StatusCode::FORBIDDEN,
        code: "FORBIDDEN",
        detail: "You may not do this.",
        about: "`FORBIDDEN`: not permitted. `CROSS_ORIGIN`: a write by cookie from another site. \
            `PASSWORD_CHANGE_REQUIRED`: the user has to choose a password first. `LOGIN_REQUIRED`: this is for people \
            who have logged in, not for tokens.",
    },
    Shared {
        name: "NotFound",
        status: StatusCode::NOT_FOUND,
        code: "NOT_FOUND",
        detail: "There is no such session.",
        about: "`NOT_FOUND`: there is none, or not for this caller; also where an id is none by its form.",
    },
    Shared {
        name: "RequestTimeout",
        status: StatusCode::REQUEST_TIMEOUT,
        code: "REQUEST_TIMEOUT",
        detail: "The body took too long to arrive.",
        about: "`REQUEST_TIMEOUT`: the body was not there within 15 seconds.",
    },
    Shared {
        name: "TooLarge",
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "TOO_LARGE",
        detail: "The body is too large.",
        about: "`TOO_LARGE`: a body has at most 64 KiB.",
    },
    Shared {
        name: "UnsupportedMediaType",
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        code: "UNSUPPORTED_MEDIA_TYPE",
        detail: "Send the body as application/json.",
        about: "`UNSUPPORTED_MEDIA_TYPE`: the body is not declared to be JSON.",
    },
    Shared {
        name: "InvalidRequest",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        code: "INVALID_REQUEST",
        detail: "A name has 1 to 100 characters.",
        about: "`INVALID_REQUEST`: the body is JSON and not what this call takes; unknown fields are refused.",
    },
    Shared {
        name: "InternalError",
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "INTERNAL_ERROR",
        detail: "Something went wrong on the server.",
        about: "`INTERNAL_ERROR`: a fault of the server; its log has the request id.",
    },
    Shared {
        name: "Unavailable",
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "DATABASE_UNAVAILABLE",
        detail: "The database is not available. Try again in a moment.",
        about: "`DATABASE_UNAVAILABLE`: the database does not answer.",
    },
];

/// Say of every call what those of its kind share.
pub(super) fn complete(api: &mut OpenApi) {
    let components = api.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A login token, or a personal access token with the scopes that a call needs"))
        .build();
    components.add_security_scheme("login", SecurityScheme::Http(bearer));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE))));
    for shared in SHARED {
        components.responses.insert(shared.name.to_owned(), RefOr::T(shared.response()));
    }
    let none: [&str; 0] = [];
    api.security = Some(vec![SecurityRequirement::new("login", none), SecurityRequirement::new("cookie", none)]);
    for operation in api.paths.paths.values_mut().flat_map(operations) {
        complete_operation(operation);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn complete_operation(operation: &mut Operation) {
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let has = |place: ParameterIn| {
        parameters.iter().any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == place))
    };
    // Whoever says nothing of credentials asks for one.
    let names = [
        (has(ParameterIn::Query), &["InvalidQuery"][..]),
        (operation.security.is_none(), &["Unauthorized", "Forbidden"]),
        (has(ParameterIn::Path), &["NotFound"]),
        (
            operation.request_body.is_some(),
            &["MalformedBody", "RequestTimeout", "TooLarge", "UnsupportedMediaType", "InvalidRequest"],
        ),
        (true, &["InternalError", "Unavailable"]),
    ];
    let names: Vec<&str> =
        names.iter().filter(|(applies, _)| *applies).flat_map(|(_, names)| *names).copied().collect();
    let responses = &mut operation.responses.responses;
    for shared in SHARED.iter().filter(|shared| names.contains(&shared.name)) {
        let reference = RefOr::Ref(Ref::from_response_name(shared.name));
        responses.entry(shared.status.as_str().to_owned()).or_insert(reference);
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            headers(status, response);
        }
    }
}

impl Shared {
    fn response(&self) -> Response {
        let example = json!({
            "error_code": self.code,
            "detail": self.detail,
            "status_code": self.status.as_u16(),
            "request_id": "019e9f3f4d5b7c63b1c0f4e2a7d86b10",
        });
        let body = RefOr::Ref(Ref::from_schema_name("ErrorBody"));
        let content = ContentBuilder::new().schema(Some(body)).example(Some(example)).build();
        let mut response = ResponseBuilder::new().description(self.about).content("application/json", content).build();
        headers(self.status.as_str(), &mut response);
        response
    }
}

/// Headers that an answer of this status carries.
fn headers(status: &str, response: &mut Response) {
    let mut add = |name: &str, kind: Type, about: &str| {
        let schema = ObjectBuilder::new().schema_type(SchemaType::new(kind)).build();
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build();
        response.headers.insert(name.to_owned(), RefOr::T(header));
    };
    add("x-request-id", Type::String, "The request's id, as the server's log has it.");
    if status == StatusCode::TOO_MANY_REQUESTS.as_str() {
        add("retry-after", Type::Integer, "Seconds to wait.");
    }
}
