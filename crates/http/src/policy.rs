//! The callers of a route: stated where the route is declared, enforced before its handler, shown in its description.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Extension, Router};
use storage::accounts::Standing;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, SecurityRequirement};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::address::ClientAddress;
use super::auth::{Auth, Caller};
use super::conditions::ReadConditions;
use super::declared::Declared;
use super::describe::{complete, items_by_reference, operations, refuse, tags};
use super::overload::{Client, InFlight};
use super::problem::{BANNED, SESSION_ENDED};
use super::request::is_read;
use super::token::Claims;
use super::{Problem, ProblemBody};

/// The callers of a route. A token that isn't good is answered 401, one of a banned account 403 `banned`, and one from
/// before a ban that has ended 401 `session_ended`, but on public routes. An account with the role `admin` is admin like the admin token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Anybody, and nobody gets anything else by a user's token: it counts as none, be it good or not. Clients send their
    /// token with every request, also when they sign in because it has expired, or look around while they are banned.
    Public,
    /// Anybody. A token that isn't good is refused, for with a good one the route would do something else.
    Guest,
    /// Whom the object belongs to, by user token or the [token](super::ObjectToken) of the object, and the admin. The
    /// handler looks for the object among those of the caller: to anyone else it is not there.
    Own,
    /// Customers who have signed in, and the admin.
    Customer,
    /// The admin.
    Admin,
    /// The admin, and anybody from this machine itself.
    AdminOrLocal,
}

impl Policy {
    /// The role as the API's description names it.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Public | Self::Guest => "guest",
            Self::Own => "own",
            Self::Customer => "customer",
            Self::Admin => "admin",
            Self::AdminOrLocal => "admin_or_local",
        }
    }

    /// The kinds of token that open the route, by their names in the description. None: it is open.
    const fn tokens(self) -> &'static [&'static str] {
        match self {
            Self::Public | Self::Guest => &[],
            Self::Own => &["user", "admin"],
            Self::Customer => &["user", "admin"],
            Self::Admin | Self::AdminOrLocal => &["user", "admin"],
        }
    }

    fn admit(self, caller: &Caller, is_local: bool) -> Result<(), Problem> {
        let is_let_in = match self {
            Self::Public | Self::Guest | Self::Own => true,
            Self::Customer => caller.is_admin || caller.user_id.is_some(),
            Self::Admin => caller.is_admin,
            Self::AdminOrLocal => caller.is_admin || is_local,
        };
        match (is_let_in, caller.user_id) {
            (true, _) => Ok(()),
            (false, None) => Err(Problem::unauthenticated()),
            (false, Some(_)) => Err(Problem::forbidden()),
        }
    }

    /// Writes into the description what is enforced.
    fn describe(self, operation: &mut Operation) {
        let required = self.tokens().iter().map(|token| SecurityRequirement::new::<_, [&str; 0], &str>(*token, []));
        operation.security = Some(required.collect()).filter(|tokens: &Vec<_>| !tokens.is_empty());
        let role = ExtensionsBuilder::new().add("x-role", self.role()).build();
        operation.extensions.get_or_insert_default().merge(role);
        if self != Self::Public {
            refuse(operation, StatusCode::UNAUTHORIZED, &["unauthenticated", SESSION_ENDED]);
            refuse(operation, StatusCode::FORBIDDEN, &[BANNED]);
        }
        if matches!(self, Self::Admin | Self::AdminOrLocal) {
            refuse(operation, StatusCode::FORBIDDEN, &["forbidden"]);
        }
    }
}

