//! The part of a route's description that follows from what stands around its handler: the routes need not repeat it.

use std::collections::HashSet;

use axum::http::{Method, StatusCode};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::{ArrayItems, ObjectBuilder, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema};

use super::conditions::{ETAG, IF_MATCH, IF_NONE_MATCH};
use super::idempotency::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED};
use super::overload::ALWAYS;
use super::problem::CONTENT_TYPE;

/// The schema of [`ProblemBody`](super::ProblemBody).
const PROBLEM: &str = "ProblemBody";

/// The operations of a path, each with its method.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    let all = [
        (Method::GET, get),
        (Method::PUT, put),
        (Method::POST, post),
        (Method::DELETE, delete),
        (Method::OPTIONS, options),
        (Method::HEAD, head),
        (Method::PATCH, patch),
        (Method::TRACE, trace),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Adds the refusals and headers that the route has by its parameters, its body and its method, and gives each response
/// a description and each problem its content type.
pub(super) fn complete(path: &str, method: &Method, operation: &mut Operation) {
    // Before a route is looked at: see `shell` and `listener`.
    refuse(operation, StatusCode::BAD_REQUEST, &["malformed_request", "invalid_query"]);
    refuse(operation, StatusCode::PAYLOAD_TOO_LARGE, &["body_too_large"]);
    refuse(operation, StatusCode::URI_TOO_LONG, &["uri_too_long"]);
    let head_too_large = ResponseBuilder::new().description("The head is too large; answered without a body.").build();
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.as_str().to_owned();
    operation.responses.responses.insert(status, head_too_large.into());
    if declares(operation, ParameterIn::Path, None) {
        refuse(operation, StatusCode::NOT_FOUND, &["not_found"]);
    }
    if operation.request_body.is_some() {
        refuse(operation, StatusCode::BAD_REQUEST, &["malformed_body"]);
        refuse(operation, StatusCode::REQUEST_TIMEOUT, &["request_timeout"]);
        refuse(operation, StatusCode::UNSUPPORTED_MEDIA_TYPE, &["unsupported_media_type"]);
        refuse(operation, StatusCode::UNPROCESSABLE_ENTITY, &["invalid_body"]);
    }
    if !ALWAYS.contains(&path) {
        refuse(operation, StatusCode::SERVICE_UNAVAILABLE, &["overloaded", "timed_out", "store_unavailable"]);
        refuse(operation, StatusCode::INTERNAL_SERVER_ERROR, &["internal"]);
        refuse(operation, StatusCode::TOO_MANY_REQUESTS, &["too_many_requests"]);
    }
    if !method.is_safe() {
        refuse(operation, StatusCode::SERVICE_UNAVAILABLE, &["busy", "outcome_unknown"]);
    }
    describe_idempotency(method, operation);
    describe_conditions(method, operation);
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            finish(status, response);
        }
    }
}

fn describe_idempotency(method: &Method, operation: &mut Operation) {
    if declares(operation, ParameterIn::Header, Some(IDEMPOTENCY_KEY)) {
        refuse(operation, StatusCode::BAD_REQUEST, &["invalid_idempotency_key"]);
        refuse(operation, StatusCode::CONFLICT, &["idempotency_key_in_flight"]);
        refuse(operation, StatusCode::UNPROCESSABLE_ENTITY, &["idempotency_key_reused"]);
        with_header(operation, IDEMPOTENCY_REPLAYED, "`true` if this is the answer to an earlier request.", |_| true);
    } else if *method == Method::POST || *method == Method::PATCH {
        refuse(operation, StatusCode::BAD_REQUEST, &["idempotency_not_supported"]);
    }
}

fn describe_conditions(method: &Method, operation: &mut Operation) {
    let if_match = declares(operation, ParameterIn::Header, Some(IF_MATCH));
    if if_match {
        refuse(operation, StatusCode::BAD_REQUEST, &["invalid_condition"]);
        refuse(operation, StatusCode::PRECONDITION_FAILED, &["version_mismatch"]);
    } else if !method.is_safe() {
        refuse(operation, StatusCode::BAD_REQUEST, &["condition_not_supported"]);
    }
    if declares(operation, ParameterIn::Header, Some(IF_NONE_MATCH)) {
        let unchanged = ResponseBuilder::new().description("The resource is what the client has already.").build();
        operation.responses.responses.insert(StatusCode::NOT_MODIFIED.as_str().to_owned(), unchanged.into());
    }
}

