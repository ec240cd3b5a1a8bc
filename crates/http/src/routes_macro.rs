//! The macro that names the handlers of a path.

// Names that the expanded macro needs.
#[doc(hidden)]
pub use axum::routing::MethodRouter;
#[doc(hidden)]
pub use utoipa::openapi::path::Paths;
#[doc(hidden)]
pub use utoipa_axum::{PathItemExt, paste, routes};

/// The handlers of one path with their descriptions, for [`Routes::add`](crate::Routes::add): `routes!(get, patch)`.
#[cfg(feature = "describe")]
#[macro_export]
macro_rules! routes {
    ($($handler:path),+ $(,)?) => { $crate::routes_macro::routes!($($handler),+) };
}

/// The handlers of one path, for [`Routes::add`](crate::Routes::add): `routes!(get, patch)`.
///
/// Of their descriptions only the parameters are kept, which requests are checked against. Without the schemas of bodies the
/// program is a megabyte smaller; what a shop answers at `/openapi.json` was made when its program was.
#[cfg(not(feature = "describe"))]
#[macro_export]
macro_rules! routes {
    ($($handler:path),+ $(,)?) => {{
        let mut paths = $crate::routes_macro::Paths::new();
        let router = $crate::routes_macro::MethodRouter::new();
        $(let router = $crate::routes!(@add paths router $handler);)+
        (Vec::new(), paths, router)
    }};
    (@add $paths:ident $router:ident $handler:path) => {{
        use $crate::routes_macro::PathItemExt as _;
        $crate::routes_macro::paste! {
            let path = $crate::routes_macro::routes!(@path [path()] of $handler);
            let operation = $crate::routes_macro::routes!(@path [operation()] of $handler);
            let methods = $crate::routes_macro::routes!(@path [methods()] of $handler);
        }
        let router = methods.iter().fold($router, |router, method| router.on(method.to_method_filter(), $handler));
        $paths.add_path_operation(&path, methods, operation);
        router
    }};
}
