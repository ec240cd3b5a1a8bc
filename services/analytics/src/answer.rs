//! The form of an answer: JSON, or a table as CSV.

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::csv::Table;

/// The form in which numbers are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Csv,
}

kernel::named!(Form { Json = "json", Csv = "csv" });

impl Form {
    /// The form that the client accepts; JSON if it takes both alike.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        accepted_of(&accepted.collect::<Vec<_>>().join(","))
    }

    /// The answer. A table is made of it where the client wants that.
    pub fn answer<T: Serialize>(self, body: T, table: impl FnOnce(&T) -> Table) -> Response {
        let vary = [(header::VARY, "accept")];
        match self {
            Self::Json => (vary, Json(body)).into_response(),
            Self::Csv => {
                let content_type = [(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")];
                (vary, content_type, table(&body).to_csv()).into_response()
            }
        }
    }
}

/// CSV if the client names it, and prefers it to JSON if it names that too (RFC 9110 §12.5.1).
fn accepted_of(accept: &str) -> Form {
    let weight = |wanted: &str| {
        let ranges = accept.split(',').map(|range| range.split(';').map(str::trim));
        let named = ranges.filter_map(|mut parts| {
            let is_wanted = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            is_wanted.then(|| quality.map_or(Some(1.0), |quality| quality.trim().parse::<f32>().ok())).flatten()
        });
        named.fold(0.0, f32::max)
    };
    let csv = weight("text/csv");
    if csv > 0.0 && csv > weight("application/json") { Form::Csv } else { Form::Json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_answered_to_whom_prefers_it() {
        for csv in ["text/csv", "TEXT/CSV; charset=utf-8", "text/csv, */*;q=0.1", "application/json;q=0.5, text/csv"] {
            assert_eq!(accepted_of(csv), Form::Csv, "{csv}");
        }
        for json in ["", "*/*", "application/json", "text/csv, application/json", "text/csv;q=0", "text/*", "csv"] {
            assert_eq!(accepted_of(json), Form::Json, "{json}");
        }
    }
}
