//! The certificate that test servers show, and whose it is: `tls/README.md`.

pub(crate) const AUTHORITY: &str = "authority.crt";
pub(crate) const CERTIFICATE: &str = "server.crt";
pub(crate) const KEY: &str = "server.key";

/// Names and texts of all of them.
pub(crate) const FILES: [(&str, &str); 3] = [
    (AUTHORITY, include_str!("../tls/authority.crt")),
    (CERTIFICATE, include_str!("../tls/server.crt")),
    (KEY, include_str!("../tls/server.key")),
];
