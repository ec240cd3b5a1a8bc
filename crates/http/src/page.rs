//! Pages of lists.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use kernel::{Cursor, Uuid};
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::{Problem, QueryOf};

/// Items of a page when the client names no limit.
const LIMIT_DEFAULT: i64 = 20;

/// Items of a page at most.
const LIMIT_MAX: i64 = 100;

/// `?limit=` and `?cursor=`: an extractor. Other parameters of the route are extracted beside it.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Items wanted, 1 to 100.
    pub limit: i64,
    after: Option<Uuid>,
    list: u32,
}

#[derive(Deserialize)]
struct Raw {
    limit: Option<i64>,
    cursor: Option<String>,
}

/// Its parameters, for the description of a route: `params(Page)`.
impl IntoParams for Page {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(LIMIT_MAX))
            .default(Some(LIMIT_DEFAULT.into()));
        let cursor = ObjectBuilder::new().schema_type(Type::String);
        [("limit", limit, "Items of a page at most."), ("cursor", cursor, "`next` of the page before.")]
            .map(|(name, schema, description)| {
                let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query);
                parameter.schema(Some(schema)).description(Some(description)).build()
            })
            .into()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let QueryOf(raw) = QueryOf::<Raw>::from_request_parts(parts, state).await?;
        let limit = raw.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let detail = format!("limit: a page has 1 to {LIMIT_MAX} items");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail));
        }
        let list = Cursor::list(parts.uri.path());
        let after = raw
            .cursor
            .as_deref()
            .map(|text| Cursor::decode(text, list))
            .transpose()
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", format!("cursor: {error}")))?;
        Ok(Self { limit, after: after.map(|cursor| cursor.after), list })
    }
}

impl Page {
    /// For lists that run from new to old: items have ids below this one.
    pub fn before<T: From<Uuid>>(&self) -> T {
        T::from(self.after.unwrap_or(Uuid::max()))
    }

    /// For lists that run from old to new: items have ids above this one.
    pub fn after<T: From<Uuid>>(&self) -> T {
        T::from(self.after.unwrap_or(Uuid::nil()))
    }

    /// Number of rows to read: one more than wanted, which shows if there is a next page.
    pub fn rows(&self) -> i64 {
        self.limit + 1
    }

    /// The answer, from the rows that were read by [`rows`](Self::rows).
    pub fn listing<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> Listing<T> {
        let limit = usize::try_from(self.limit).expect("the limit was checked to be at most 100");
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| Cursor { after: id(last), list: self.list }.encode());
        Listing { items: rows, next }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Pass it as `?cursor=` for the next page; null on the last.
    pub next: Option<String>,
}

impl<T> Listing<T> {
    /// The same page with other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Listing<U> {
        Listing { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}