/// Adds the tag to each answer that has one: a resource that is read with `If-None-Match`, or changed with `If-Match`.
/// An answer without a body has none, nor has one with another resource than the condition is about.
pub(super) fn tags(api: &mut OpenApi) {
    let mut resources = HashSet::new();
    for (_, operation) in api.paths.paths.values_mut().flat_map(operations) {
        if declares(operation, ParameterIn::Header, Some(IF_NONE_MATCH)) {
            resources.extend(successes(operation).filter_map(|response| schema_of(response)));
        }
    }
    for (_, operation) in api.paths.paths.values_mut().flat_map(operations) {
        if [IF_MATCH, IF_NONE_MATCH].iter().any(|name| declares(operation, ParameterIn::Header, Some(name))) {
            let is_tagged = |response: &Response| schema_of(response).is_some_and(|it| resources.contains(&it));
            with_header(operation, ETAG, "Changes whenever the body of this resource does.", is_tagged);
        }
    }
}

/// The name of the schema of its body.
fn schema_of(response: &Response) -> Option<String> {
    response.content.values().find_map(|content| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(to)), .. }) => Some(to.ref_location.clone()),
        _ => None,
    })
}

/// A page names the schema of its items, so that a client has one type for an item of a list and one that is read
/// alone.
pub(super) fn items_by_reference(name: &str, schema: &mut RefOr<Schema>) {
    let Some(item) = name.strip_prefix("Listing_") else { return };
    let RefOr::T(Schema::Object(page)) = schema else { return };
    if let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items") {
        items.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(item).into()));
    }
}

/// True if the operation has a parameter there, of this name or of any.
pub(super) fn declares(operation: &Operation, place: ParameterIn, name: Option<&str>) -> bool {
    operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => {
            parameter.parameter_in == place && name.is_none_or(|name| parameter.name.eq_ignore_ascii_case(name))
        }
        RefOr::Ref(_) => false,
    })
}

/// Adds a problem with these codes, beside those that the route names itself.
pub(super) fn refuse(operation: &mut Operation, status: StatusCode, codes: &[&str]) {
    let new = || RefOr::T(ResponseBuilder::new().content(CONTENT_TYPE, problem()).build());
    let response = operation.responses.responses.entry(status.as_str().to_owned()).or_insert_with(new);
    let RefOr::T(response) = response else { return };
    let known = std::mem::take(&mut response.description);
    let new = codes.iter().map(|code| format!("`{code}`")).filter(|code| !known.contains(code));
    let texts: Vec<String> = Some(known.clone()).filter(|text| !text.is_empty()).into_iter().chain(new).collect();
    response.description = texts.join(", ");
}

fn problem() -> Content {
    Content::new(Some(RefOr::Ref(Ref::from_schema_name(PROBLEM))))
}

/// The answers of success.
fn successes(operation: &mut Operation) -> impl Iterator<Item = &mut Response> {
    operation.responses.responses.iter_mut().filter_map(|(status, response)| match response {
        RefOr::T(response) if status.starts_with('2') => Some(response),
        _ => None,
    })
}

/// Adds a header to those answers of success that have it.
fn with_header(operation: &mut Operation, name: &str, description: &str, has_it: impl Fn(&Response) -> bool) {
    for response in successes(operation) {
        if has_it(response) {
            let text = ObjectBuilder::new().schema_type(Type::String);
            let header = HeaderBuilder::new().schema(Some(text)).description(Some(description)).build();
            response.headers.insert(name.to_owned(), header.into());
        }
    }
}

/// A response without a description is not valid, and a problem is no plain JSON.
fn finish(status: &str, response: &mut Response) {
    if response.description.is_empty() {
        let status = status.parse::<StatusCode>().ok();
        status.and_then(|status| status.canonical_reason()).unwrap_or("Answer").clone_into(&mut response.description);
    }
    let is_problem = |content: &RefOr<Content>| match content {
        RefOr::T(content) => matches!(&content.schema, Some(RefOr::Ref(to)) if to.ref_location.ends_with(PROBLEM)),
        RefOr::Ref(_) => false,
    };
    if response.content.get("application/json").is_some_and(is_problem) {
        response.content.clear();
        response.content.insert(CONTENT_TYPE.to_owned(), problem().into());
    }
}
