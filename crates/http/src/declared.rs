//! Parameters that a route's description declares. A request with another one is refused: what is misspelt or not
//! supported must not be taken for left out.

use std::collections::{HashMap, HashSet};

use axum::extract::{Query, Request};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};

use super::Problem;
use super::conditions::IF_MATCH;
use super::describe::{declares, operations};
use super::idempotency::IDEMPOTENCY_KEY;

/// The declared parameters of the methods of one path.
#[derive(Debug)]
pub(super) struct Declared(HashMap<Method, Parameters>);

/// Those of one operation.
#[derive(Debug, Default)]
struct Parameters {
    query: HashSet<String>,
    idempotency_key: bool,
    if_match: bool,
}

impl Declared {
    /// Those that the description names.
    pub fn of(described: &mut PathItem) -> Self {
        let mut declared: HashMap<Method, Parameters> =
            operations(described).map(|(method, operation)| (method, Parameters::of(operation))).collect();
        // A route of GET also answers HEAD.
        if let Some(get) = described.get.as_ref().filter(|_| described.head.is_none()) {
            declared.insert(Method::HEAD, Parameters::of(get));
        }
        Self(declared)
    }

    /// 400 for a query parameter that the route doesn't have, and for a header that asks for safety in vain.
    pub fn check(&self, request: &Request) -> Result<(), Problem> {
        let none = Parameters::default();
        let declared = self.0.get(request.method()).unwrap_or(&none);
        declared.check_query(request.uri())?;
        declared.check_headers(request.method(), request.headers())
    }
}

impl Parameters {
    fn of(operation: &Operation) -> Self {
        let query = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
            _ => None,
        });
        Self {
            query: query.collect(),
            idempotency_key: declares(operation, ParameterIn::Header, Some(IDEMPOTENCY_KEY)),
            if_match: declares(operation, ParameterIn::Header, Some(IF_MATCH)),
        }
    }

    fn check_query(&self, uri: &Uri) -> Result<(), Problem> {
        if uri.query().is_none_or(str::is_empty) {
            return Ok(());
        }
        let sent = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(sent)| sent).unwrap_or_default();
        match sent.into_iter().find(|(name, _)| !self.query.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let detail = format!("{}: there is no such parameter here", name.escape_debug());
                Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail))
            }
        }
    }

    fn check_headers(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if headers.contains_key(IDEMPOTENCY_KEY) && !self.idempotency_key && !is_idempotent(method) {
            let detail = "this route does not take an Idempotency-Key: to repeat it might change something twice";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_not_supported", detail));
        }
        let unsupported = (headers.contains_key(header::IF_MATCH) && !self.if_match)
            || headers.contains_key(header::IF_NONE_MATCH)
            || headers.contains_key(header::IF_UNMODIFIED_SINCE);
        if unsupported && !method.is_safe() {
            let taken = if self.if_match { "If-Match only" } else { "no condition" };
            let detail = format!("this route takes {taken}: send the request without the other, or read first");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "condition_not_supported", detail));
        }
        Ok(())
    }
}

/// Methods whose repetition changes nothing more (RFC 9110 §9.2.2): a key asks for what they are anyway.
fn is_idempotent(method: &Method) -> bool {
    method.is_safe() || *method == Method::PUT || *method == Method::DELETE
}