/// Routes with their policies and descriptions. There is no way to add a route without a policy.
#[must_use]
pub struct Routes<S>(OpenApiRouter<S>);

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes.
    pub fn new() -> Self {
        Self(OpenApiRouter::new())
    }

    /// Adds methods of one path: `routes!(get, patch)`. Methods with another policy are added apart.
    pub fn add(self, policy: Policy, (mut schemas, mut paths, router): UtoipaMethodRouter<S>) -> Self {
        // Every route may be refused.
        schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
        ProblemBody::schemas(&mut schemas);
        for (name, schema) in &mut schemas {
            items_by_reference(name, schema);
        }
        let mut declared = Declared::of(&mut PathItem::default());
        for (path, item) in &mut paths.paths {
            declared = Declared::of(item);
            for (method, operation) in operations(item) {
                policy.describe(operation);
                complete(path, &method, operation);
            }
        }
        let guard = Arc::new(Guard { policy, declared });
        Self(self.0.routes((schemas, paths, router.route_layer(middleware::from_fn_with_state(guard, enforce)))))
    }

    /// Adds a path that the description leaves out: it is for parts of Tradepost, and takes no query.
    pub fn add_internal(self, policy: Policy, path: &str, router: MethodRouter<S>) -> Self {
        let declared = Declared::of(&mut PathItem::default());
        let guard = Arc::new(Guard { policy, declared });
        Self(self.0.route(path, router.route_layer(middleware::from_fn_with_state(guard, enforce))))
    }

    /// The description.
    pub fn openapi(&self) -> OpenApi {
        let mut api = self.0.get_openapi().clone();
        tags(&mut api);
        api
    }

    /// The routes as they run.
    pub fn finish(self, state: S, auth: Arc<Auth>) -> Router {
        Router::from(self.0).with_state(state).layer(Extension(auth))
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// The checks before the handlers of a path. Shared, for axum clones the layers of a path with each request.
struct Guard {
    policy: Policy,
    declared: Declared,
}

impl Guard {
    fn check(&self, caller: &Caller, request: &Request) -> Result<(), Problem> {
        let is_local = request.extensions().get().is_some_and(ClientAddress::is_local);
        self.policy.admit(caller, is_local)?;
        self.declared.check(request)
    }
}

async fn enforce(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let policy = guard.policy;
    let is_public = matches!(policy, Policy::Public | Policy::Guest) && is_read(request.method());
    let mut response = match authenticate(&guard, &request) {
        Ok((auth, caller, claims)) => {
            let address = request.extensions().get().map(|ClientAddress { ip, .. }| Client::from(*ip));
            // The admin token has no share: what automation may do is bounded by what the process can carry. An account
            // has one, admin or not: its token is in a browser, where others may get hold of it.
            let client = address.filter(|_| !caller.is_automation());
            let conditions = ReadConditions::of(request.method(), request.headers());
            let in_flight = request.extensions().get::<InFlight>().cloned();
            let answer = |request| let_in(guard, auth, caller, claims, request, next);
            let response = match in_flight {
                Some(in_flight) => in_flight.carry(client, request, answer).await,
                None => answer(request).await,
            };
            conditions.iter().fold(response, |response, conditions| conditions.apply(response))
        }
        Err(problem) => problem.into_response(),
    };
    if !is_public {
        // An object's token is no `Authorization`, so a shared cache would keep what it opens.
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// The sender, by the token, and the claims of a user's. Whoever is no user is let in or refused at once; of a user the
/// store says more.
fn authenticate(guard: &Guard, request: &Request) -> Result<(Arc<Auth>, Caller, Option<Claims>), Problem> {
    let Some(auth) = request.extensions().get::<Arc<Auth>>() else {
        tracing::error!(uri = %request.uri(), "the routes were not finished: nobody can be let in");
        return Err(Problem::internal());
    };
    let (caller, claims) = match auth.caller(request.headers()) {
        Ok((_, Some(_))) | Err(_) if guard.policy == Policy::Public => (auth.guest(request.headers()), None),
        sender => sender?,
    };
    if claims.is_none() {
        guard.check(&caller, request)?;
    }
    Ok((auth.clone(), caller, claims))
}

/// Lets a user in or refuses them, then answers. Within the bounds on requests and on their time, for the store is read.
async fn let_in(
    guard: Arc<Guard>,
    auth: Arc<Auth>,
    caller: Caller,
    claims: Option<Claims>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match claims {
        None => caller,
        Some(claims) => {
            let caller = auth.standing(claims.sub).await.and_then(|standing| known(caller, &claims, standing));
            match caller.and_then(|caller| guard.check(&caller, &request).map(|()| caller)) {
                Ok(caller) => caller,
                Err(problem) => return problem.into_response(),
            }
        }
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The caller by all that is known of their account.
fn known(caller: Caller, claims: &Claims, standing: Standing) -> Result<Caller, Problem> {
    if standing.is_banned {
        Err(Problem::banned())
    } else if standing.has_ended(claims.iat) {
        Err(Problem::session_ended())
    } else {
        Ok(Caller { is_admin: standing.is_admin, ..caller })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use kernel::{Clock, Timestamp, Uuid};

    use super::*;

    #[test]
    fn a_token_from_before_a_ban_is_refused_during_it_and_after_it() {
        let issued: Timestamp = "2026-01-01T12:00:00.9Z".parse().unwrap();
        let claims = Claims::new(Uuid::from_u128(1).into(), Uuid::from_u128(2).into(), issued);
        let answer = |is_banned, tokens_from| {
            let caller = Auth::new(Vec::new(), Clock::system()).guest(&HeaderMap::new());
            known(caller, &claims, Standing { is_banned, is_admin: true, tokens_from }).map(|caller| caller.is_admin)
        };
        let at = |time: &str| Some(time.parse().unwrap());
        for (tokens_from, expected) in [
            (None, Ok(true)),
            (at("2026-01-01T12:00:00Z"), Ok(true)),
            (at("2026-01-01T12:00:01Z"), Err(Problem::session_ended())),
            (at("2026-01-01T13:00:00Z"), Err(Problem::session_ended())),
        ] {
            assert_eq!(answer(false, tokens_from), expected, "{tokens_from:?}");
            assert_eq!(answer(true, tokens_from), Err(Problem::banned()), "{tokens_from:?}");
        }
    }
}
