//! The API's description as the program makes it.

use service::AnyService;
use service::http::{ObjectToken, Policy};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, SecurityRequirement};

use crate::shop::Shop;

/// The description of the whole shop, made from the descriptions of its routes. `own` are those that every process has.
pub(in crate::app) fn document(shop: &Shop, own: &OpenApi) -> String {
    let mut openapi = of_services(&shop.described());
    openapi.merge(own.clone());
    openapi.to_pretty_json().expect("the description is plain data")
}

fn of_services(services: &[Box<dyn AnyService>]) -> OpenApi {
    let mut openapi = console::openapi();
    for token in services.iter().filter_map(|service| service.object_token()) {
        // The console asks the service whether the token opens the object.
        open_by(token, &mut openapi);
    }
    for service in services {
        let mut of_service = service.openapi();
        if let Some(token) = service.object_token() {
            open_by(token, &mut of_service);
        }
        openapi.merge(of_service);
    }
    describe(&mut openapi);
    openapi
}

/// Adds the token of an object to the routes that it opens.
fn open_by(token: &ObjectToken, openapi: &mut OpenApi) {
    let header = ApiKeyValue::with_description(token.header, token.description);
    let components = openapi.components.get_or_insert_default();
    components.add_security_scheme(token.scheme, SecurityScheme::ApiKey(ApiKey::Header(header)));
    for path in openapi.paths.paths.values_mut() {
        let methods = [&mut path.get, &mut path.post, &mut path.put, &mut path.patch, &mut path.delete];
        for operation in methods.into_iter().flatten().filter(|operation| is_own(operation)) {
            let required = SecurityRequirement::new::<_, [&str; 0], &str>(token.scheme, []);
            operation.security.get_or_insert_default().push(required);
        }
    }
}

fn is_own(operation: &Operation) -> bool {
    let role = operation.extensions.as_ref().and_then(|extensions| extensions.get("x-role"));
    role.is_some_and(|role| role == Policy::Own.role())
}

/// Says what the document as a whole is about.
fn describe(openapi: &mut OpenApi) {
    "Tradepost".clone_into(&mut openapi.info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut openapi.info.version);
    openapi.info.description = Some(
        "Orders, stock, payments and mail that react to one another through events. \
         Errors are RFC 9457 problem documents with a stable code. \
         A path that is none is answered 404 `not_found`, and a method that a path does not have \
         405 `method_not_allowed` with an `Allow` header."
            .to_owned(),
    );
    openapi.info.license = None;
    openapi.info.contact = None;
    let components = openapi.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The admin token.")).build();
    components.add_security_scheme("admin", SecurityScheme::Http(bearer));
    let user = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
    let user = user.description(Some("The `access_token` of `POST /v1/sessions`, good for 15 minutes."));
    components.add_security_scheme("user", SecurityScheme::Http(user.build()));
}
