//! Query parameters: what a route's description names, and nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::Query;
use axum::http::{Method, StatusCode, Uri};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};

use super::Problem;

/// The parameters of the methods of one path.
#[derive(Clone, Debug)]
pub(super) struct Known(Arc<HashMap<Method, HashSet<String>>>);

impl Known {
    /// Those that the description names.
    pub fn of(described: &PathItem) -> Self {
        let PathItem { get, put, post, delete, options, head, patch, .. } = described;
        let methods = [
            (Method::GET, get),
            (Method::PUT, put),
            (Method::POST, post),
            (Method::DELETE, delete),
            (Method::OPTIONS, options),
            // What answers GET answers HEAD.
            (Method::HEAD, if head.is_some() { head } else { get }),
            (Method::PATCH, patch),
        ];
        let known = methods.into_iter().filter_map(|(method, operation)| Some((method, names(operation.as_ref()?))));
        Self(Arc::new(known.collect()))
    }

    /// 400 `invalid_query` for a parameter that the route doesn't have: a misspelt one must not be taken for none.
    pub fn check(&self, method: &Method, uri: &Uri) -> Result<(), Problem> {
        if uri.query().is_none_or(str::is_empty) {
            return Ok(());
        }
        let sent = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(sent)| sent).unwrap_or_default();
        let none = HashSet::new();
        let known = self.0.get(method).unwrap_or(&none);
        match sent.into_iter().find(|(name, _)| !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let detail = format!("{}: there is no such parameter here", name.escape_debug());
                Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail))
            }
        }
    }
}

fn names(operation: &Operation) -> HashSet<String> {
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) if matches!(parameter.parameter_in, ParameterIn::Query) => Some(parameter.name.clone()),
        _ => None,
    });
    parameters.collect()
}
