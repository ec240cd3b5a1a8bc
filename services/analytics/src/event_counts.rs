//! Events of the last minutes by type, and of all time.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use service::http::{Problem, QueryOf};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Form;
use crate::csv::Table;
use crate::domain::{MINUTES_KEPT, Measure};
use crate::interpret::INTERPRETED;
use crate::period::Parameters;
use crate::{Ctx, store};

/// Minutes when the client names none.
const MINUTES_DEFAULT: i64 = 60;

/// Minutes of all types at the most: of some fifty types that is an answer of a few thousand rows.
const MINUTES_OF_ALL_MAX: i64 = 120;

/// The minutes that are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Minutes up to now, the current one included; 60 if it is left out. More than 120 only of one `type`.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 2_880)]
    minutes: Option<String>,
    /// Only events of this type.
    #[param(example = "orders.order_placed.v1")]
    r#type: Option<String>,
    /// `csv` for a table of the minutes; without it, `Accept: text/csv` asks for one.
    #[param(value_type = Option<Form>, inline)]
    format: Option<String>,
}

/// Numbers of events, by the times and the types that they have themselves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventCounts {
    /// The beginning of the first minute.
    from: Timestamp,
    /// The end of the last minute.
    to: Timestamp,
    /// Events of each minute and type, oldest first; what has none is left out.
    minutes: Vec<MinuteEvents>,
    /// Events of each type since the shop began.
    types: Vec<TypeEvents>,
}

/// Events of a type in a minute.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MinuteEvents {
    /// Its beginning.
    minute: Timestamp,
    #[schema(example = "orders.order_placed.v1")]
    r#type: String,
    #[schema(example = 17)]
    events: i64,
}

/// Events of a type since the shop began.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TypeEvents {
    #[schema(example = "orders.order_placed.v1")]
    r#type: String,
    #[schema(example = 1_204)]
    events: i64,
    /// False for a type that is only counted: no other number of analytics depends on it.
    interpreted: bool,
}

/// Events a minute by type, of the last 48 hours at the most, and of each type in all.
#[utoipa::path(get, path = "/v1/analytics/events", operation_id = "count_events", tag = "analytics",
    params(Filter),
    responses(
        (status = 200, content((EventCounts = "application/json"), (String = "text/csv")))))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    headers: HeaderMap,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::default();
    let minutes = parameters.whole("minutes", filter.minutes.as_deref(), 1..=MINUTES_KEPT, MINUTES_DEFAULT);
    let form = parameters.form(filter.format.as_deref(), &headers);
    let wanted = filter.r#type.as_deref();
    if wanted.is_none() && minutes > MINUTES_OF_ALL_MAX {
        let expected = format!("at most {MINUTES_OF_ALL_MAX} minutes, or the minutes of one `type`");
        parameters.refuse("minutes", "range", expected);
    }
    parameters.finish()?;

    let last = ctx.clock.now().as_second().div_euclid(60);
    let first = last - minutes + 1;
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let counted = store::minutes(&ctx.db, first, last, wanted).await?;
    let [types] = store::counts(&ctx.db, [Measure::Type]).await?;
    let minute = |(minute, r#type, events)| MinuteEvents { minute: begin(minute), r#type, events };
    let of_type = |(name, events): (String, i64)| TypeEvents {
        interpreted: INTERPRETED.contains(&name.as_str()),
        r#type: name,
        events,
    };
    let counts = EventCounts {
        from: begin(first),
        to: begin(last + 1),
        minutes: counted.into_iter().map(minute).collect(),
        types: types.into_iter().filter(|(name, _)| is_wanted(name)).map(of_type).collect(),
    };
    Ok(form.answer(counts, table))
}

fn begin(minute: i64) -> Timestamp {
    Timestamp::from_second(minute.saturating_mul(60)).unwrap_or(Timestamp::MAX)
}

fn table(counts: &EventCounts) -> Table {
    let row =
        |it: &MinuteEvents| vec![it.minute.to_string().as_str().into(), it.r#type.as_str().into(), it.events.into()];
    Table { headings: &["minute", "type", "events"], rows: counts.minutes.iter().map(row).collect() }
}
